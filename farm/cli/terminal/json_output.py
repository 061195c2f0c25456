"""What a command with --json prints. Without rich, which takes longer to import than a device to answer."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any


def show_json(value: Any) -> None:
    """Print JSON on stdout; a command with --json prints nothing else there."""
    print(json.dumps(value, indent=1, default=_fields))  # noqa: T201 - rich would wrap it


def _fields(value: Any) -> Any:
    """Of a dataclass, not copied as `asdict` would; the text of anything else that JSON does not know."""
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return str(value)
