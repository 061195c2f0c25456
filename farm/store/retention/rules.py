"""Which runs stay, by their time alone. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

Started: TypeAlias = tuple[str, float]
"""A run and when it began, in seconds since 1970."""


@dataclass(frozen=True)
class Rules:
    """As in restic and borg: the newest `last` runs, all of the last `within_s` seconds, and the newest run
    of each of so many days, weeks and months that have one (UTC, ISO weeks). What one rule keeps stays.
    """

    last: int = 0
    within_s: float = 0.0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.last or self.within_s or self.daily or self.weekly or self.monthly)


def kept(runs: Sequence[Started], rules: Rules, now_s: float) -> Mapping[str, str]:
    """The runs that stay, each with the first rule that keeps it, in words."""
    newest = sorted(runs, key=lambda run: run[1], reverse=True)
    found = {run: "one of the newest" for run, _ in newest[: rules.last]}
    for run, started_s in newest:
        if started_s > now_s - rules.within_s:
            found.setdefault(run, "new enough")
    for number, bucket, word in (
        (rules.daily, "%Y-%m-%d", "day"),
        (rules.weekly, "%G-W%V", "week"),
        (rules.monthly, "%Y-%m", "month"),
    ):
        for run, name in _newest_of_each(newest, _formatter(bucket), number):
            found.setdefault(run, f"the newest of the {word} {name}")
    return found


def _newest_of_each(
    newest: Sequence[Started], name_of: Callable[[float], str], most: int
) -> Sequence[tuple[str, str]]:
    found: dict[str, str] = {}
    for run, started_s in newest:
        if len(found) == most:
            break
        found.setdefault(name_of(started_s), run)
    return [(run, name) for name, run in found.items()]


def _formatter(text: str) -> Callable[[float], str]:
    def name_of(started_s: float) -> str:
        try:
            return datetime.fromtimestamp(started_s, UTC).strftime(text)
        except (OverflowError, ValueError, OSError):
            return f"{started_s:g}"

    return name_of
