"""JSON Schema of an option set, for suites and inventories."""

from __future__ import annotations

from typing import Any

from farm.options.catalogue import CATALOGUE
from farm.options.row import Kind, Option

_TYPES = {Kind.FLAG: "boolean", Kind.INT: "integer", Kind.UINT: "integer", Kind.FLOAT: "number"}


def schema() -> dict[str, Any]:
    """An object with a property for each option, by documented name."""
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {row.name: _property(row) for row in CATALOGUE},
    }


def _property(row: Option) -> dict[str, Any]:
    described: dict[str, Any] = {"description": row.help}
    if row.kind is Kind.CORES:
        return described | {"type": ["string", "integer", "array"], "items": {"type": ["integer", "string"]}}
    described["type"] = _TYPES.get(row.kind, "string")
    if row.choices:
        described["enum"] = list(row.choices)
    if row.pattern:
        described["pattern"] = f"^(?:{row.pattern})?$"
    if row.kind in (Kind.INT, Kind.UINT, Kind.FLOAT):
        if row.minimum is not None:
            low = min(row.minimum, row.default) if isinstance(row.default, int | float) else row.minimum
            described["minimum"] = low
        if row.maximum is not None:
            described["maximum"] = row.maximum
    if row.default is not None:
        described["default"] = row.default
    return described
