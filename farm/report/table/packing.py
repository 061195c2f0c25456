"""A small column store: distinct texts once, a number per row, and the whole as one text for a page."""

from __future__ import annotations

import gzip
import json
import math
from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

from farm.visible import one_line

LONGEST_TEXT = 400
"""Characters of a text that a table shows; the whole text is in the details of its cell."""

LEVEL = 6
"""Of gzip: 9 takes three times as long for 2 % less."""


def texts(column: Iterable[str | None], *, is_exact: bool = False) -> dict[str, Any]:
    """A column of texts: in `values` each distinct one, on one line, visible and short; in `codes` per row
    the number of its value, or one number where all have the same. Number 0 is no text.

    `is_exact`: they are visible already, and must stay as they are.
    """
    numbers: dict[str, int] = {"": 0}
    codes = [numbers.setdefault(text or "", len(numbers)) for text in column]
    values = list(numbers) if is_exact else [one_line(text, LONGEST_TEXT) for text in numbers]
    return {"values": values, "codes": constant(codes)}


def constant(values: Sequence[Any]) -> Any:
    """The values, or the only one of all of them."""
    return values[0] if values and all(value == values[0] for value in values) else list(values)


def digits(value: float | None, number: int) -> float | int | None:
    """A value with so many significant digits; None where JSON has no word for it."""
    if value is None or not math.isfinite(value):
        return None
    short = float(f"{value:.{number}g}")
    return int(short) if short.is_integer() and abs(short) < 1e15 else short


def packed(data: Any) -> str:
    """JSON, compressed with gzip (without a time, so that the same run gives the same text), as base64."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), LEVEL, mtime=0)).decode()
