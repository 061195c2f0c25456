"""Door of builds: what stands below `builds:` in a builds file or a suite, as `farm.model.build.Build`.

The keys are described in docs/builds.md and, for editors, in docs/schema/builds.schema.json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from farm.inventory.conditions import CELL_SUBJECTS
from farm.inventory.entry import Conditions, Entry
from farm.inventory.runtime import RuntimeEntry, runtime_of
from farm.inventory.versions import upgrade
from farm.inventory.yaml_source import Document, Place, read
from farm.model.build import BASELINE, INVENTORY_BUILD, Build, BuildChoice

BUILDS = "builds"
NO_RUNTIME = "has no runtime"


class ChoiceEntry(Entry):
    """A runtime, and the devices that it is for."""

    when: Conditions = Field((), description="conditions on the device, e.g. arch == aarch64; all must hold")
    runtime: Annotated[RuntimeEntry, WithJsonSchema(RuntimeEntry.model_json_schema())] = Field(
        description="what runs the models there; paths are relative to this file"
    )


def _any_of(*schemas: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(schemas)}


DEFINITION = _any_of(
    RuntimeEntry.model_json_schema(),
    ChoiceEntry.model_json_schema(),
    {"type": "array", "items": ChoiceEntry.model_json_schema(), "minItems": 1},
)
"""JSON Schema of one build."""


class BuildsFile(Entry):
    """Builds by name: which program or wheel runs the models on which device."""

    version: Literal[1] = Field(1, description="of the form of this file")
    builds: Annotated[
        Any, WithJsonSchema({"type": "object", "minProperties": 1, "additionalProperties": DEFINITION})
    ] = Field(
        description="by name: a runtime for all devices, or choices of which the first that applies counts"
    )


def schema() -> dict[str, Any]:
    """JSON Schema of a builds file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "farm builds",
        **BuildsFile.model_json_schema(),
    }


def load(path: Path) -> tuple[Build, ...]:
    """The builds of a file. Raises RequestError with file and line, for all mistakes at once."""
    document = upgrade(read(path))
    document.check(BuildsFile, (), document.data)
    if BUILDS in document.data and not document.data[BUILDS]:
        document.report((BUILDS,), "is empty: define at least one build")
    for name, raw in document.mapping(BUILDS).items():
        if raw is None:
            document.report((BUILDS, name), NO_RUNTIME)
    builds = defined(document)
    document.refuse()
    return builds


def defined(document: Document) -> tuple[Build, ...]:
    """The builds below `builds:`, in the order of the file; mistakes are added to the document. Names without
    a definition are left out.
    """
    entries = document.data.get(BUILDS)
    if not isinstance(entries, dict):
        return ()
    return tuple(
        Build(name, tuple(_choices(document, (BUILDS, name), raw)), document.source((BUILDS, name)))
        for name, raw in entries.items()
        if raw is not None and _may_be_defined(document, name)
    )


def _may_be_defined(document: Document, name: str) -> bool:
    place: Place = (BUILDS, name)
    why = reserved(name)
    if why is not None:
        document.report(place, why)
    return why is None and document.check_name(place)


def reserved(name: str) -> str | None:
    """Why no build can be called so; None for any other name."""
    if name == INVENTORY_BUILD.name:
        return "the name inventory means each device's own runtime, and needs no definition"
    if name == BASELINE or name.startswith(f"{BASELINE}-"):
        return f"the name {name} is reserved for what another run ran"
    return None


def _choices(document: Document, place: Place, raw: object) -> Iterator[BuildChoice]:
    if isinstance(raw, list):
        entries = [((*place, index), one) for index, one in enumerate(raw)]
    else:
        is_choice = isinstance(raw, dict) and bool(raw.keys() & ChoiceEntry.model_fields.keys())
        entries = [(place, raw)] if is_choice else []
        if not is_choice:
            runtime = document.check(RuntimeEntry, place, raw)
            if runtime is not None:
                yield BuildChoice((), runtime_of(document, runtime), document.source(place))
    if raw == []:
        document.report(place, NO_RUNTIME)
    is_for_all = False
    for here, one in entries:
        entry = document.check(ChoiceEntry, here, one)
        if is_for_all:
            document.report(here, "is never used: the one before has no conditions")
        if entry is None:
            continue
        for condition in entry.when:
            if condition.subject in CELL_SUBJECTS:
                document.report(
                    (*here, "when"), f"a build depends on the device, not on the {condition.subject}"
                )
        is_for_all = not entry.when
        yield BuildChoice(entry.when, runtime_of(document, entry.runtime), document.source(here))
