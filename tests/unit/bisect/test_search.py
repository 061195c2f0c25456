"""The search: right answers lead to the right build, and what is not known is told as a range."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st

from farm.analysis.sample_size import FEWEST_FRESH_PAIRS
from farm.bisect.nouns import End, Kind, Part, Question, Step
from farm.bisect.search import ahead, half_of, most_steps, pairs_to_tell
from farm.model.comparison import Effect, Verdict

LEAST = 0.03
Ask = Callable[[Question], Step]


def effect(ratio: float, error: float = 0.001) -> Effect:
    low, high = (ratio * math.exp(sign * 1.96 * error) for sign in (-1, 1))
    return Effect(ratio, low, high, low, high, 1e-6, 20)


def exact(times: list[float], skipped: Iterable[int] = ()) -> Ask:
    """A measurement without noise."""

    def ask(question: Question) -> Step:
        if question.candidate in set(skipped):
            return Step(question, Verdict.INVALID, why="it crashes")
        ratio = times[question.candidate] / times[question.baseline]
        if ratio >= 1 + question.minimum_effect:
            return Step(question, Verdict.SLOWER, effect(ratio), took_s=1)
        is_open = ratio > 1 + 0.8 * question.minimum_effect
        return Step(question, Verdict.INCONCLUSIVE if is_open else Verdict.UNCHANGED, effect(ratio), took_s=1)

    return ask


def searched(
    size: int, ask: Ask, cut: int = 1000, steps: tuple[Step, ...] = ()
) -> tuple[End, tuple[Step, ...]]:
    """Until its end, or `cut` steps: then as from a state that was read again."""
    while isinstance(asked := ahead(size, LEAST, steps), Question):
        steps = (*steps, ask(asked))
        if len(steps) == cut:
            return searched(size, ask, steps=steps)
    return asked, steps


@st.composite
def planted(draw: st.DrawFn) -> tuple[int, int, frozenset[int]]:
    """How many builds, the first slower one, and those that cannot be measured."""
    size = draw(st.integers(2, 70))
    first = draw(st.integers(1, size - 1))
    if size == 2:
        return size, first, frozenset()
    return size, first, draw(st.frozensets(st.integers(1, size - 2), max_size=size))


@given(planted(), st.floats(0.035, 3.0))
def test_right_answers_lead_to_the_first_slower_build_or_to_the_skipped_ones_around_it(
    case: tuple[int, int, frozenset[int]], slower: float
) -> None:
    size, first, skipped = case
    times = [1.0] * first + [1 + slower] * (size - first)
    end, steps = searched(size, exact(times, skipped))
    low = max(one for one in range(first) if one not in skipped)
    high = min(one for one in range(first, size) if one not in skipped)
    assert (end.low, end.high) == (low, high)
    assert end.kind is (Kind.FOUND if high - low == 1 else Kind.SKIPPED)
    answered = [step for step in steps if step.verdict is not Verdict.INVALID]
    assert len(answered) <= math.ceil(math.log2(size)) + 2
    if end.kind is Kind.FOUND:
        found = steps[end.step].question
        assert (found.baseline, found.candidate) == (low, high)


@given(planted(), st.integers(1, 12))
def test_a_search_that_was_cut_anywhere_has_the_same_end(
    case: tuple[int, int, frozenset[int]], cut: int
) -> None:
    size, first, skipped = case
    ask = exact([1.0] * first + [1.1] * (size - first), skipped)
    assert searched(size, ask, cut) == searched(size, ask)


@given(planted())
def test_no_more_steps_are_left_than_are_told(case: tuple[int, int, frozenset[int]]) -> None:
    size, first, _ = case
    _, steps = searched(size, exact([1.0] * first + [1.1] * (size - first)))
    for number in range(len(steps) + 1):
        assert len(steps) - number <= most_steps(size, LEAST, steps[:number])


@given(st.lists(st.floats(0.9, 1.5), min_size=2, max_size=40), st.data())
def test_any_times_come_to_an_end_within_few_steps(times: list[float], data: st.DataObject) -> None:
    """Also those that rise slowly, fall again, or lie between GOOD and BAD; and with any answer."""
    ask = exact(times)
    wild = data.draw(st.booleans())

    def any_answer(question: Question) -> Step:
        verdict = data.draw(st.sampled_from(list(Verdict)))
        return Step(question, verdict, effect(data.draw(st.floats(1.03, 2.0))))

    end, steps = searched(len(times), any_answer if wild else ask)
    assert 0 <= end.low < end.high < len(times)
    assert len(steps) < 8 * (math.ceil(math.log2(len(times))) + 3) + len(times)
    if end.kind is Kind.FOUND:
        assert steps[end.step].verdict is Verdict.SLOWER


def test_nobody_is_named_where_bad_is_not_slower() -> None:
    for last in (1.0, 0.8):
        end, steps = searched(16, exact([1.0] * 15 + [last]))
        assert (end.kind, len(steps)) == (Kind.NOT_SLOWER, 1)


def test_of_several_changes_the_one_with_most_of_it_is_found() -> None:
    times = [1.0] * 4 + [1.04] * 4 + [1.20] * 8
    end, steps = searched(16, exact(times))
    assert (end.kind, end.low, end.high) == (Kind.FOUND, 7, 8)
    assert math.isclose(steps[end.step].effect.ratio, 1.20 / 1.04)


def asked_again(verdict: Verdict, ratio: float, times: int) -> Ask:
    """As `exact` of one planted change of 5 %, but its first so many answers about the place 8 are these."""
    ask, left = exact([1.0] * 8 + [1.05] * 8), [times]

    def asked(question: Question) -> Step:
        if question.part is Part.MIDDLE and question.candidate == 8 and left[0]:
            left[0] -= 1
            return Step(question, verdict, effect(ratio))
        return ask(question)

    return asked


def test_what_is_inconclusive_is_asked_with_more_pairs_and_then_told_as_a_range() -> None:
    end, steps = searched(16, asked_again(Verdict.INCONCLUSIVE, 1.024, 2))
    assert (end.kind, end.high) == (Kind.FOUND, 8)
    same = [
        step.question for step in steps if step.question.candidate == 8 and step.question.part is Part.MIDDLE
    ]
    assert [one.widened for one in same] == [0, 1, 2]
    end, steps = searched(16, asked_again(Verdict.INCONCLUSIVE, 1.024, 3))
    assert (end.kind, end.low, end.high) == (Kind.UNDECIDED, 0, 15)


def test_a_wrong_answer_is_found_by_the_confirmation_and_its_step_is_taken_back_once() -> None:
    """A build that is called unchanged and is not: the one after it is not slower than it."""
    end, steps = searched(16, asked_again(Verdict.UNCHANGED, 1.0, 1))
    assert (end.kind, end.low, end.high) == (Kind.FOUND, 7, 8)
    confirmed = [step.verdict for step in steps if step.question.part is Part.CONFIRM]
    assert confirmed == [Verdict.UNCHANGED, Verdict.SLOWER]
    end, steps = searched(16, asked_again(Verdict.UNCHANGED, 1.0, 9))
    assert end.kind is Kind.UNCONFIRMED
    assert [step.question.part for step in steps].count(Part.CONFIRM) == 2


def question(*steps: Step) -> Question:
    """The one that comes after these."""
    found = ahead(16, LEAST, steps)
    assert isinstance(found, Question)
    return found


def test_a_budget_that_is_spent_ends_with_what_is_known_and_a_larger_one_goes_on() -> None:
    ask = exact([1.0] * 5 + [1.1] * 11)
    steps = [ask(question())]
    steps.append(ask(question(*steps)))
    assert ahead(16, LEAST, steps, 2) == End(Kind.OUT_OF_BUDGET, 0, steps[1].question.candidate)
    assert isinstance(ahead(16, LEAST, steps, 3), Question)


def test_a_question_that_the_budget_cut_is_not_answered_and_a_larger_budget_asks_it_again() -> None:
    """The third asking of BAD: nothing of it is counted, neither as an answer nor as one that was widened."""
    steps: tuple[Step, ...] = ()
    for _ in range(2):
        steps = (*steps, Step(question(*steps), Verdict.INCONCLUSIVE, effect(1.03, 0.01), took_s=300))
    asked = question(*steps)
    for verdict, seen in ((Verdict.INCONCLUSIVE, None), (Verdict.SLOWER, effect(1.16, 0.04))):
        cut = steps
        for budget_s in (1000.0, 2000.0):
            left_s = budget_s - sum(one.took_s for one in cut)
            cut = (*cut, Step(asked, verdict, seen, took_s=left_s - 20, cut_after_s=left_s))
            assert ahead(16, LEAST, cut, budget_s) == End(Kind.OUT_OF_BUDGET, 0, 15)
            assert ahead(16, LEAST, cut, budget_s + 1000) == asked
        assert question(*cut) == asked
    slower = Step(asked, Verdict.SLOWER, effect(1.3), took_s=380, cut_after_s=400)
    assert isinstance(ahead(16, LEAST, (*steps, slower), 1000.0), Question)
    two = Step(asked, Verdict.SLOWER, effect(1.16, 0.04), cut_after_s=400)
    assert ahead(2, LEAST, (two,)) == End(Kind.FOUND, 0, 1, 0)


def test_a_slowdown_that_is_not_well_known_is_measured_once_more_before_half_of_it_is_asked_for() -> None:
    asked = question()
    vague = Step(asked, Verdict.SLOWER, effect(1.16, 0.03))
    again = question(vague)
    assert (again.part, again.widened) == (Part.ENDS, 1)
    assert again.pairs > asked.pairs
    clear = Step(again, Verdict.SLOWER, effect(1.3, 0.01))
    middle = question(vague, clear)
    assert middle.part is Part.MIDDLE
    assert math.isclose(middle.minimum_effect, math.sqrt(1.3) - 1, abs_tol=1e-4)


@given(st.floats(1.031, 20), st.floats(0.0001, 0.2))
def test_what_unchanged_excludes_is_never_more_than_the_whole_may_be(ratio: float, error: float) -> None:
    whole = effect(ratio, error)
    if whole.low > 1.001:
        assert 5 / 3 * math.log1p(half_of(whole)) <= math.log(whole.low) * 1.001 + 1e-3


def test_the_number_of_pairs_follows_from_the_noise_that_was_seen() -> None:
    assert pairs_to_tell(0.002, 0.025) == FEWEST_FRESH_PAIRS
    few = pairs_to_tell(0.05, 0.025)
    assert few == math.ceil((0.05 / (0.25 * math.log1p(0.025))) ** 2)
    assert 3.9 * few < pairs_to_tell(0.05, 0.025, widened=1) <= 4 * few
    assert pairs_to_tell(5.0, 0.001, widened=2) == 2000
