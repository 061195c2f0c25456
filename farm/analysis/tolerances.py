"""How far two outputs of one type may differ, as data."""

from __future__ import annotations

from collections.abc import Sequence

from farm.model.outputs import ANY_DTYPE, Tolerance

DEFAULTS = {
    one.dtype: one
    for one in (
        Tolerance("float64", 1e-3, 1e-5),
        Tolerance("float32", 1e-3, 1e-5),
        Tolerance("complex64", 1e-3, 1e-5),
        Tolerance("float16", 1e-2, 1e-3),
        Tolerance("bfloat16", 5e-2, 1e-2),
        *(Tolerance(name, 0.0, 1.0) for name in ("quint8", "qint8", "qint16", "qint32")),
    )
}
"""float32 as in MegEngine's compare_binary_iodump.py; half precision by its last bits; quantised types by one
step of their scale at most (a dump has no scale). All other types are exact.
"""

FLOATS = frozenset({"float64", "float32", "float16", "bfloat16"})
INTEGERS = frozenset(
    {"uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "byte"}
    | {"quint8", "qint8", "qint16", "qint32"}
)


def tolerance_for(dtypes: Sequence[str], stated: Sequence[Tolerance] = ()) -> tuple[Tolerance, bool]:
    """The tolerance between two outputs of these types, the wider one where they differ; and whether the user
    stated it.
    """
    by_dtype = {one.dtype: one for one in stated}
    found = [_of(dtype, by_dtype) for dtype in dtypes]
    return max(found, key=lambda one: (one[0].rtol, one[0].atol))


def _of(dtype: str, stated: dict[str, Tolerance]) -> tuple[Tolerance, bool]:
    if dtype in stated:
        return stated[dtype], True
    if ANY_DTYPE in stated:
        return stated[ANY_DTYPE], True
    return DEFAULTS.get(dtype, Tolerance(dtype, 0.0, 0.0)), False


def kind_of(dtype: str) -> str:
    """Types of one kind can be compared by value."""
    if dtype in FLOATS:
        return "float"
    return "integer" if dtype in INTEGERS else dtype
