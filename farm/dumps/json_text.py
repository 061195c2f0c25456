"""JSON from a device: bounded in size, every field checked for its type."""

from __future__ import annotations

import json
from typing import Any

from farm.dumps.malformed import MalformedError

MAX_CHARS = 256 << 20


def load_object(text: str, what: str) -> dict[str, Any]:
    """A JSON object. Raises MalformedError for anything else."""
    if len(text) > MAX_CHARS:
        raise MalformedError(f"{what} is too large ({len(text)} characters)")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"{what} is not JSON: {type(error).__name__}") from None
    return as_object(value)


def as_object(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def as_count(value: object) -> int | None:
    """A whole number that is not negative, from a number or digits; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and value >= 0 else None
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else None
