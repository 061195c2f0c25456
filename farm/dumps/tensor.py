"""Binary tensors, as `--bin-io-dump` and `--bin-out-dump` write them (src/core/impl/utils/debug.cpp).

Little endian: u32 length of the name, u32 dtype, u32 number of dimensions (7), u32 shape[7] padded with
zeros, the name, the data to the end of the file.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.dumps.malformed import MalformedError

MAX_NAME_BYTES = 1 << 20
MAX_DIMENSIONS = 16

_DTYPES: dict[int, tuple[str, str | None]] = {
    0: ("float32", "<f4"),
    1: ("uint8", "u1"),
    2: ("int8", "i1"),
    3: ("int16", "<i2"),
    4: ("int32", "<i4"),
    5: ("intb1", None),
    6: ("intb2", None),
    7: ("intb4", None),
    8: ("byte", "u1"),
    9: ("float16", "<f2"),
    10: ("uintb4", None),
    11: ("bfloat16", "<u2"),
    12: ("bool", "u1"),
    13: ("uint16", "<u2"),
    14: ("complex64", "<c8"),
    100000: ("quint8", "u1"),
    100001: ("qint32", "<i4"),
    100002: ("qint8", "i1"),
    100003: ("quint4", None),
    100004: ("qint4", None),
    100005: ("qint16", "<i2"),
    100006: ("qint1", None),
}
"""MegEngine's number of a type -> its name and numpy's; None where values are smaller than a byte."""

_VARIABLE = re.compile(r"var=\{id:(\d{1,12}),")
_OUT_FILE = re.compile(r"run(\d{1,9})-var(\d{1,12})")
_IO_FILE = re.compile(r"[0-9a-f]{6,12}")


@dataclass(frozen=True)
class Tensor:
    """One dumped variable. `values` has the tensor's shape; quantised types hold the stored integers,
    bfloat16 is widened to float32, and types smaller than a byte are None.

    `variable` is the id in the graph, `name` and `owner` are the variable's and its operator's.
    """

    variable: int | None
    name: str
    owner: str
    dtype: str
    shape: tuple[int, ...]
    values: NDArray[np.generic] | None


def parse_tensor(data: bytes) -> Tensor:
    """The tensor in a dump file. Raises MalformedError when the sizes in it do not add up."""
    if len(data) < 12:
        raise MalformedError("dumped tensor: truncated header")
    name_bytes, dtype, dimensions = struct.unpack_from("<3I", data)
    start = 12 + 4 * dimensions
    if dimensions > MAX_DIMENSIONS or name_bytes > MAX_NAME_BYTES or start + name_bytes > len(data):
        raise MalformedError("dumped tensor: impossible header")
    if dtype not in _DTYPES:
        raise MalformedError(f"dumped tensor: unknown type {dtype}")
    padded = struct.unpack_from(f"<{dimensions}I", data, 12)
    shape = padded[: padded.index(0)] if 0 in padded else padded
    text = data[start : start + name_bytes].decode("utf-8", "replace")
    variable, name, owner = _described(text)
    type_name, numpy_name = _DTYPES[dtype]
    return Tensor(
        variable=variable,
        name=name,
        owner=owner,
        dtype=type_name,
        shape=shape,
        values=None
        if numpy_name is None
        else _values(data[start + name_bytes :], type_name, numpy_name, shape),
    )


def _described(text: str) -> tuple[int | None, str, str]:
    """(id, name, owner) in `var={id:76, layout:.., Float32, owner:O{Type}, name:N, slot:0, ..} ..`.

    Split at the words between them, not matched: a long hostile text could make matching slow.
    """
    found = _VARIABLE.match(text)
    owner, named, rest = text.partition(", owner:")[2].partition(", name:")
    name, slotted, _ = rest.partition(", slot:")
    return (int(found[1]), name, owner) if found and named and slotted else (None, text, "")


def out_file_key(name: str) -> tuple[int, int] | None:
    """(run, variable id) of a file that `--bin-out-dump` wrote, None for another name."""
    found = _OUT_FILE.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def io_file_key(name: str) -> int | None:
    """The variable id of a file that `--bin-io-dump` wrote, None for another name."""
    return int(name, 16) if _IO_FILE.fullmatch(name) else None


def _values(raw: bytes, type_name: str, numpy_name: str, shape: tuple[int, ...]) -> NDArray[np.generic]:
    dtype = np.dtype(numpy_name)
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise MalformedError(f"dumped tensor of shape {shape} ({type_name}): {len(raw)} bytes of data")
    values = np.frombuffer(raw, dtype).reshape(shape)
    if type_name == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.bool_) if type_name == "bool" else values
