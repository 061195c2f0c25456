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


class Texts:
    """A column of texts: each distinct one is kept once, made visible and short. Number 0 is no text."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {"": 0}
        self._codes: list[int] = []

    def add(self, text: str | None) -> None:
        self._codes.append(self._numbers.setdefault(text or "", len(self._numbers)))

    def column(self) -> dict[str, Any]:
        """`values`, and per row the number of its value in `codes`; one number where all rows have the same."""
        values = [one_line(text, LONGEST_TEXT) for text in self._numbers]
        return {"values": values, "codes": constant(self._codes)}


def texts(column: Iterable[str | None]) -> dict[str, Any]:
    made = Texts()
    for text in column:
        made.add(text)
    return made.column()


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
