"""Values of options from text: conversion by kind, limits."""

from __future__ import annotations

import math
import re

from farm.errors import RequestError
from farm.model.options import Value
from farm.options.row import Kind, Option

TRUE = frozenset({"1", "t", "true", "y", "yes", "on"})
FALSE = frozenset({"0", "f", "false", "n", "no", "off"})
"""The words of gflags for a bool, and on/off."""

TEXT_LIMIT = 1 << 20
CORES_LIMIT = 4096

_KIND_WORDS = {
    Kind.FLAG: "true or false",
    Kind.INT: "a whole number",
    Kind.UINT: "a whole number, not negative",
    Kind.FLOAT: "a number",
    Kind.CORES: "core numbers such as `0,1` or `4-7`, or a core label of the device",
}
_CORE_PART = re.compile(r"(\d{1,4})(?:-(\d{1,4}))?|[A-Za-z][A-Za-z0-9_-]*")


def convert(row: Option, value: Value) -> Value:
    """The value of an option, from text or an already typed value.

    Raises RequestError if it is not of the option's kind, or outside its limits. The option's default is
    always accepted.
    """
    converted = _typed(row, value)
    if converted != row.default:
        _check_limits(row, converted)
    return converted


def _typed(row: Option, value: Value) -> Value:
    text = _plain(value)
    try:
        match row.kind:
            case Kind.FLAG:
                return _flag(text)
            case Kind.INT | Kind.UINT:
                return _whole(text)
            case Kind.FLOAT:
                return _real(text)
            case Kind.CORES:
                return _cores(text)
            case _:
                return _text(row, text)
    except ValueError:
        wanted = _KIND_WORDS.get(row.kind, row.kind.value)
        raise RequestError(f"--{row.name}: {text[:80]!r} is not {wanted}", hint=usage(row)) from None


def usage(row: Option) -> str:
    """How the option is written, e.g. `--iter N`."""
    if row.choices:
        return f"--{row.name} {'|'.join(row.choices)}"
    return f"--{row.name}" if row.is_flag else f"--{row.name} {row.metavar or 'VALUE'}"


def _plain(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def _whole(text: str) -> int:
    if not re.fullmatch(r"\s*[+-]?\d{1,20}\s*", text, re.ASCII):
        raise ValueError
    return int(text)


def _real(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or "_" in text:
        raise ValueError
    return number


def _cores(text: str) -> str:
    """Canonical core list: ranges written out, labels kept. `4-6` -> `4,5,6`."""
    parts: list[str] = []
    for part in text.replace(" ", "").split(","):
        found = _CORE_PART.fullmatch(part)
        if found is None:
            raise ValueError
        if found[1] is None:
            parts.append(part)
            continue
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first or last - first >= CORES_LIMIT:
            raise ValueError
        parts.extend(str(core) for core in range(first, last + 1))
    numbers = [part for part in parts if part.isdigit()]
    if len(numbers) != len(set(numbers)):
        raise ValueError
    return ",".join(parts)


def _text(row: Option, text: str) -> str:
    if "\0" in text or len(text) > TEXT_LIMIT:
        raise ValueError
    if not text and row.kind is not Kind.TEXT:
        raise RequestError(f"--{row.name} needs a value", hint=usage(row))
    if row.choices and text not in row.choices:
        raise RequestError(
            f"--{row.name}: {text[:80]!r} is not one of {', '.join(row.choices)}", hint=usage(row)
        )
    if text and row.pattern and not re.fullmatch(row.pattern, text, re.ASCII):
        raise RequestError(f"--{row.name}: {text[:80]!r} is not of the form {row.metavar}", hint=usage(row))
    return text


def _check_limits(row: Option, value: Value) -> None:
    if isinstance(value, str):
        return
    low, high = row.minimum, row.maximum
    if low is not None and value < low:
        because = f" ({row.limit_reason})" if row.limit_reason else ""
        raise RequestError(f"--{row.name} {value} is less than {low:g}{because}", hint=usage(row))
    if high is not None and value > high:
        raise RequestError(f"--{row.name} {value} is more than {high:g}", hint=usage(row))
