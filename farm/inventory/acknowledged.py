"""Door of acknowledgements: a YAML file in, regressions that are known and accepted out.

acknowledged:
- cells: 'arm-*/shufflenet_v2/*'
why: padding that the outputs need
who: lee
until: 2027-01-31
at-most: 12%
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from farm.compare.amounts import fraction
from farm.inventory.entry import Entry, Text, Texts
from farm.inventory.versions import upgrade
from farm.inventory.yaml_source import Place, Scalar, read
from farm.model.comparison import Acknowledgement

ACKNOWLEDGED = "acknowledged"


class AcknowledgementEntry(Entry):
    """A regression that is known, for some cells and for some time."""

    cells: Texts = Field(min_length=1, description="globs of cells: device/model/variant@build")
    why: Text = Field(description="why it is accepted")
    who: Text = Field(description="who accepted it")
    until: Annotated[Any, WithJsonSchema({"type": "string", "format": "date"})] = Field(
        description="the last day on which it holds: 2027-01-31"
    )
    at_most: Annotated[Any, WithJsonSchema({"type": ["string", "number"]})] = Field(
        None, alias="at-most", description="how much slower: 12%; more is a regression all the same"
    )


class AcknowledgedFile(Entry):
    """Regressions that are known and accepted."""

    version: Literal[1] = Field(1, description="of the form of this file")
    acknowledged: tuple[AcknowledgementEntry, ...] = Field((), description="one for each")


def schema() -> dict[str, Any]:
    """JSON Schema of such a file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "farm acknowledgements",
        **AcknowledgedFile.model_json_schema(),
    }


def load(path: Path) -> tuple[Acknowledgement, ...]:
    """Raises RequestError with file and line, for all mistakes at once."""
    document = upgrade(read(path))
    found = []
    for index, raw in enumerate(document.listing(ACKNOWLEDGED)):
        place: Place = (ACKNOWLEDGED, index)
        entry = document.check(AcknowledgementEntry, place, raw)
        until = _day(entry.until) if entry else None
        if entry and until is None:
            document.report((*place, "until"), "should be a day, as 2027-01-31")
        at_most = None
        if entry and entry.at_most is not None:
            try:
                at_most = fraction(str(entry.at_most))
            except ValueError as error:
                document.report((*place, "at-most"), str(error))
        if entry and until:
            found.append(
                Acknowledgement(entry.cells, str(entry.why), str(entry.who), until.isoformat(), at_most)
            )
    document.check(AcknowledgedFile, (), {"acknowledged": ()} | _others(document.data))
    document.refuse()
    return tuple(found)


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value)) if isinstance(value, Scalar) else None
    except ValueError:
        return None


def _others(data: dict[str, Any]) -> dict[str, Any]:
    """Keys beside the list: each of them is a mistake."""
    return {key: value for key, value in data.items() if key != ACKNOWLEDGED}
