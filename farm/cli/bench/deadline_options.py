"""`--deadline NAME=S`: each limit on a wait that has no option of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines, by_name
from farm.suggest import nearest

OPEN = {name: row for name, row in by_name().items() if not row.metadata["option"]}
MAY_BE_0 = {name for name, row in OPEN.items() if row.metadata["may_be_0"]}


def names_help() -> str:
    """The names with their defaults."""
    return "Names: " + ", ".join(f"{name} ({row.default:g})" for name, row in OPEN.items()) + "."


def with_deadlines(given: Deadlines, words: Iterable[str]) -> Deadlines:
    """`given` with each NAME=S in it. Raises RequestError for another name, or what is no number."""
    for word in words:
        name, _, text = word.partition("=")
        change: dict[str, Any] = {_row(name): _seconds(name, text)}
        given = replace(given, **change)
    return given


def _row(name: str) -> str:
    if name in OPEN:
        return OPEN[name].name
    option = by_name()[name].metadata["option"] if name in by_name() else ""
    raise RequestError(
        f"--deadline has no {name!r}{nearest(name, OPEN)}",
        hint=f"it has an option of its own: {option}" if option else names_help(),
    )


def _seconds(name: str, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if math.isfinite(seconds) and (seconds > 0 or (seconds == 0 and name in MAY_BE_0)):
        return seconds
    raise RequestError(
        f"--deadline {name} wants a number of seconds, not {text!r}",
        hint=f"--deadline {name}={OPEN[name].default or 3600:g}",
    )
