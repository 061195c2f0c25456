"""Nouns to JSON and back, checked: a file that does not fit is refused, never half-read."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from farm.errors import RequestError
from farm.model.run import SCHEMA_VERSION, Results

_RESULTS: TypeAdapter[Results] = TypeAdapter(Results)


def results_to_json(results: Results) -> bytes:
    """results.json: UTF-8, one record per cell; numbers that are not finite become null."""
    return _RESULTS.dump_json(results, indent=1) + b"\n"


def results_to_dict(results: Results) -> dict[str, Any]:
    """The same as plain values, for `--json`."""
    value: dict[str, Any] = _RESULTS.dump_python(results, mode="json")
    return value


def results_from_json(data: bytes, source: str) -> Results:
    """Raises RequestError when `data` is not a results.json of a version that this farm reads."""
    try:
        results = _RESULTS.validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RequestError(
            f"not a results file: {where or 'top'}: {first['msg']}",
            source=source,
            hint="farm runs list shows the runs that can be read",
        ) from error
    if results.schema_version != SCHEMA_VERSION:
        raise RequestError(
            f"schema version {results.schema_version}; this farm reads version {SCHEMA_VERSION}",
            source=source,
            hint="use the farm that made it, or run the bench again",
        )
    return results


def results_schema() -> dict[str, Any]:
    """JSON Schema of results.json, as in docs/schema."""
    return _RESULTS.json_schema()
