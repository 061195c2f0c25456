"""The search: from the steps so far to the next question, or the end. Pure: the same steps, the same answer.

Why the questions are these, and how often they are answered wrongly: docs/decisions/0037.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from farm.analysis.sample_size import FEWEST_FRESH_PAIRS, MOST_PAIRS
from farm.analysis.verdicts import half_width
from farm.bisect.nouns import End, Kind, Part, Question, Step
from farm.model.comparison import Effect, Verdict
from farm.model.matrix import FRESH_PAIRS

MOST_WIDENED = 2
"""So often a question that was not answered is asked again, with `WIDER` times the fresh pairs each time, or
as many as the noise asks for, where it was larger than before. BAD against GOOD begins with few pairs.
"""

WIDER = 4

NARROWED_TO = 0.25
"""So many pairs are measured that the standard error of a ratio is this part of the minimum effect. A build
that is as GOOD or as BAD is then told from the other with 99.99 %, mostly without more pairs.
"""

KNOWN_WELL = 0.65
"""The lower bound of the whole slowdown is to be this part of it; else BAD is asked about once more."""

FINEST = 1e-4
"""Minimum effects are multiples of it, so that they can be read."""

AT_MOST_OF_LOW = 0.6
"""What `unchanged` excludes for sure (5/3 of the minimum effect) is no more than the lower bound of the whole
slowdown: a build that is as slow as BAD is not called `unchanged` because the whole was overestimated.
"""


def ahead(
    size: int, minimum_effect: float, steps: Sequence[Step], budget_s: float | None = None
) -> Question | End:
    """What is next with `size` builds in order, of which the first is GOOD and the last is BAD."""
    known = _known(size, minimum_effect, steps)
    found = known.next()
    if isinstance(found, Question) and steps and budget_s is not None and _is_spent(steps, size, budget_s):
        return End(Kind.OUT_OF_BUDGET, known.low, known.high)
    return found


def _is_spent(steps: Sequence[Step], size: int, budget_s: float) -> bool:
    """Whether no time is left, or the last step was cut and would have no more time if it was asked again."""
    *before, last = steps
    left_s = budget_s - sum(step.took_s for step in before)
    is_cut = _is_cut(last, size) and last.cut_after_s is not None and left_s <= last.cut_after_s
    return left_s <= last.took_s or is_cut


def _is_cut(step: Step, size: int) -> bool:
    """Whether the budget, and not the noise, is why a step has no answer."""
    is_open = step.verdict is Verdict.INCONCLUSIVE
    is_vague = step.question.part is Part.ENDS and size > 2 and _is_vague(step)
    return step.cut_after_s is not None and (is_open or is_vague)


def _is_vague(step: Step) -> bool:
    """Whether BAD is slower, and nobody knows by how much."""
    return step.verdict is Verdict.SLOWER and step.effect is not None and not _is_known_well(step.effect)


def most_steps(size: int, minimum_effect: float, steps: Sequence[Step]) -> int:
    """How many are left at most, if each is answered at once and no more builds are skipped."""
    known = _known(size, minimum_effect, steps)
    found = known.next()
    if isinstance(found, End):
        return 0
    left = known.left if known.whole else range(1, size - 1)
    return len(left).bit_length() + 1 + (known.whole is None and size > 2)


def half_of(whole: Effect) -> float:
    """The minimum effect that tells GOOD's side from BAD's: half of the whole slowdown, as a logarithm."""
    half = math.log(whole.ratio) / 2
    low = math.log(whole.low) if whole.low else 0.0
    return max(FINEST, round(math.expm1(min(half, AT_MOST_OF_LOW * low) if low > 0 else half), 4))


def _is_known_well(whole: Effect) -> bool:
    """Whether half of the whole slowdown can be told: where it cannot, each step would ask for a smaller part
    of it, with many times the pairs.
    """
    return bool(whole.low) and math.log(whole.low or 1.0) >= KNOWN_WELL * math.log(whole.ratio)


def pairs_to_tell(noise: float | None, minimum_effect: float, widened: int = 0) -> int:
    """How many fresh pairs tell a change of so much, where one pair has the standard error `noise` (of the
    logarithm; None: not known).
    """
    wider = float(WIDER) ** widened
    if noise is None:
        return min(MOST_PAIRS, round(FRESH_PAIRS * wider))
    pairs = (noise / (NARROWED_TO * math.log1p(minimum_effect))) ** 2 * wider
    return max(FEWEST_FRESH_PAIRS, math.ceil(min(pairs, MOST_PAIRS)))


def _noise(effect: Effect | None) -> float | None:
    """The standard error of one pair, as the logarithm of its ratio; None where it is not known."""
    width = half_width(effect) if effect is not None else None
    return width / 1.96 * math.sqrt(effect.n) if width and effect is not None else None


@dataclass(frozen=True)
class _Known:
    """What the steps so far say: who is on whose side, who cannot be measured, and the noise of a pair."""

    size: int
    minimum_effect: float
    whole: Effect | None = None
    good: frozenset[int] = frozenset({0})
    bad: frozenset[int] = frozenset()
    skipped: frozenset[int] = frozenset()
    noise: float | None = None
    last_pairs: int = 0
    widened: int = 0
    has_gone_back: bool = False
    ended: End | None = None
    ends_step: int | None = None

    @property
    def low(self) -> int:
        return max(self.good)

    @property
    def high(self) -> int:
        return min(self.bad | {self.size - 1})

    @property
    def left(self) -> list[int]:
        """Builds between them that can be asked about."""
        return [one for one in range(self.low + 1, self.high) if one not in self.skipped]

    @property
    def most_pairs(self) -> int:
        """What BAD against GOOD is asked with at most."""
        return pairs_to_tell(self.noise, self.minimum_effect, MOST_WIDENED)

    def _is_given_up(self, question: Question) -> bool:
        """Whether a question that was not answered is not asked again."""
        if question.part is Part.ENDS:
            return question.pairs >= self.most_pairs
        return self.widened >= MOST_WIDENED

    def next(self) -> Question | End:
        if self.ended is not None:
            return self.ended
        last, minimum = self.size - 1, self.minimum_effect
        if self.whole is None:
            # Nobody knows how large it is: few pairs find a large one, and it begins with as many as a bench.
            pairs = min(pairs_to_tell(None, minimum, self.widened), self.most_pairs)
            return Question(Part.ENDS, 0, last, minimum, pairs, self.widened)
        half = half_of(self.whole)
        pairs = pairs_to_tell(self.noise, half)
        if self.widened:
            pairs = min(MOST_PAIRS, max(pairs, WIDER * self.last_pairs))
        if self.left:
            return Question(Part.MIDDLE, 0, self.left[len(self.left) // 2], half, pairs, self.widened)
        if self.high - self.low > 1:
            return self._end(Kind.SKIPPED)
        if (self.low, self.high) == (0, last):
            return self._end(Kind.FOUND, self.ends_step)
        return Question(Part.CONFIRM, self.low, self.high, min(half, minimum), pairs, self.widened)

    def after(self, step: Step, number: int) -> _Known:
        part, is_open = step.question.part, step.verdict is Verdict.INCONCLUSIVE
        if is_open and not self._is_given_up(step.question):
            return replace(self, widened=self.widened + 1)
        if is_open and part is not Part.CONFIRM:
            return self._ended(Kind.UNDECIDED, number)
        answered = {
            Part.ENDS: self._after_ends,
            Part.MIDDLE: self._after_middle,
            Part.CONFIRM: self._after_confirm,
        }
        return answered[part](step, number)

    def _after_ends(self, step: Step, number: int) -> _Known:
        if step.verdict is Verdict.SLOWER and step.effect is not None:
            if self.size > 2 and _is_vague(step) and not self._is_given_up(step.question):
                return replace(self, widened=self.widened + 1)
            bad = frozenset({self.size - 1})
            return replace(self, whole=step.effect, bad=bad, ends_step=number, widened=0)
        is_measured = step.verdict is not Verdict.INVALID
        return self._ended(Kind.NOT_SLOWER if is_measured else Kind.NOT_MEASURED, number)

    def _after_middle(self, step: Step, _number: int) -> _Known:
        here = {step.question.candidate}
        if step.verdict is Verdict.INVALID:
            return replace(self, skipped=self.skipped | here, widened=0)
        if step.verdict is Verdict.SLOWER:
            return replace(self, bad=self.bad | here, widened=0)
        return replace(self, good=self.good | here, widened=0)

    def _after_confirm(self, step: Step, number: int) -> _Known:
        if step.verdict is Verdict.SLOWER:
            return self._ended(Kind.FOUND, number)
        if step.verdict is Verdict.INVALID or self.has_gone_back:
            return self._ended(Kind.UNCONFIRMED, number)
        # One of the two answers may be wrong: both are asked for again, between their nearest neighbours.
        both = {step.question.baseline, step.question.candidate} - {0, self.size - 1}
        good, bad = self.good - both, self.bad - both
        return replace(self, good=good, bad=bad, has_gone_back=True, widened=0)

    def _ended(self, kind: Kind, number: int) -> _Known:
        return replace(self, ended=self._end(kind, number))

    def _end(self, kind: Kind, step: int | None = None) -> End:
        return End(kind, self.low, self.high, step)


def _known(size: int, minimum_effect: float, steps: Iterable[Step]) -> _Known:
    known = _Known(size, minimum_effect)
    for number, step in enumerate(steps):
        if _is_cut(step, size):  # what the noise has to say was not heard
            continue
        seen = replace(known, noise=_noise(step.effect) or known.noise, last_pairs=step.question.pairs)
        known = seen.after(step, number)
    return known
