"""The values of a tensor of any of MegEngine's types, part by part, in double precision. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from farm.dumps.tensor import LOW_BITS, row_bytes

Array = NDArray[Any]


class Flat(Protocol):
    """Values in one dimension: an array, or a file of which parts are read."""

    @property
    def size(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    def __getitem__(self, part: Any, /) -> Any: ...


@dataclass(frozen=True)
class Values:
    """A tensor. `flat` has its values as they are stored (bfloat16 as uint16); of types smaller than a byte
    it has the bytes. With a `scale`, a stored `q` means `(q - zero_point) * scale`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    flat: Flat
    scale: float | None = None
    zero_point: int = 0


def count_of(values: Values) -> int:
    """How many values there are."""
    return math.prod(values.shape) if values.dtype in LOW_BITS else values.flat.size


def stored(values: Values, start: int, stop: int) -> Array:
    """Values `[start, stop)` as they are stored; those below a byte as small integers."""
    if values.dtype in LOW_BITS:
        return _unpacked(values, start, min(stop, count_of(values)))
    part: Array = values.flat[start:stop]
    return part


def widened(values: Values, part: Array) -> Array:
    """A part of the values in double precision, as real numbers where there is a scale."""
    if values.dtype == "bfloat16" and part.dtype == np.uint16:
        return (part.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    wide: Array = part.astype(np.complex128 if part.dtype.kind == "c" else np.float64)
    if values.scale is not None:
        wide -= values.zero_point
        wide *= values.scale
    return wide


def _unpacked(values: Values, start: int, stop: int) -> Array:
    """Values below a byte: megbrain's src/core/impl/dtype.cpp, LowbitMemcpy."""
    bits = LOW_BITS[values.dtype]
    columns = values.shape[-1] if values.shape else 1
    whole = (count_of(values) * bits + 7) // 8
    has_rows = values.flat.size != whole  # each starts on a byte of its own
    places = np.arange(start, stop)
    row, column = np.divmod(places, columns) if has_rows else (np.int64(0), places)
    at = row * row_bytes(values.shape, bits) + column * bits // 8
    if not at.size:
        return np.empty(0, np.int8)
    raw = values.flat[int(at[0]) : int(at[-1]) + 1]
    found = (raw[at - at[0]] >> (column * bits % 8).astype(np.uint8)) & ((1 << bits) - 1)
    signed: Array = found.astype(np.int8)
    if values.dtype == "qint4":
        signed[signed > 7] -= 16
    elif values.dtype.startswith("intb"):
        signed = signed * 2 - ((1 << bits) - 1)
    return signed


class Bits(NamedTuple):
    """A floating-point type: the integer of its size, and the bits of its mantissa."""

    integer: str
    mantissa: int


BITS = {
    "float64": Bits("i8", 52),
    "float32": Bits("i4", 23),
    "float16": Bits("i2", 10),
    "bfloat16": Bits("i2", 7),
}


def ulps(ours: Array, theirs: Array, bits: Bits) -> Array:
    """Values of the type from one to the other; -1 where one is zero, subnormal or not finite, or the signs
    differ: there the number says nothing.
    """
    one, other = (part.view(bits.integer).astype(np.int64) for part in (ours, theirs))
    width = 8 * np.dtype(bits.integer).itemsize
    top = ((1 << (width - 1 - bits.mantissa)) - 1) << bits.mantissa
    is_normal = [((part & top) != 0) & ((part & top) != top) for part in (one, other)]
    return np.where(is_normal[0] & is_normal[1] & ((one ^ other) >= 0), np.abs(one - other), -1)
