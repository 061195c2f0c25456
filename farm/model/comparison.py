"""Comparisons: what changed between two sides, what was measured of it, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What differs between the two sides of a comparison; all the rest of the fingerprint must agree."""

    BUILD = "build"
    MODEL = "model"
    VARIANT = "variant"
    NOTHING = "nothing"
    """The same bytes twice: an A/A comparison, or two nights."""


class Verdict(StrEnum):
    FASTER = "faster"
    SLOWER = "slower"
    UNCHANGED = "unchanged"
    INCONCLUSIVE = "inconclusive"
    """The rounds do not decide it: neither a change nor its absence is shown. Or the baseline's bytes are
    gone, so that it cannot be measured again.
    """
    INVALID = "invalid"
    """There is nothing to compare: rounds that do not count, other conditions, no times."""


class Phase(StrEnum):
    """Why a timed round was measured. A verdict is decided on fresh rounds, so each has its phase."""

    SCREEN = "screen"
    """The rounds of a plan; with `auto` they are the pilot, which fixes how many the next phase has.
    There are more of them where these would ask for very many.
    """
    CONFIRM = "confirm"
    """Fresh rounds of what the screen did not settle: they decide."""


@dataclass(frozen=True)
class Effect:
    """The ratio candidate over baseline of a time (above 1 is slower) with its intervals.

    `ratio` is exp of the Hodges-Lehmann estimate; `low` and `high` bound it with 95 %, `low_90` and `high_90`
    with 90 % confidence (both sided, for the test of equivalence). `p` is two-sided, of the exact Wilcoxon
    test; `n` the number of pairs, or of rounds of the smaller side where `is_paired` is false. Bounds are
    None where n is too small for any.
    """

    ratio: float
    low: float | None
    high: float | None
    low_90: float | None
    high_90: float | None
    p: float
    n: int
    is_paired: bool = True


@dataclass(frozen=True)
class Comparing:
    """How comparisons are decided; written into the results. `minimum_effect` is a fraction: 0.03 is 3 %.

    `max_undecided` cells may be inconclusive, invalid or without a baseline before the exit code is 5.
    """

    minimum_effect: float = 0.03
    max_undecided: int = 0


@dataclass(frozen=True)
class Acknowledgement:
    """A regression that is known and accepted: of which `cells` (globs), why, by whom, `until` which day
    (ISO 8601), and how much slower they may be `at_most` (0.12: 12 %).
    """

    cells: tuple[str, ...]
    why: str
    who: str
    until: str
    at_most: float | None = None


@dataclass(frozen=True)
class Duel:
    """Two cells of one device whose timed rounds are run in pairs, back to back; ids of cells.

    `is_canary`: both sides are the same cell under two names, to see the run's own false changes. `since`:
    the run whose bytes the baseline side has, where it is not of this run.
    """

    baseline: str
    candidate: str
    change: Change
    is_canary: bool = False
    since: str | None = None


@dataclass(frozen=True)
class Allotment:
    """How many fresh rounds of a phase a duel (ids of its two cells, baseline first) or one cell alone gets.

    `wanted` is what the noise of the phase before asks for, `rounds` what it gets; `reason` says why, in
    plain words.
    """

    cells: tuple[str, ...]
    rounds: int
    wanted: int
    reason: str


@dataclass(frozen=True)
class PhasePlan:
    """What was decided for a phase of one device before it began: nobody looks at its rounds before its end.

    `cut` says why rounds of it were left out after all (the budget), else it is None.
    """

    device: str
    phase: Phase
    allotments: tuple[Allotment, ...] = ()
    cut: str | None = None


@dataclass(frozen=True)
class Earlier:
    """What an earlier run has of a cell: the values of its rounds that count, in ms, in order, and what they
    belong to (label and value; farm.compare.fingerprint).
    """

    cell: str
    run: str
    values_ms: tuple[float, ...]
    fingerprint: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """One compared cell. `baseline` and `candidate` are ids of cells; `baseline_run` is None where both are
    of one run. `screen` and `confirm` are the effects by phase; the verdict is of `confirm` where there is
    one. `sentence` says it in plain words; `differences` name what else of the fingerprint differs;
    `pairs_wanted` is about how many pairs would decide an inconclusive one. `q` is the false discovery rate
    at which it counts. `baseline_ms` and `candidate_ms` are the medians of the rounds that `effect` is of;
    `notes` say what else the reader should know (rounds that did not count, a device that drifted).
    """

    device: str
    baseline: str
    candidate: str
    change: Change
    verdict: Verdict
    sentence: str
    baseline_run: str | None = None
    screen: Effect | None = None
    confirm: Effect | None = None
    q: float | None = None
    pairs_wanted: int | None = None
    pairs_dropped: int = 0
    differences: tuple[str, ...] = ()
    is_canary: bool = False
    baseline_ms: float | None = None
    candidate_ms: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def effect(self) -> Effect | None:
        """The one that the verdict is about."""
        return self.confirm or self.screen
