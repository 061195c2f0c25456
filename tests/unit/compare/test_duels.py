"""What becomes of the duels of a run: a pure function of its rounds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.compare.duels import comparisons
from farm.compare.outcome import CHANGED
from farm.errors import Fault
from farm.model.comparison import Allotment, Change, Comparing, Duel, Earlier, Phase, PhasePlan, Verdict
from farm.model.matrix import RoundKind
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellStatus, Quality, Results, RoundResult, RoundStatus
from farm.store.codec import results_from_json, results_to_json
from tests.unit.compare.made import cell, duel, noise, run, spoilt, timed


def only(results: Results):
    (found,) = comparisons(results)
    return found


def test_a_screen_may_say_that_nothing_changed():
    found = only(duel(1.0))
    assert found.verdict is Verdict.UNCHANGED
    assert found.sentence.startswith("no change of 3 % or more between old and new: ")
    assert found.sentence.endswith(", 10 pairs")


def test_a_screen_alone_never_says_slower_or_faster_however_large_the_change():
    for change in (0.5, 0.9, 1.1, 2.0):
        found = only(duel(change))
        assert found.verdict is Verdict.INCONCLUSIVE
        assert "no fresh pairs were measured to confirm it" in found.sentence


@pytest.mark.parametrize(
    ("change", "verdict", "says"),
    [
        (1.06, Verdict.SLOWER, "new is 6"),
        (0.94, Verdict.FASTER, "new is "),
        (1.0, Verdict.UNCHANGED, "no change"),
    ],
)
def test_fresh_pairs_decide(change, verdict, says):
    found = only(duel(change, confirm=20))
    assert found.verdict is verdict
    assert found.sentence.startswith(says)
    assert found.sentence.endswith(", 20 fresh pairs")
    assert found.effect is found.confirm
    assert found.screen is not None


def test_a_sentence_says_effect_interval_and_number_of_pairs_in_plain_words():
    words = only(duel(1.06, confirm=20)).sentence
    assert words.startswith("new is ")
    assert " % slower than old (95 %: " in words


def test_a_confirmation_counts_also_where_the_screen_saw_the_opposite():
    seen = duel(1.2, confirm=20)
    same = duel(1.0, screen=0, confirm=20)
    fresh = [tuple(one for one in side.rounds if one.phase is Phase.CONFIRM) for side in same.cells]
    cells = tuple(
        replace(side, rounds=(*side.rounds[:10], *rounds))
        for side, rounds in zip(seen.cells, fresh, strict=True)
    )
    assert only(replace(seen, cells=cells)).verdict is Verdict.UNCHANGED


def test_only_rounds_of_the_same_phase_and_index_are_a_pair():
    found = duel(1.0)
    old, new = found.cells
    late = tuple(replace(one, index=one.index + 5) for one in new.rounds)
    assert only(replace(found, cells=(old, replace(new, rounds=late)))).verdict is Verdict.INVALID  # 5 pairs
    other = tuple(replace(one, phase=Phase.CONFIRM) for one in new.rounds)
    assert "0 pairs" in only(replace(found, cells=(old, replace(new, rounds=other)))).sentence


def test_of_a_pair_that_was_repeated_the_last_attempt_counts():
    found = spoilt(duel(1.0), 4, Quality.BUSY)
    assert only(found).verdict is Verdict.INVALID
    old, new = found.cells
    far = replace(
        old, rounds=tuple(replace(one, value_ms=99.0) if one.index < 4 else one for one in old.rounds)
    )
    again = tuple(
        replace(side, rounds=(*side.rounds, *timed(noise(4, 0.005, seed=9), attempt=1)))
        for side in (far, new)
    )
    repeated = only(replace(found, cells=again))
    assert repeated.verdict is Verdict.UNCHANGED
    assert repeated.pairs_dropped == 0
    assert repeated.baseline_ms < 11


@pytest.mark.parametrize("side", [0, 1])
def test_half_of_a_repeated_pair_is_not_paired_with_an_earlier_attempt(side):
    found = spoilt(duel(1.0), 1, Quality.BUSY)
    cells = list(found.cells)
    cut = timed([99.0], attempt=1)  # the run ended before its other half
    cells[side] = replace(cells[side], rounds=(*cells[side].rounds, *cut))
    assert only(replace(found, cells=tuple(cells))).pairs_dropped == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0, None])
def test_what_is_no_time_is_dropped_with_its_partner_and_counted(value):
    found = duel(1.0)
    old, new = found.cells
    odd = (replace(old.rounds[0], value_ms=value), *old.rounds[1:])
    judged = only(replace(found, cells=(replace(old, rounds=odd), new)))
    assert judged.notes == ("1 of 10 pairs does not count: 1 without a time",)
    assert judged.screen.n == 9


@pytest.mark.parametrize("quality", sorted(set(Quality) - {Quality.OK}))
def test_rounds_of_doubtful_quality_are_dropped_with_their_partner_and_counted(quality):
    found = only(spoilt(duel(1.0), 3, quality))
    assert found.verdict is Verdict.UNCHANGED
    assert found.pairs_dropped == 3
    assert found.screen.n == 7
    assert found.notes == (f"3 of 10 pairs do not count: 3 {quality}",)


def test_few_iterations_count_where_the_user_asked_for_so_few():
    found = spoilt(duel(1.0), 10, Quality.FEW_ITERATIONS)
    assert only(found).verdict is Verdict.INVALID
    asked = tuple(replace(side, options={"iter": 5}) for side in found.cells)
    assert only(replace(found, cells=asked)).verdict is Verdict.UNCHANGED


def test_more_than_a_third_of_the_pairs_dropped_is_invalid():
    found = only(spoilt(duel(1.0, screen=20), 8, Quality.THROTTLED))
    assert found.verdict is Verdict.INVALID
    assert found.sentence == "new and old cannot be compared: 8 of 20 pairs do not count: 8 throttled"
    assert only(spoilt(duel(1.0, screen=21), 7, Quality.THROTTLED)).verdict is Verdict.UNCHANGED


def test_a_spoilt_confirmation_is_invalid_and_does_not_fall_back_on_the_screen():
    found = only(spoilt(duel(1.1, confirm=20), 18, Quality.BUSY, Phase.CONFIRM))
    assert found.verdict is Verdict.INVALID
    assert "18 of 20 pairs do not count: 18 busy" in found.sentence


def test_fewer_than_six_pairs_are_invalid():
    assert (
        only(duel(1.0, screen=5)).sentence
        == "new and old cannot be compared: 5 pairs of rounds, 6 are needed"
    )
    assert only(duel(1.0, screen=6)).verdict is not Verdict.INVALID


def test_a_confirmation_that_was_cut_short_decides_nothing():
    found = only(duel(1.1, confirm=3))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "were cut short" in found.sentence
    assert only(duel(1.0, confirm=3)).verdict is Verdict.INCONCLUSIVE


def test_why_a_duel_was_not_confirmed_is_told_as_the_run_decided_it():
    made = duel(1.05)
    sides = (made.duels[0].baseline, made.duels[0].candidate)
    short = Allotment(sides, 0, 40, "40 fresh pairs decide, but the budget of 60 s has time for 0 pairs")
    cut = PhasePlan("arm-1", Phase.CONFIRM, cut="the budget of 60 s was used up")
    assert short.reason in only(replace(made, phases=(PhasePlan("arm-1", Phase.CONFIRM, (short,)),))).sentence
    assert cut.cut in only(replace(made, phases=(cut,))).sentence


def test_an_inconclusive_one_says_how_many_pairs_would_decide_it():
    found = only(duel(1.06, spread=0.05))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert f"about {found.pairs_wanted} fresh pairs would decide it" in found.sentence


def test_false_discoveries_are_held_down_over_all_that_were_confirmed():
    """One p of 0.03 alone is below 5 %; among twenty that show nothing it is not."""
    one = duel(1.04, confirm=7, spread=0.001)
    lone = only(one)
    assert lone.verdict is Verdict.SLOWER
    cells, duels = list(one.cells), list(one.duels)
    for number in range(20):
        other = duel(1.0, confirm=7, spread=0.03, seed=number + 2)
        moved = [replace(side, device=f"arm-{number + 2}") for side in other.cells]
        cells += moved
        duels.append(Duel(moved[0].id, moved[1].id, Change.BUILD))
    among = comparisons(run(*cells, duels=tuple(duels)))[0]
    assert among.q > lone.q
    assert among.verdict is Verdict.INCONCLUSIVE


def test_a_canary_is_judged_by_its_own_rounds_and_does_not_count_among_the_confirmed():
    for confirm in (0, 20):
        found = duel(1.08, screen=12, confirm=confirm)
        canary = replace(found.duels[0], is_canary=True)
        judged = only(replace(found, duels=(canary,)))
        assert judged.verdict is Verdict.SLOWER  # a false change: that is what a canary is there to show
        assert judged.q is None
        assert judged.is_canary


def test_what_differs_beyond_the_declared_change_makes_a_comparison_invalid_and_is_named():
    found = duel(1.0)
    old, new = found.cells
    other = replace(found, cells=(old, replace(new, options={"multithread": 2})))
    assert only(other).sentence == (
        "new and old cannot be compared: they differ in options: the program's defaults and --multithread=2"
    )
    declared = replace(found.duels[0], change=Change.VARIANT)
    assert only(replace(other, duels=(declared,))).verdict is Verdict.UNCHANGED


def test_a_failed_round_leaves_nothing_to_compare():
    found = duel(1.0)
    old, new = found.cells
    lost = RoundResult(
        RoundKind.TIMED,
        10,
        RoundStatus.FAILED,
        fault=Fault.RUNTIME,
        cause="signal-11",
        error="ended by signal 11",
    )
    failed = replace(new, rounds=(*new.rounds, lost), status=CellStatus.FAILED)
    assert only(replace(found, cells=(old, failed))).sentence.endswith(
        "m/fp32@new failed: ended by signal 11"
    )


def test_times_that_were_measured_before_the_device_was_lost_count():
    found = duel(1.0)
    old, new = found.cells
    lost = replace(new, status=CellStatus.FAILED, error="the connection was lost")
    assert only(replace(found, cells=(old, lost))).verdict is Verdict.UNCHANGED


def test_wrong_outputs_have_no_speed():
    found = duel(0.5, confirm=20)
    check = OutputCheck(
        "arm-1", found.cells[1].id, Against.BASELINE, "", OutputVerdict.WRONG, "y differs by 3.2 at (0, 7)"
    )
    judged = only(replace(found, outputs=(check,)))
    assert judged.verdict is Verdict.INVALID
    assert judged.sentence.endswith("are wrong: y differs by 3.2 at (0, 7)")


@pytest.mark.parametrize("status", [CellStatus.SKIPPED, CellStatus.CANCELLED, CellStatus.FAILED])
def test_a_side_that_was_not_measured_is_named_with_its_reason(status):
    found = duel(1.0)
    gone = replace(found.cells[1], rounds=(), status=status, reason="no such core")
    judged = only(replace(found, cells=(found.cells[0], gone)))
    assert judged.verdict is Verdict.INVALID
    assert judged.sentence.endswith(f"{status}: no such core")


def test_bytes_that_are_gone_leave_it_inconclusive_and_it_says_so():
    found = duel(1.0)
    gone = replace(
        found.cells[0], rounds=(), status=CellStatus.SKIPPED, reason="builds/old is not kept any more"
    )
    since = replace(found.duels[0], since="nightly-1")
    judged = only(replace(found, cells=(gone, found.cells[1]), duels=(since,)))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.sentence.startswith("not decided: ")
    assert "builds/old is not kept any more" in judged.sentence


def test_a_duel_of_a_cell_that_is_not_there_is_invalid():
    found = replace(duel(1.0), duels=(Duel("nowhere/m/v", "arm-1/m/fp32@new", Change.BUILD),))
    assert only(found).verdict is Verdict.INVALID
    assert "this run has no cell nowhere/m/v" in only(found).sentence


def against_earlier(change: float, confirm: int = 0, **known: str) -> Results:
    made = duel(change, confirm=confirm)
    old, new = made.cells
    before = Earlier(old.id, "nightly-1", tuple(noise(10, 0.005, seed=5)), tuple(known.items()))
    kept = replace(old, rounds=tuple(one for one in old.rounds if one.phase is Phase.CONFIRM))
    since = replace(made.duels[0], since="nightly-1")
    return replace(made, cells=(kept, new), duels=(since,), earlier=(before,))


def test_what_looks_as_in_an_earlier_run_is_unchanged_without_being_measured_again():
    judged = only(against_earlier(1.0))
    assert judged.verdict is Verdict.UNCHANGED
    assert not judged.effect.is_paired
    assert "between run nightly-1 and this run" in judged.sentence


def test_an_old_side_that_was_not_measured_again_need_not_be_in_the_results():
    made = against_earlier(1.0)
    assert only(replace(made, cells=made.cells[1:])) == only(made)


def test_an_earlier_run_with_too_few_rounds_to_look_at_leaves_it_open():
    made = against_earlier(1.0)
    few = replace(made.earlier[0], values_ms=made.earlier[0].values_ms[:3])
    judged = only(replace(made, earlier=(few,)))
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.sentence == "not decided: no fresh pairs were measured to confirm it"


def test_an_old_side_that_failed_when_it_was_measured_again_is_named():
    made = against_earlier(1.2)
    failed = replace(made.cells[0], status=CellStatus.FAILED, error="ended by signal 11")
    judged = only(replace(made, cells=(failed, made.cells[1])))
    assert judged.verdict is Verdict.INVALID
    assert "ended by signal 11" in judged.sentence


def test_an_old_side_that_is_gone_may_be_unchanged_by_its_earlier_rounds_and_else_says_that_it_is_gone():
    for change, verdict in ((1.0, Verdict.UNCHANGED), (1.2, Verdict.INCONCLUSIVE)):
        made = against_earlier(change)
        gone = replace(made.cells[0], status=CellStatus.SKIPPED, reason="its program is not kept any more")
        judged = only(replace(made, cells=(gone, made.cells[1])))
        assert judged.verdict is verdict
        assert ("its program is not kept any more" in judged.sentence) is (verdict is Verdict.INCONCLUSIVE)


def test_what_looks_changed_since_an_earlier_run_is_slower_only_with_fresh_pairs_of_both():
    assert only(against_earlier(1.2)).verdict is Verdict.INCONCLUSIVE
    judged = only(against_earlier(1.2, confirm=20))
    assert judged.verdict is Verdict.SLOWER
    assert judged.baseline_run == "nightly-1"


def test_an_earlier_run_under_other_conditions_settles_nothing_but_one_lease_does():
    judged = only(against_earlier(1.0, kernel="5.10"))
    assert judged.verdict is Verdict.INVALID
    assert judged.sentence.endswith("they differ in kernel: 5.10 and 6.1.43")
    assert only(against_earlier(1.2, confirm=20, kernel="5.10")).verdict is Verdict.SLOWER


def test_a_device_that_drifted_is_told_and_its_pairs_count_all_the_same():
    slower = [1 + 0.02 * i for i in range(12)]
    sides = [cell(*timed([10 * s * n for s, n in zip(slower, noise(12, 0.002, 1.0, i), strict=True)]), build=b)
             for i, b in enumerate(("old", "new"))]  # fmt: skip
    judged = only(run(*sides, duels=(Duel(sides[0].id, sides[1].id, Change.BUILD),)))
    assert judged.verdict is Verdict.UNCHANGED
    assert judged.notes[0].startswith("the device drifted: +2")


def test_times_of_zero_decide_nothing_and_break_nothing():
    sides = [cell(*timed([0.0] * 10), build=build) for build in ("old", "new")]
    judged = only(run(*sides, duels=(Duel(sides[0].id, sides[1].id, Change.BUILD),)))
    assert judged.verdict is Verdict.INCONCLUSIVE


ROUND = st.builds(
    RoundResult,
    kind=st.sampled_from(RoundKind),
    index=st.integers(0, 12),
    status=st.sampled_from(RoundStatus),
    quality=st.sampled_from([Quality.OK, Quality.OK, *Quality]),
    value_ms=st.none() | st.floats() | st.floats(0.1, 10),
    e2e_ms=st.just((1.0,)),
    phase=st.sampled_from(Phase),
    attempt=st.integers(-1, 2),
)
CELL = st.builds(
    lambda rounds, build, status: cell(*rounds, build=build, status=status, summary=None),
    st.lists(ROUND, max_size=30),
    st.sampled_from("ab"),
    st.sampled_from(CellStatus),
)
ID = st.sampled_from(["arm-1/m/fp32@a", "arm-1/m/fp32@b", "gone", ""])
DUEL = st.builds(Duel, ID, ID, st.sampled_from(Change), is_canary=st.booleans(), since=st.none() | st.text())
EARLIER = st.builds(Earlier, ID, st.text(), st.lists(st.floats(), max_size=9).map(tuple))
LEAST = st.floats(0, 1) | st.floats()


@settings(max_examples=60, deadline=None)
@given(st.lists(CELL, max_size=3), st.lists(DUEL, max_size=4), st.lists(EARLIER, max_size=2), LEAST)
def test_no_file_makes_a_comparison_raise_and_none_is_changed_without_fresh_pairs(
    cells, duels, earlier, least
):
    made = run(*cells, duels=tuple(duels), earlier=tuple(earlier), comparing=Comparing(least))
    found = comparisons(made)
    assert len(found) == len(duels)
    for one in found:
        assert one.sentence
        assert one.verdict not in CHANGED or one.confirm is not None or one.is_canary
        assert one.verdict is not Verdict.INVALID or one.q is None


def test_a_run_that_is_read_again_says_the_same():
    made = duel(1.06, confirm=20)
    assert comparisons(results_from_json(results_to_json(made), "")) == comparisons(made)
    assert all(math.isfinite(one.effect.ratio) for one in comparisons(made))
