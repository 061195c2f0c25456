"""Binary tensors, as `--bin-io-dump` and `--bin-out-dump` write them (src/core/impl/utils/debug.cpp).

Little endian: u32 length of the name, u32 dtype, u32 number of dimensions (7), u32 shape[7] padded with
zeros, the name, the data to the end of the file.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from farm.dumps.malformed import MalformedError

if TYPE_CHECKING:  # heads are read without numpy, which takes longer to import than they take to read
    import numpy as np
    from numpy.typing import NDArray

MAX_NAME_BYTES = 1 << 20
MAX_DIMENSIONS = 16
HEAD_BYTES = 12 + 4 * MAX_DIMENSIONS + MAX_NAME_BYTES
"""The longest head."""

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
    100006: ("qint1", "i1"),
}
"""MegEngine's number of a type -> its name and numpy's; None where values are smaller than a byte."""

LOW_BITS = {"intb1": 1, "intb2": 2, "intb4": 4, "uintb4": 4, "quint4": 4, "qint4": 4}
"""Bits of a value of the types that are smaller than a byte; the first value is in the lowest bits."""

OTHER_ORDER = 7 << 24
"""The number of dimensions of every dump, as a machine of the other byte order writes it."""

MOST_INPUTS = 10_000
MOST_VALUES = 1 << 58
"""Times the largest value, and less than what numpy counts with."""

_VARIABLE = re.compile(r"var=\{id:(\d{1,12}),")
_INPUT = re.compile(r"(?:^|[ =])(?:\d{1,6}=)?\{id:(\d{1,12}), (?:layout|shape):")
_SCALE = re.compile(
    r"Quantized\w{1,12}[({<] ?(?:scale[:=] ?)?([0-9][0-9.eE+-]{0,30})"
    r"(?:, ?(?:zero_point[:=] ?)?(\d{1,5}))?"
)
_NAME_SHOWN_CHARS = 2000


@dataclass(frozen=True)
class TensorHead:
    """What stands before the values of a dumped variable. They are from byte `start` on, in numpy's type
    `storage` (None: smaller than a byte).

    `variable` is the id in the graph, `name` and `owner` are the variable's and its operator's (the latter
    `NAME{Type}`); `inputs` are the ids of what the operator read. A stored integer `q` of a quantised type
    means `(q - zero_point) * scale`; `scale` is None where the dump does not have it, as that of MegEngine
    1.13.
    """

    variable: int | None
    name: str
    owner: str
    dtype: str
    shape: tuple[int, ...]
    storage: str | None
    start: int
    inputs: tuple[int, ...] = ()
    scale: float | None = None
    zero_point: int = 0

    @property
    def operator(self) -> tuple[str, str]:
        """Name and type of what made it."""
        name, _, type_ = self.owner.removesuffix("}").rpartition("{")
        return name, type_


@dataclass(frozen=True)
class Tensor:
    """One dumped variable. `values` has the tensor's shape; quantised types hold the stored integers,
    bfloat16 is widened to float32, and types smaller than a byte are None. The rest is TensorHead's.
    """

    variable: int | None
    name: str
    owner: str
    dtype: str
    shape: tuple[int, ...]
    values: NDArray[np.generic] | None


def parse_head(begin: bytes, size_bytes: int) -> TensorHead:
    """The head of a dump file of `size_bytes`, from its first HEAD_BYTES or all that it has.

    Raises MalformedError when the sizes in it do not add up.
    """
    if len(begin) < 12:
        raise MalformedError("dumped tensor: truncated header")
    name_bytes, dtype, dimensions = struct.unpack_from("<3I", begin)
    if dimensions == OTHER_ORDER:
        raise MalformedError("dumped tensor: written in the other byte order (big-endian)")
    start = 12 + 4 * dimensions
    if dimensions > MAX_DIMENSIONS or name_bytes > MAX_NAME_BYTES or start + name_bytes > len(begin):
        raise MalformedError("dumped tensor: impossible header")
    if dtype not in _DTYPES:
        raise MalformedError(f"dumped tensor: unknown type {dtype}")
    text = begin[start : start + name_bytes].decode("utf-8", "replace")
    variable, name, owner, rest = _described(text)
    type_name, storage = _DTYPES[dtype]
    values_bytes = size_bytes - start - name_bytes
    shape = _shape(struct.unpack_from(f"<{dimensions}I", begin, 12), is_empty=values_bytes == 0)
    if values_bytes not in _sizes_bytes(type_name, storage, shape):
        raise MalformedError(f"dumped tensor of shape {shape} ({type_name}): {values_bytes} bytes of data")
    if (
        math.prod(filter(None, shape)) > MOST_VALUES
    ):  # of a shape without values, too: numpy has no such array
        raise MalformedError(f"dumped tensor: impossible shape {shape}")
    inputs = tuple(int(number) for number in islice(_INPUT.findall(rest), MOST_INPUTS))
    scale, zero_point = _scale(text, type_name)
    return TensorHead(
        variable, name, owner, type_name, shape, storage, start + name_bytes, inputs, scale, zero_point
    )


def item_bytes(storage: str) -> int:
    """Bytes of a stored value of one of numpy's types that this format has (`<f4`, `u1`, `<c8`)."""
    return int(storage[-1])


