"""An option of the catalogue as JSON."""

from __future__ import annotations

from typing import Any

from farm.options.row import Option


def as_json(row: Option) -> dict[str, Any]:
    return {
        "name": row.name,
        "flag": row.flag,
        "group": row.group,
        "type": row.kind,
        "default": row.default,
        "help": row.help,
        "aliases": row.aliases,
        "misspellings": row.misspellings,
        "round": row.round_kind,
        "reads": row.reads,
        "writes": row.writes,
        "native": {"works": row.native.works, "why": row.native.why},
        "wheel": {"works": row.wheel.works, "why": row.wheel.why},
        "traps": row.traps,
    }
