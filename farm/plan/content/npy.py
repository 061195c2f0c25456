"""`.npy` files as load_and_run reads them: f4 i4 i2 u2 i1 u1 in C order, little endian, version 1.

Bytes in, bytes and notes out. numpy is imported where a file needs it: most are in that form already.
"""

from __future__ import annotations

import io
import math
import re
import tokenize
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from farm.errors import RequestError

if TYPE_CHECKING:  # a tenth of a second, and most inputs are in a form that needs no conversion
    import numpy as np

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

NPY_TYPES = ("float32", "int32", "int16", "uint16", "int8", "uint8")
"""What the program reads from a .npy, in the names of `--model-info`."""

NARROWER = {
    "float64": "float32",
    "float16": "float32",
    "int64": "int32",
    "uint32": "int32",
    "uint64": "int32",
}
NARROWER |= {"bool": "uint8", "double": "float32", "int16": "int32", "uint16": "int32"}
MAX_HEADER_BYTES = 1 << 16
_LARGEST_INTEGER = 1 << 53
"""Larger integers are not exact in float64, which integers are compared in."""

DAMAGED = (ValueError, EOFError, SyntaxError, TypeError, tokenize.TokenError, RecursionError, MemoryError)
"""What numpy raises for a header that is none: it is read as Python."""

_PLAIN_TYPES = {
    b"<f4": ("float32", 4), b"<i4": ("int32", 4), b"<i2": ("int16", 2), b"<u2": ("uint16", 2),
    b"|i1": ("int8", 1), b"|u1": ("uint8", 1),
}  # fmt: skip
"""Types of a .npy that go to the program as they are: name, and bytes of a number."""

_PLAIN = re.compile(
    rb"\x93NUMPY\x01\x00(..)\{'descr': '([<|][fiu][124])', 'fortran_order': False, "
    rb"'shape': \(([1-9][0-9]{0,9}(?:, [1-9][0-9]{0,9}){0,31}),?\), \} *\n",
    re.DOTALL,
)
"""The beginning of a .npy as numpy itself writes it, which numpy needs not read again."""


@dataclass(frozen=True)
class Content:
    """One tensor in a file: `tensor` is None where the file does not name it."""

    tensor: str | None
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Prepared:
    """A file as it is sent to a device: `data` is the same object when nothing was changed."""

    data: bytes
    contents: tuple[Content, ...]
    notes: tuple[str, ...] = ()


def read_npy(name: str, data: bytes, model_dtype: str | None = None) -> Prepared:
    """The file in the model's type where one is given. Raises RequestError where that loses numbers."""
    plain = plain_content(data)
    if plain is not None and model_dtype in (None, plain.dtype):
        return Prepared(data, (plain,))
    return converted_npy(name, data, model_dtype)


def plain_content(data: bytes) -> Content | None:
    """What a .npy holds that is in the program's own form already; None for all that numpy has to read."""
    found = _PLAIN.match(data[:MAX_HEADER_BYTES])
    known = _PLAIN_TYPES.get(found[2]) if found else None
    if found is None or known is None:
        return None
    shape = tuple(int(size) for size in found[3].split(b","))
    header_ends = 10 + int.from_bytes(found[1], "little")
    is_whole = len(data) == header_ends + known[1] * math.prod(shape)
    return Content(None, known[0], shape) if is_whole and found.end() == header_ends else None


def converted_npy(name: str, data: bytes, model_dtype: str | None) -> Prepared:
    """The file as numpy reads it, written anew unless the program reads it as it is."""
    import numpy as np

    array = _load(name, data)
    notes: list[str] = []
    own = array.dtype.name if array.dtype.name in NPY_TYPES else NARROWER.get(array.dtype.name)
    if own is None:
        raise RequestError(
            f"{name} has the data type {array.dtype.name}, which inputs do not support",
            hint="use float32 or int32",
        )
    wanted = model_dtype or own
    if wanted != array.dtype.name:
        whose = "the model's " if model_dtype else ""
        notes.append(f"{name}: {array.dtype.name} converted to {whose}{wanted}")
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        notes.append(f"{name}: Fortran order converted to C order")
    if array.dtype.byteorder == ">":
        notes.append(f"{name}: bytes swapped to little endian")
    version = data[6]
    plain = array.ndim > 0 and version == 1 and not notes
    made = array if plain else np.atleast_1d(converted(name, array, wanted))
    return Prepared(data if plain else save(made), contents_of(made), tuple(notes))


def _load(name: str, data: bytes) -> Array:
    if data.startswith(b"PK"):
        raise RequestError(
            f"{name} is a .npz file, which may have several arrays", hint="save one array with numpy.save"
        )
    import numpy as np

    try:
        array: Array = np.load(io.BytesIO(data), allow_pickle=False, max_header_size=MAX_HEADER_BYTES)
    except Exception as error:  # noqa: BLE001 - its parsers of headers let many kinds through
        words = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RequestError(f"{name} cannot be read as .npy: {words[:160]}") from None
    return array


def converted(name: str, array: Array, dtype: str) -> Array:
    """The array in `dtype`, little endian and C order; its numbers must stay the same."""
    import numpy as np

    target = np.dtype(dtype).newbyteorder("<")
    if target.kind == "f" and array.dtype.kind in "iu":
        wide = array.astype(np.float64)
        if np.any((np.abs(wide) >= _LARGEST_INTEGER) | (wide.astype(target) != wide)):
            raise RequestError(
                f"{name} has integers that {dtype} cannot represent exactly",
                hint=f"save them as {dtype}",
            )
    if target.kind in "iu":
        limits = np.iinfo(target)
        bad = ~np.isfinite(array) | (array < limits.min) | (array > limits.max) if array.size else np.zeros(0)
        if np.any(bad) or (array.dtype.kind == "f" and np.any(array != np.trunc(array))):
            raise RequestError(
                f"{name} has numbers that {dtype} cannot represent", hint="check the type of the data"
            )
    with np.errstate(over="ignore"):
        made = np.ascontiguousarray(array, target)
    if target.kind == "f" and np.any(np.isinf(made) & np.isfinite(array)):
        raise RequestError(f"{name} has numbers beyond the range of {dtype}")
    return made.reshape(array.shape)


def save(array: Array) -> bytes:
    """An array as a .npy of version 1."""
    import numpy as np

    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def contents_of(array: Array) -> tuple[Content, ...]:
    return (Content(None, array.dtype.name, array.shape),)