def row_bytes(shape: tuple[int, ...], bits: int) -> int:
    """Bytes of a row of the last dimension where each starts on a byte of its own."""
    return ((shape[-1] if shape else 1) * bits + 7) // 8


def _sizes_bytes(dtype: str, storage: str | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """How many bytes such values may take: values below a byte stand without gaps, or each row on a byte."""
    count = math.prod(shape)
    if storage is not None:
        return (count * item_bytes(storage),)
    bits = LOW_BITS[dtype]
    rows = count // shape[-1] if shape and shape[-1] else 0
    return (count * bits + 7) // 8, rows * row_bytes(shape, bits)


def _scale(text: str, dtype: str) -> tuple[float | None, int]:
    """(scale, zero point) in the layout of the variable itself, if it is quantised."""
    if not dtype.startswith(("qint", "quint")):
        return None, 0
    found = _SCALE.search(text.partition(", owner:")[0][:_NAME_SHOWN_CHARS])
    try:
        scale = float(found[1]) if found else math.nan
    except ValueError:
        scale = math.nan
    if found is None or not 0 < scale < math.inf:
        return None, 0
    return scale, int(found[2] or 0)


def _shape(padded: tuple[int, ...], *, is_empty: bool) -> tuple[int, ...]:
    """Without the zeros after it. A tensor without elements has a zero of its own, where it can be told."""
    ends = padded.index(0) if 0 in padded else len(padded)
    if is_empty and (ends == 0 or any(padded[ends:])):
        used = max((place for place, size in enumerate(padded) if size), default=0)
        return padded[: used + 1]
    return padded[:ends]


def parse_tensor(data: bytes) -> Tensor:
    """The tensor in a dump file. Raises MalformedError when the sizes in it do not add up."""
    head = parse_head(data, len(data))
    values = None if head.storage is None else _values(data[head.start :], head)
    return Tensor(head.variable, head.name, head.owner, head.dtype, head.shape, values)


def _described(text: str) -> tuple[int | None, str, str, str]:
    """(id, name, owner, what the owner read) in
    `var={id:76, layout:.., Float32, owner:O{Type}, name:N, slot:0, ..} owner_opr_inputs=0={id:3, ..} ..`.

    Split at the words between them, not matched: a long hostile text could make matching slow.
    """
    found = _VARIABLE.match(text)
    owner, named, rest = text.partition(", owner:")[2].partition(", name:")
    name, slotted, rest = rest.partition(", slot:")
    if not (found and named and slotted):
        return None, text, "", ""
    return int(found[1]), name, owner, rest.partition("owner_opr_inputs=")[2]


def _values(raw: bytes, head: TensorHead) -> NDArray[np.generic]:
    import numpy as np

    values = np.frombuffer(raw, head.storage).reshape(head.shape)
    if head.dtype == "bfloat16":
        return (values.astype(np.uint32) << 16).view(np.float32)
    return values.astype(np.bool_) if head.dtype == "bool" else values
