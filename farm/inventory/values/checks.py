"""`--check` and `--tolerance [DTYPE=]RTOL[,ATOL]`."""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.analysis.tolerances import DEFAULTS, kind_of
from farm.errors import RequestError
from farm.model.outputs import ANY_DTYPE, Check, Tolerance
from farm.suggest import nearest

EXAMPLE = "write --tolerance 1e-2 for all types, or --tolerance float32=1e-3,1e-5 (rtol,atol) for one"


def parse_check(text: str | None) -> Check | None:
    """Raises RequestError for what is no word of it."""
    if text is None:
        return None
    if text not in list(Check):
        raise RequestError(
            f"--check {text}: unknown{nearest(text, list(Check))}", hint="use --check outputs, all or off"
        )
    return Check(text)


def parse_tolerances(texts: Sequence[str]) -> tuple[Tolerance, ...]:
    """The tolerances, one for a type. Raises RequestError."""
    found: dict[str, Tolerance] = {}
    for text in texts:
        one = _parsed(text)
        if one.dtype in found:
            raise RequestError(
                f"--tolerance {text}: a second one for {_shown(one.dtype)}", hint="remove one of them"
            )
        found[one.dtype] = one
    return tuple(found.values())


def _parsed(text: str) -> Tolerance:
    name, is_named, numbers = text.rpartition("=")
    dtype = name.strip() if is_named else ANY_DTYPE
    if dtype != ANY_DTYPE and dtype not in DEFAULTS and kind_of(dtype) not in ("integer", "bool"):
        known = [*DEFAULTS, "int8", "uint8", "int16", "uint16", "int32", "bool"]
        raise RequestError(f"--tolerance {text}: unknown type {dtype!r}{nearest(dtype, known)}", hint=EXAMPLE)
    parts = [_number(text, part) for part in numbers.split(",")]
    if len(parts) > 2:
        raise RequestError(f"--tolerance {text}: more than two numbers", hint=EXAMPLE)
    return Tolerance(dtype, parts[0], parts[1] if len(parts) > 1 else 0.0)


def _number(text: str, part: str) -> float:
    try:
        value = float(part)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise RequestError(f"--tolerance {text}: {part.strip()!r} is not a number of 0 or more", hint=EXAMPLE)
    return value


def _shown(dtype: str) -> str:
    return "all types" if dtype == ANY_DTYPE else dtype
