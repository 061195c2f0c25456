"""The text that `--io-dump` writes: variables with five values and their statistics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_LINE_CHARS = 1 << 16
MOST_INPUTS = 10_000

_START = re.compile(r"var(\d{1,12}) produced: name=")
_INPUT = re.compile(r"  \[i\d{1,6}\]var(\d{1,12}): .*")
_VALUES = re.compile(
    r" val: \[(?P<head>[^\]]*)\]\s*min=(?P<min>\S+) max=(?P<max>\S+) mean=(?P<mean>\S+)"
    r" l2=(?P<l2>\S+) sd=(?P<sd>\S+) [sd]"
)
_SIZE = re.compile(r"(\d{1,12})\(-?\d{1,12}\)")


@dataclass(frozen=True)
class Variable:
    """One variable of one run, in the order of computation.

    `head` are its first values; a statistic is None where the dump has none (`N/A`, nan).
    """

    id: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    operator: str
    operator_type: str
    inputs: tuple[int, ...]
    head: tuple[float, ...]
    minimum: float | None
    maximum: float | None
    mean: float | None
    l2: float | None
    deviation: float | None


def parse_io_text(text: str) -> tuple[Variable, ...]:
    """All variables whose entry is whole, over all runs in the text. Other lines are skipped."""
    return tuple(variables(text.split("\n")[:-1]))


def variables(lines: Iterable[str]) -> Iterator[Variable]:
    """The same of whole lines, one by one: memory does not grow with the text."""
    produced: _Produced | None = None
    inputs: list[int] = []
    for line in lines:
        line = line.rstrip("\r\n")  # noqa: PLW2901 - the same line
        if len(line) > MAX_LINE_CHARS:
            continue
        started, named, valued = _produced(line), _INPUT.fullmatch(line), _VALUES.fullmatch(line)
        if started:
            produced, inputs = started, []
        elif named and len(inputs) < MOST_INPUTS:
            inputs.append(int(named[1]))
        elif valued and produced:
            yield _variable(produced, tuple(inputs), valued)
            produced = None


@dataclass(frozen=True)
class _Produced:
    id: int
    name: str
    layout: str
    operator: str
    operator_type: str


def _produced(line: str) -> _Produced | None:
    """`var7 produced: name=N layout={.. Type} owner_opr=O{Type} opr6`, None for another line.

    Split at the words between the parts, not matched: a name may contain anything.
    """
    started = _START.match(line)
    if started is None:
        return None
    name, layout_found, rest = line[started.end() :].partition(" layout={")
    layout, owner_found, rest = rest.partition("} owner_opr=")
    owner, end_found, number = rest.rpartition("} opr")
    operator, type_found, operator_type = owner.rpartition("{")
    if not (layout_found and owner_found and end_found and type_found and number.isdigit()):
        return None
    return _Produced(int(started[1]), name, layout, operator, operator_type)


def _variable(produced: _Produced, inputs: tuple[int, ...], valued: re.Match[str]) -> Variable:
    head = (_number(word) for word in valued["head"].split(","))
    return Variable(
        id=produced.id,
        name=produced.name,
        shape=tuple(int(size) for size in _SIZE.findall(produced.layout)),
        dtype=produced.layout.rpartition(" ")[2],
        operator=produced.operator,
        operator_type=produced.operator_type,
        inputs=inputs,
        head=tuple(number for number in head if number is not None),
        minimum=_number(valued["min"]),
        maximum=_number(valued["max"]),
        mean=_number(valued["mean"]),
        l2=_number(valued["l2"]),
        deviation=_number(valued["sd"]),
    )


def _number(word: str) -> float | None:
    try:
        number = float(word[:40])
    except ValueError:
        return None
    return number if math.isfinite(number) else None
