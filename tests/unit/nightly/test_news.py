"""What of a night is told: only what is new, once; and that it is over when that was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.model.comparison import Acknowledgement, Change, Comparison, Effect, Verdict
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellStatus
from farm.nightly.findings import night_of
from farm.nightly.news import is_good, news_of
from farm.nightly.nouns import Finding, Kind, Night, Open, State
from tests.unit.compare.made import cell, run, timed

TODAY = date(2026, 11, 26)
CELL = "arm-1/m/fp32"


def compared(verdict: Verdict, ratio: float = 1.1, candidate: str = CELL, **fields) -> Comparison:
    effect = Effect(ratio, ratio - 0.01, ratio + 0.01, ratio - 0.01, ratio + 0.01, 0.001, 20)
    return Comparison(
        device="arm-1", baseline="old", candidate=candidate, change=Change.NOTHING, verdict=verdict,
        sentence=f"it is {verdict}", screen=effect, confirm=effect, **fields,
    )  # fmt: skip


def night(
    *comparisons: Comparison,
    known=(),
    status=CellStatus.COMPLETED,
    outputs=(),
    name="n1",
    baseline="last-good",
):
    made = cell(*timed([10.0] * 6), status=status)
    results = replace(run(made), run_id=name, outputs=outputs)
    found = night_of(results, {baseline: comparisons}, known, TODAY, min_measured=0.9)
    return replace(found, baselines=frozenset({"last-good", "tag:release-1"}))


def kinds(news) -> list[str]:
    return [str(one.kind) for one in news]


def good(made: Night, state: State | None = None, lost=frozenset()) -> bool:
    return is_good(made, news_of(made, state or State())[1], lost)


def nights(*each: Night) -> list[list[str]]:
    """The kinds of news of one night after the other."""
    state, told = State(), []
    for one in each:
        news, state = news_of(one, state)
        told.append(kinds(news))
    return told


SLOW, SAME, OPEN = compared(Verdict.SLOWER), compared(Verdict.UNCHANGED, 1.0), compared(Verdict.INCONCLUSIVE)


def test_a_regression_is_told_once_and_its_end_once() -> None:
    assert nights(night(SAME), night(SLOW), night(SLOW), night(SAME), night(SAME)) == [
        [], ["slower"], [], ["ended"], [],
    ]  # fmt: skip


def test_what_ends_and_comes_again_is_told_again() -> None:
    assert nights(night(SLOW), night(SAME), night(SLOW)) == [["slower"], ["ended"], ["slower"]]


@pytest.mark.parametrize(
    "silent",
    [
        night(OPEN),
        night(compared(Verdict.INVALID)),
        night(),
        night(status=CellStatus.FAILED),
        Night("", (Finding(Kind.NOT_RUN, "", "", "no disk"),)),
    ],
)
def test_a_night_that_does_not_decide_it_neither_ends_a_regression_nor_tells_it_again(silent: Night) -> None:
    told = nights(night(SLOW), silent, night(SLOW), night(SAME))
    assert told[0] == ["slower"]
    assert "ended" not in told[1]
    assert "slower" not in told[1] + told[2]
    assert "ended" in told[3]


def test_a_regression_against_another_baseline_is_another_one() -> None:
    both = night(SLOW), night(SLOW, baseline="tag:release-1")
    assert nights(*both, *both) == [["slower"], ["slower"], [], []]


def test_the_run_since_which_it_holds_stays() -> None:
    _, state = news_of(night(SLOW, name="first"), State())
    _, state = news_of(night(SLOW, name="second"), state)
    assert [one.since for one in state.open] == ["first"]
    news, _ = news_of(night(SAME, name="third"), state)
    assert news[0].text == f"{CELL}: not slower any more, against last-good (held since first)"


def test_an_improvement_is_told_once_and_its_end_is_no_news() -> None:
    faster = compared(Verdict.FASTER, 0.8)
    assert nights(night(faster), night(faster), night(SAME)) == [["faster"], [], []]


def accepted(**fields) -> Acknowledgement:
    usual = {"cells": ("arm-*/m/*",), "why": "padding", "who": "lee", "until": "2026-12-31"}
    return Acknowledgement(**usual | fields)


def test_what_is_accepted_is_not_told_and_no_regression() -> None:
    made = night(SLOW, known=[accepted()])
    assert nights(made, made) == [[], []]
    assert made.accepted[0].text.endswith("against last-good (accepted by lee until 2026-12-31: padding)")


def test_what_is_accepted_after_it_was_told_is_neither_open_nor_over() -> None:
    news, state = news_of(night(SLOW, known=[accepted()]), news_of(night(SLOW), State())[1])
    assert (news, state.open) == ((), ())


@pytest.mark.parametrize(
    ("known", "why"),
    [
        (accepted(until="2026-11-25"), "(accepted by lee until 2026-11-25, which is over)"),
        (accepted(at_most=0.05), "(accepted by lee is 5.0% at most)"),
    ],
)
def test_what_is_accepted_no_longer_or_not_so_much_is_a_regression_that_says_so(known, why: str) -> None:
    made = night(SLOW, known=[known])
    assert [one.text.endswith(why) for one in made.findings] == [True]
    assert not good(made)


@pytest.mark.parametrize(
    "known", [accepted(cells=("gpu-*",)), accepted(cells=("arm-1/m/fp3",)), accepted(cells=("m",))]
)
def test_what_is_accepted_for_other_cells_does_not_count(known) -> None:
    assert kinds(night(SLOW, known=[known]).findings) == ["slower"]


def test_the_last_day_counts_and_of_several_one_that_holds_is_enough() -> None:
    assert night(SLOW, known=[accepted(until="2026-11-26")]).findings == ()
    assert night(SLOW, known=[accepted(until="2026-01-01"), accepted(at_most=0.2)]).findings == ()


def test_an_acknowledgement_accepts_no_wrong_outputs() -> None:
    wrong = OutputCheck("arm-1", CELL, Against.GOLDEN, "g.npz", OutputVerdict.WRONG, "it differs")
    made = night(SAME, known=[accepted()], outputs=(wrong,))
    assert kinds(made.findings) == ["wrong-outputs"]
    assert not good(made)
    right = replace(wrong, verdict=OutputVerdict.WITHIN)
    assert nights(made, made, night(SAME), night(SAME, outputs=(right,)))[1:] == [[], [], ["ended"]]


def test_too_few_measured_cells_are_news_and_no_good_night() -> None:
    made = night(status=CellStatus.FAILED)
    assert made.findings[0].text == "0 of 1 cells measured, 90% are asked for"
    assert not good(made)
    assert nights(made, made, night(SAME)) == [["few-measured"], [], ["ended"]]


def test_cells_that_a_rule_leaves_out_are_not_asked_for() -> None:
    assert night(status=CellStatus.SKIPPED).findings == ()


def test_a_night_that_did_not_run_is_news_and_so_is_that_they_run_again() -> None:
    not_run = Night("", (Finding(Kind.NOT_RUN, "", "", "no disk"),))
    assert nights(not_run, not_run, night(SAME)) == [["not-run"], [], ["ended"]]


def test_a_night_is_good_where_nothing_is_open_accepted_or_lost() -> None:
    assert good(night(SAME))
    assert good(night(compared(Verdict.FASTER, 0.8)))
    assert not good(night(SLOW))
    assert not good(night(SLOW, known=[accepted()]))
    assert not good(night(SAME), lost=frozenset({CELL}))
    assert not good(Night("", (Finding(Kind.NOT_RUN, "", "", "no disk"),)))


def test_a_night_that_does_not_see_a_regression_is_not_what_the_next_ones_are_compared_with() -> None:
    _, state = news_of(night(SLOW), State())
    for silent in (night(OPEN), night(), night(status=CellStatus.FAILED)):
        assert not good(silent, state)
    assert good(night(SAME), state)


def test_what_the_suite_has_no_more_is_closed_without_a_word() -> None:
    _, state = news_of(night(SLOW), State())
    other = replace(night(SAME), cells=frozenset({"arm-1/other/fp32"}), decided=frozenset())
    assert news_of(other, state) == ((), State())
    _, state = news_of(night(SLOW, baseline="tag:gone"), State())
    assert news_of(night(SAME), state) == ((), State())


def test_cells_of_devices_in_quarantine_are_wanted() -> None:
    results = replace(run(cell(*timed([10.0] * 6), status=CellStatus.SKIPPED)), run_id="n")
    made = night_of(results, {}, (), TODAY, min_measured=0.9, left_out={"arm-1"})
    assert kinds(made.findings) == ["few-measured"]
    assert night_of(results, {}, (), TODAY, min_measured=0.9).findings == ()


def test_a_night_whose_canaries_differ_too_often_decides_nothing_and_is_no_baseline() -> None:
    canary = replace(compared(Verdict.SLOWER, candidate="arm-1/m/canary"), is_canary=True)
    results = replace(run(cell(*timed([10.0] * 6))), run_id="n", comparisons=(canary,) * 5)
    made = night_of(results, {"last-good": [SLOW]}, (), TODAY, min_measured=0.9)
    assert (made.findings, made.decided, made.is_sound) == ((), frozenset(), False)
    assert not good(made)
    sound = night_of(replace(results, comparisons=()), {"last-good": [SLOW]}, (), TODAY, min_measured=0.9)
    assert kinds(sound.findings) == ["slower"]


FINDINGS = st.builds(
    Finding,
    st.sampled_from(list(Kind)[:-1]),
    st.sampled_from(["a", "b", ""]),
    st.sampled_from(["", "x"]),
    st.just(""),
)
KEYS = st.tuples(
    st.sampled_from(list(Kind)[:-1]), st.sampled_from(["a", "b", ""]), st.sampled_from(["", "x"])
)
NIGHTS = st.builds(
    Night,
    st.just("n"),
    st.lists(FINDINGS, max_size=4).map(tuple),
    st.frozensets(KEYS),
    st.lists(FINDINGS, max_size=2).map(tuple),
    st.just(1),
    st.integers(0, 1),
    st.just(frozenset({"a", "b", ""})),
    st.just(frozenset({"x"})),
)


@given(st.lists(NIGHTS, max_size=6))
def test_whatever_the_nights_bring_nothing_is_told_twice_in_a_row(found) -> None:
    state = State()
    for one in found:
        _, state = news_of(one, state)
        again, after = news_of(one, state)
        assert [piece for piece in again if piece.kind is not Kind.ENDED] == []
        assert {each.finding.key for each in after.open} >= {piece.key for piece in one.findings}
        assert all(isinstance(each, Open) for each in state.open)


def drifting(*devices: str, seen: tuple[str, ...] = (), name: str = "n1") -> Night:
    """A night on which these devices drift, and those `seen` do not."""
    made = night(compared(Verdict.UNCHANGED), name=name)
    found = tuple(Finding(Kind.DRIFTS, device, "", f"{device} drifts") for device in devices)
    decided = {(Kind.DRIFTS, device, "") for device in (*devices, *seen)}
    return replace(made, findings=found, decided=made.decided | decided)


def test_a_device_that_drifts_is_told_once_and_its_end_has_to_be_seen() -> None:
    news, state = news_of(drifting("arm-1"), State())
    assert kinds(news) == ["drifts"]
    news, state = news_of(drifting(name="n2"), state)  # it was away
    assert (kinds(news), len(state.open)) == ([], 1)
    news, state = news_of(drifting(seen=("arm-1",), name="n3"), state)
    assert (kinds(news), state.open) == (["ended"], ())
    assert news[0].text == "arm-1: moves with its class again (held since n1)"
    assert good(drifting("arm-1"))


def test_a_device_that_the_suite_has_no_more_does_not_drift_for_ever() -> None:
    _, state = news_of(drifting("gone-1"), State())
    news, state = news_of(drifting(name="n2"), state)
    assert (kinds(news), state.open) == ([], ())
