"""Nouns to JSON and back, validated: an invalid file is refused, never partly read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json

from farm.errors import RequestError
from farm.model.run import SCHEMA_VERSION, Results
from farm.visible import changed, writable


@cache
def _results() -> TypeAdapter[Results]:
    return TypeAdapter(Results)


def results_to_json(results: Results, *, whole: bool = True) -> bytes:
    """results.json: UTF-8, one record per cell; numbers that are not finite become null. Not `whole`: without
    fields that have their default, which reads the same and takes less room.
    """
    try:
        return _results().dump_json(results, indent=1, exclude_defaults=not whole) + b"\n"
    except PydanticSerializationError:  # half characters, which farm.run.record lets in nowhere
        return results_to_json(changed(results, writable), whole=whole)


def results_to_dict(results: Results, *, whole: bool = True) -> dict[str, Any]:
    """The same as plain values, for `--json` and the report."""
    value: dict[str, Any] = from_json(results_to_json(results, whole=whole))
    return value


def results_from_json(data: bytes, source: str) -> Results:
    """Any published version of results.json. Raises RequestError for anything else."""
    try:
        value = from_json(data)
    except ValueError as error:
        raise RequestError(f"not a results file: not JSON: {error}", source=source, hint=READABLE) from error
    upgraded = _upgraded(value, source) if isinstance(value, dict) else value
    try:
        return _results().validate_python(upgraded)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(
            f"not a results file: {where or 'top'}: {first['msg']}", source=source, hint=READABLE
        ) from error


READABLE = "farm runs list shows the runs that can be read"


def results_schema() -> dict[str, Any]:
    """JSON Schema of results.json, as in docs/schema."""
    return _results().json_schema()


# --------------------------------------------------------------------------- earlier versions


def _preparations_for_stages(value: dict[str, Any]) -> None:
    """Version 1 called the preparations of a cell its stages."""
    cells = value.get("cells")
    for cell in cells if isinstance(cells, list) else ():
        if isinstance(cell, dict) and "stages" in cell:
            cell["preparations"] = cell.pop("stages")


def _nothing(_value: dict[str, Any]) -> None:
    """Version 3 only added what has defaults."""


UPGRADES: dict[int, Callable[[dict[str, Any]], None]] = {1: _preparations_for_stages, 2: _nothing}
"""By version: the upgrade to the next one, in place. tests/data/results has a file of each version."""


def _upgraded(value: dict[str, Any], source: str) -> dict[str, Any]:
    """The same in the current version. Raises RequestError for a version that this farm does not know."""
    version = value.get("schema_version")
    if not isinstance(version, int):
        raise RequestError("not a results file: schema_version is missing", source=source, hint=READABLE)
    while version in UPGRADES:
        UPGRADES[version](value)
        version += 1
    if version != SCHEMA_VERSION:
        raise RequestError(
            f"unsupported schema version {version}; this farm reads versions 1 to {SCHEMA_VERSION}",
            source=source,
            hint="use the version of farm that wrote it, or run the bench again",
        )
    return value | {"schema_version": version}
