"""Round values as bytes: float64, little-endian. A column for each would take five times the room."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable

SIZE = 8


def packed(values_ms: Iterable[float]) -> bytes:
    values = array("d", values_ms)
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def unpacked(data: bytes) -> tuple[float, ...]:
    """What is no whole number of values is cut."""
    values = array("d", bytes(data[: len(data) // SIZE * SIZE]))
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)
