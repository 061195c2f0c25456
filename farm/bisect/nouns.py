"""The nouns of a bisect: questions, steps that answer them, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from farm.errors import ExitCode
from farm.model.comparison import Effect, Verdict


class Part(StrEnum):
    """What a step is for."""

    ENDS = "ends"
    """BAD against GOOD: is there anything to find, and how much?"""
    MIDDLE = "middle"
    """A build between them against GOOD: on whose side is it?"""
    CONFIRM = "confirm"
    """The first slower build against the one before it."""


@dataclass(frozen=True)
class Question:
    """Two builds, by their places in the order, the change that has to be told, and how many fresh pairs are
    to tell it. `widened`: so often the same was asked before, and not answered.
    """

    part: Part
    baseline: int
    candidate: int
    minimum_effect: float
    pairs: int
    widened: int = 0


@dataclass(frozen=True)
class Step:
    """A question with what was measured. Its verdict is that of the run; `invalid`: the candidate cannot be
    measured, and is skipped. `why` is the run's sentence, or why it cannot. `run` is None where the build
    could not be made. `rounds` are all that were timed, `took_s` is how long the run took. `programs` are the
    digests of what ran, of both sides, and `data` those of the model and its input. `cut_after_s` is the
    budget that the run had, where that left it fewer fresh pairs than were asked for.
    """

    question: Question
    verdict: Verdict
    effect: Effect | None = None
    why: str = ""
    run: str | None = None
    rounds: int = 0
    took_s: float = 0.0
    programs: tuple[str | None, str | None] = (None, None)
    data: tuple[str | None, str | None] = (None, None)
    has_wrong_outputs: bool = False
    cut_after_s: float | None = None


class Kind(StrEnum):
    """How a bisect ends."""

    FOUND = "found"
    NOT_SLOWER = "not-slower"
    """BAD is not slower than GOOD: nobody is named."""
    UNDECIDED = "undecided"
    """The rounds did not decide a step, however many: the range is what is known."""
    UNCONFIRMED = "unconfirmed"
    """The build that was found is not slower than the one before it, for sure."""
    SKIPPED = "skipped"
    """Only builds that cannot be measured are left in the range."""
    OUT_OF_BUDGET = "out-of-budget"
    NOT_MEASURED = "not-measured"
    """GOOD or BAD cannot be measured."""


CODES = {
    Kind.FOUND: ExitCode.REGRESSION,
    Kind.NOT_SLOWER: ExitCode.OK,
    Kind.UNDECIDED: ExitCode.UNDECIDED,
    Kind.UNCONFIRMED: ExitCode.UNDECIDED,
    Kind.SKIPPED: ExitCode.UNDECIDED,
    Kind.OUT_OF_BUDGET: ExitCode.UNDECIDED,
    Kind.NOT_MEASURED: ExitCode.CELLS_FAILED,
}


@dataclass(frozen=True)
class End:
    """How it ended. The first slower build comes after `low` and not after `high` (places in the order), so
    far as is known; where it was found it is `high`, and `low` the one before it. `step` is the number of the
    one that decided it, from 0.
    """

    kind: Kind
    low: int
    high: int
    step: int | None = None
