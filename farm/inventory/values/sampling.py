"""How much is measured, as people write it in suites and options: `auto`, `10m`, `2%`, `old,new`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from farm.compare.amounts import fraction
from farm.errors import RequestError
from farm.model.request import MOST_PROFILE_ROUNDS, MOST_ROUNDS

AUTO = "auto"

_TIME = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)\s*(?P<unit>[smh]?)\Z")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}
LONGEST_BUDGET_S = 7 * 24 * 3600.0
FINEST, COARSEST = 0.001, 0.5


@dataclass(frozen=True)
class Rounds:
    """`number` is None where nothing fixes it: `auto`."""

    number: int | None

    @property
    def is_auto(self) -> bool:
        return self.number is None


def rounds_of(text: str) -> Rounds:
    """`5` or `auto`. Raises RequestError."""
    word = text.strip()
    if word == AUTO:
        return Rounds(None)
    if not (word.isascii() and word.isdigit() and len(word) < 5 and 1 <= int(word) <= MOST_ROUNDS):
        raise RequestError(
            f"{text[:80]!r} is not a number from 1 to {MOST_ROUNDS}, nor {AUTO}",
            hint=f"10, or {AUTO}",
        )
    return Rounds(int(word))


def profile_rounds_of(text: str) -> int:
    """How many rounds write a profile. Raises RequestError."""
    word = text.strip()
    if not (word.isascii() and word.isdigit() and len(word) < 5 and 1 <= int(word) <= MOST_PROFILE_ROUNDS):
        raise RequestError(f"{text[:80]!r} is not a number from 1 to {MOST_PROFILE_ROUNDS}", hint="3")
    return int(word)


def budget_s_of(text: str) -> float:
    """Seconds of `10m`, `90s`, `1.5h` or `600`. Raises RequestError."""
    found = _TIME.match(text.strip())
    seconds = float(found["number"]) * _SECONDS[found["unit"]] if found else 0.0
    if not 0 < seconds <= LONGEST_BUDGET_S:
        raise RequestError(
            f"{text[:80]!r} is not a time from a second to seven days",
            hint="10m, 90s or 1.5h",
        )
    return seconds


def precision_of(text: str) -> float:
    """The fraction of `2%` or `0.02`. Raises RequestError."""
    share = _fraction(text)
    if share is None or not FINEST <= share <= COARSEST:
        raise RequestError(
            f"{text[:80]!r} is not a fraction from {FINEST:.1%} to {COARSEST:.0%}",
            hint="2%",
        )
    return share


def minimum_effect_of(text: str) -> float:
    """The fraction of `3%` or `0.03`: the smallest change that counts. Raises RequestError."""
    share = _fraction(text)
    if share is None or share < FINEST:
        raise RequestError(f"{text[:80]!r} is not a fraction from {FINEST:.1%} to 100%", hint="3%")
    return share


def undecided_of(text: str) -> int:
    """How many comparisons may stay undecided. Raises RequestError."""
    word = text.strip()
    if not (word.isascii() and word.isdigit() and len(word) < 10):
        raise RequestError(f"{text[:80]!r} is not a number of cells", hint="0")
    return int(word)


def _fraction(text: str) -> float | None:
    try:
        return fraction(text)
    except ValueError:
        return None


def names_in(text: str) -> tuple[str, ...]:
    """The names of `old,new1,new2`, of which the first is what the others are compared with.

    Raises RequestError unless there are two or more, each once.
    """
    names = tuple(name.strip() for name in text.split(","))
    if len(names) < 2 or not all(names) or len(set(names)) < len(names):
        raise RequestError(f"{text[:80]!r}: name two or more, each once", hint="OLD,NEW")
    return names
