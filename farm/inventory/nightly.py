"""The `nightly` of a suite: what `farm nightly` compares with, what it waits for, and whom it tells."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema, model_validator

from farm.compare.amounts import fraction
from farm.errors import RequestError
from farm.inventory.entry import Entry, Texts
from farm.inventory.values.sampling import budget_s_of
from farm.inventory.yaml_source import Document, Place, Scalar
from farm.model.request import LAST_GOOD, Nightly, Notice, PluginNotice

NIGHTLY = "nightly"
TAG = "tag:"
MOST_DAYS = 3650
_TEXT_OR_NUMBER = {"type": ["string", "number"]}


class NoticeEntry(Entry):
    """Somebody who is told what is new."""

    webhook: str | None = Field(None, description="a URL, or $VARIABLE of the environment that has it")
    key: str | None = Field(None, description="name of the variable with the key that signs what is sent")
    command: Texts = Field((), description="a program with its arguments: gets the message on stdin")
    plugin: str | None = Field(None, description="name of a plugin that is installed: farm plugins list")
    options: dict[str, Any] = Field({}, description="for the plugin; $VARIABLE is the value of that variable")

    @model_validator(mode="after")
    def _has_one_way(self) -> NoticeEntry:
        if sum(map(bool, (self.webhook, self.command, self.plugin))) != 1:
            raise ValueError("requires either webhook (a URL), command (a list) or plugin (a name)")
        if self.key and not self.webhook:
            raise ValueError("key signs what a webhook gets; a command or a plugin needs none")
        if self.options and not self.plugin:
            raise ValueError("options are for a plugin")
        return self

    @property
    def notice(self) -> Notice | PluginNotice:
        if self.plugin:
            return PluginNotice(self.plugin, _plain(self.options))
        return Notice(self.webhook, self.key, self.command)


class NightlyEntry(Entry):
    """How `farm nightly` runs this suite."""

    baseline: Texts = Field((LAST_GOOD,), description="last-good, tag:NAME: what each night is compared with")
    min_measured: Annotated[Any, WithJsonSchema(_TEXT_OR_NUMBER)] = Field(
        None, alias="min-measured", description="how much of the cells a night has to measure: 90%"
    )
    wait: Annotated[Any, WithJsonSchema(_TEXT_OR_NUMBER)] = Field(
        None, description="how long a device that is in use is waited for: 30m"
    )
    acknowledged: str | None = Field(None, description="file of regressions that are known")
    site: str | None = Field(
        None, description="folder of a site of all runs that each night brings up to date"
    )
    quarantine_days: Annotated[Any, WithJsonSchema({"type": "number", "minimum": 0})] = Field(
        None,
        alias="quarantine-days",
        description="how long a device that fails is left out; it is checked each night",
    )
    notify: Annotated[
        tuple[NoticeEntry, ...],
        WithJsonSchema({"type": "array", "items": NoticeEntry.model_json_schema()}),
    ] = Field((), description="who is told what is new")


def nightly_of(document: Document) -> Nightly:
    """What the file says of it; mistakes are added to the document."""
    raw = document.data.get(NIGHTLY)
    entry = document.check(NightlyEntry, (NIGHTLY,), raw) if raw is not None else None
    if entry is None:
        return Nightly()
    for index, name in enumerate(entry.baseline):
        if name != LAST_GOOD and not name.startswith(TAG):
            document.report((NIGHTLY, "baseline", index), f"should be {LAST_GOOD} or {TAG}NAME")
    return Nightly(
        baselines=entry.baseline,
        min_measured=_read(document, (NIGHTLY, "min-measured"), _share, entry.min_measured) or 0.9,
        wait_s=_read(document, (NIGHTLY, "wait"), _wait_s, entry.wait) or 0.0,
        acknowledged=document.beside(entry.acknowledged) if entry.acknowledged else None,
        site=document.beside(entry.site) if entry.site else None,
        quarantine_days=_read(document, (NIGHTLY, "quarantine-days"), _days, entry.quarantine_days) or 0.0,
        notices=tuple(one.notice for one in entry.notify),
    )


def _plain(value: Any) -> Any:
    """What the file says, as JSON types."""
    match value:
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case Scalar():
            return value.value
    return value


def _wait_s(text: str) -> float:
    return 0.0 if text.strip() == "0" else budget_s_of(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days <= MOST_DAYS:
        raise RequestError(f"{text[:80]!r} is no number of days from 0 to {MOST_DAYS}")
    return days


def _share(text: str) -> float:
    try:
        return fraction(text)
    except ValueError as error:
        raise RequestError(str(error)) from error


def _read(document: Document, place: Place, reader: Any, raw: object) -> float | None:
    if raw is None:
        return None
    if not isinstance(raw, Scalar):
        document.report(place, "should be one value")
        return None
    try:
        return float(reader(str(raw)))
    except RequestError as error:
        document.report(place, error.message)
        return None
