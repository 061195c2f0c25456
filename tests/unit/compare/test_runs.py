"""Two runs of different nights: matched cell by cell, and never slower without a confirmation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from farm.compare.fingerprint import TRAITS, Side, changes, differences, fingerprint
from farm.compare.match import found_change
from farm.compare.runs import compare_runs, earlier
from farm.errors import RequestError
from farm.model.comparison import Change, Comparing, Duel, Phase, Verdict
from farm.model.device import Facts, Gpu, PowerSupply
from farm.model.run import CellStatus, ModelRecord, Quality, Results
from tests.unit.compare.made import FACTS, cell, duel, noise, run, timed

COMPARING = Comparing()


def night(change: float = 1.0, rounds: int = 10, seed: int = 1, **fields) -> Results:
    level_ms = 10.0 * change
    return run(cell(*timed(noise(rounds, 0.004, level_ms, seed))), **{"run_id": f"night-{seed}", **fields})


def with_facts(results: Results, facts: Facts) -> Results:
    return replace(results, devices=tuple(replace(one, facts=facts) for one in results.devices))


def with_runtime(results: Results, digest: str) -> Results:
    return replace(results, devices=tuple(replace(one, runtime_digest=digest) for one in results.devices))


def compared(baseline: Results, other: Results, change: Change | None = None):
    (found,) = compare_runs(baseline, other, COMPARING, change).comparisons
    return found


def test_two_nights_may_show_that_nothing_changed():
    found = compared(night(), night(seed=2))
    assert found.verdict is Verdict.UNCHANGED
    assert "between run night-1 and run night-2" in found.sentence
    assert found.sentence.endswith(", 10 rounds a side")
    assert found.notes == ("rounds of two runs, not pairs of one",)


@pytest.mark.parametrize("change", [0.5, 0.9, 1.1, 3.0])
def test_two_nights_are_never_slower_or_faster_by_themselves(change):
    found = compared(night(), night(change, 50, seed=2))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "looks" in found.sentence
    assert "farm compare --confirm" in found.sentence
    assert found.confirm is None


def test_of_a_cell_that_was_confirmed_the_fresh_rounds_count_which_its_own_number_is_of():
    """Who gets fresh rounds is decided by the first ones: these are a choice."""
    first, fresh = timed(noise(10, 0.004, 12.0)), timed(noise(20, 0.004), Phase.CONFIRM)
    found = compared(night(), run(cell(*first, *fresh)))
    assert found.verdict is Verdict.UNCHANGED
    assert found.candidate_ms == cell(*first, *fresh).summary.median_ms


def test_too_few_rounds_are_inconclusive_and_never_unchanged():
    found = compared(night(rounds=3), night(rounds=3, seed=2))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "6 rounds a side are needed" in found.sentence


def test_rounds_that_do_not_count_are_dropped_and_too_many_make_it_invalid():
    few, many = (
        run(
            cell(*timed(noise(10, 0.004)), *timed(noise(n, 0.004), quality=Quality.BUSY, attempt=1)),
            run_id="n",
        )
        for n in (2, 9)
    )
    assert compared(night(), few).pairs_dropped == 2
    assert compared(night(), few).verdict is Verdict.UNCHANGED
    assert compared(night(), many).verdict is Verdict.INVALID
    assert "9 busy" in compared(night(), many).sentence


def test_what_a_run_confirmed_against_this_baseline_counts_as_confirmed():
    made = duel(1.06, confirm=20)
    _, new = made.cells
    since = replace(made, run_id="new", duels=(replace(made.duels[0], since="night-1"),))
    baseline = run(replace(new, rounds=timed(noise(10, 0.005))), run_id="night-1")
    found = compare_runs(baseline, since, COMPARING)
    assert [one.verdict for one in found.comparisons] == [Verdict.SLOWER]
    assert found.without_baseline == ()  # the old bytes that it measured again are no cell of its own
    other = compare_runs(replace(baseline, run_id="night-0"), since, COMPARING)
    assert [one.verdict for one in other.comparisons] == [Verdict.INCONCLUSIVE]
    stricter = compare_runs(baseline, since, Comparing(0.10))
    assert [one.verdict for one in stricter.comparisons] == [Verdict.UNCHANGED]


def test_what_was_confirmed_against_another_run_does_not_count():
    """A run may have duels with two baselines: each is confirmed against its own."""
    made = duel(1.06, confirm=20)
    old, new = made.cells
    elsewhere = tuple(replace(side, device="arm-2") for side in (old, new))
    duels = (
        replace(made.duels[0], since="night-1"),
        Duel(elsewhere[0].id, elsewhere[1].id, Change.BUILD, since="night-0"),
    )
    whole = run(old, new, *elsewhere, duels=duels)
    baseline = run(
        *(replace(side, rounds=timed(noise(10, 0.005))) for side in (new, elsewhere[1])), run_id="night-1"
    )
    found = compare_runs(baseline, whole, COMPARING)
    assert [one.verdict for one in found.comparisons] == [Verdict.SLOWER, Verdict.INCONCLUSIVE]


def test_a_canary_is_not_compared_with_another_night():
    twice = duel(1.0)
    canary = replace(twice.duels[0], is_canary=True)
    found = compare_runs(run(twice.cells[0], run_id="n"), replace(twice, duels=(canary,)), COMPARING)
    assert [one.candidate for one in found.comparisons] == [twice.cells[0].id]
    assert found.without_baseline == ()


def test_cells_that_one_run_only_has_are_listed():
    first = cell(*timed(noise(10, 0.004)))
    here, there = replace(first, device="arm-2"), replace(first, device="arm-3")
    found = compare_runs(run(first, here), run(first, there), COMPARING)
    assert len(found.comparisons) == 1
    assert found.without_baseline == ("arm-3/m/fp32",)
    assert found.not_in_run == ("arm-2/m/fp32",)


def test_what_neither_run_was_to_measure_is_left_out_and_what_one_was_not_is_invalid():
    skipped = replace(cell(), status=CellStatus.SKIPPED, reason="no CUDA")
    first = cell(*timed(noise(10, 0.004)))
    other = replace(skipped, variant="cuda")
    assert len(compare_runs(run(first, other), run(first, other), COMPARING).comparisons) == 1
    found = compared(run(first), run(skipped))
    assert found.verdict is Verdict.INVALID
    assert "skipped: no CUDA (run new)" in found.sentence


def test_runs_without_a_common_cell_are_refused():
    first = cell(*timed(noise(10, 0.004)))
    with pytest.raises(RequestError, match="no common cell") as caught:
        compare_runs(run(first), run(replace(first, device="arm-2", model="other")), COMPARING)
    assert "--change" in caught.value.hint
    with pytest.raises(RequestError, match="no common cell"):
        compare_runs(run(), run(), COMPARING)


@pytest.mark.parametrize(
    ("change", "renamed"),
    [
        (Change.BUILD, {"build": "new"}),
        (Change.MODEL, {"model": "m2"}),
        (Change.VARIANT, {"variant": "nchw"}),
    ],
)
def test_cells_whose_names_differ_in_what_changes_find_each_other(change, renamed: Any):
    first = cell(*timed(noise(10, 0.004)))
    second = replace(first, **renamed)
    assert compared(run(first), run(second)).change is change
    assert compared(run(first), run(second), change).verdict is Verdict.UNCHANGED
    another: dict[str, Any] = dict.fromkeys(renamed, "x")
    third = replace(second, **another)
    with pytest.raises(RequestError, match="no common cell"):  # either could be meant
        compare_runs(run(first), run(second, third), COMPARING, change)


def test_the_change_is_found_from_what_differs():
    first = night()
    assert found_change(first, night(seed=2)) is Change.NOTHING
    assert found_change(first, with_runtime(night(), "bb")) is Change.BUILD
    assert found_change(first, replace(night(), models=(ModelRecord("m", "cd" * 32, 1, ""),))) is Change.MODEL
    options = replace(night(), cells=(replace(first.cells[0], options={"fake-first": True}),))
    assert found_change(first, options) is Change.VARIANT


def test_another_difference_than_the_declared_one_is_invalid_and_named():
    found = compared(night(), with_runtime(night(), "bb"), Change.NOTHING)
    assert found.verdict is Verdict.INVALID
    assert found.differences == ("runtime's files: aa and bb",)
    both = with_facts(with_runtime(night(), "bb"), replace(FACTS, kernel="6.1.75"))
    assert compared(night(), both).differences == ("kernel: 6.1.43 and 6.1.75",)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        (
            {"governors": ((0, "performance"), (1, "powersave"))},
            "governor: performance and 0: performance, 1: powersave",
        ),
        ({"cpu_model": "RK3399"}, "CPU: RK3588 and RK3399"),
        ({"kernel": "x" * 500}, f"kernel: 6.1.43 and {'x' * 80} ..."),
    ],
)
def test_a_device_that_is_not_what_it_was_makes_it_invalid(facts, named):
    found = compared(night(), with_facts(night(seed=2), replace(FACTS, **facts)))
    assert found.verdict is Verdict.INVALID
    assert found.differences == (named,)


def with_digests(results: Results, **digests: str) -> Results:
    return replace(results, cells=tuple(replace(one, **cast("Any", digests)) for one in results.cells))


@pytest.mark.parametrize(
    ("digest", "change", "named"),
    [
        ("runtime_digest", Change.BUILD, "runtime's files"),
        ("model_sha256", Change.MODEL, "model"),
        ("input_sha256", Change.MODEL, "input's data"),
        ("options_sha256", Change.VARIANT, "files of options"),
    ],
)
def test_bytes_that_differ_are_what_changed_whatever_their_names_are(digest, change, named):
    old, new = (with_digests(night(), **{digest: value}) for value in ("a" * 64, "b" * 64))
    assert found_change(old, new) is change
    assert compared(old, new).verdict is Verdict.UNCHANGED
    undeclared = compared(old, new, Change.NOTHING)
    assert undeclared.verdict is Verdict.INVALID
    assert undeclared.differences == (f"{named}: {'a' * 12} and {'b' * 12}",)


def test_the_same_input_under_another_path_is_no_difference():
    old, new = night(), replace(night(), models=(ModelRecord("m", "ab" * 32, 1, "data:elsewhere.npy"),))
    assert compared(old, new, Change.NOTHING).verdict is Verdict.INVALID
    before, after = (with_digests(one, input_sha256="c" * 64) for one in (old, new))
    assert compared(before, after, Change.NOTHING).verdict is Verdict.UNCHANGED


def test_a_build_has_a_runtime_of_its_own_and_not_that_of_its_device():
    """The device's record has what the inventory says, which another build does not run."""
    old, new = (run(cell(*timed(noise(10, 0.004)), build="release"), run_id=name) for name in "ab")
    assert compared(old, with_runtime(new, "bb"), Change.NOTHING).verdict is Verdict.UNCHANGED


def test_a_new_driver_is_named():
    old, new = (replace(FACTS, gpus=(Gpu("T4", driver),)) for driver in ("535", "550"))
    found = compared(with_facts(night(), old), with_facts(night(), new))
    assert found.differences == ("GPU driver: 535 and 550",)


def test_a_harmless_difference_is_told_and_does_not_matter():
    found = compared(night(), night(seed=2, farm_version="0.2.0"))
    assert found.verdict is Verdict.UNCHANGED
    assert found.differences == ("farm: 0.1.0 and 0.2.0",)


def test_what_one_side_does_not_know_is_no_difference():
    assert compared(night(), with_facts(night(seed=2), Facts())).verdict is Verdict.UNCHANGED
    assert compared(replace(night(), devices=(), models=()), night(seed=2)).verdict is Verdict.UNCHANGED


def test_every_trait_is_read_and_has_a_name_of_its_own():
    whole = replace(
        FACTS, architecture="aarch64", core_ids=(0, 1), max_frequency_khz=((0, 1),), libc="glibc 2.36",
        cpu_features=("asimd",), os_name="Debian", memory_bytes=2**30, gpus=(Gpu("T4", "535", power_limit_w=70),),
        cpuset=(0, 1), cpu_limit_cores=1.5, frequency_limits_khz=((0, 1),), frequency_driver="cpufreq-dt", turbo=False,
        smt=False, virtual="kvm", power_supplies=(PowerSupply("BAT0", "Battery", status="Discharging"),),
        clock_source="arch_sys_counter",
    )  # fmt: skip
    digests = dict.fromkeys(("model_sha256", "input_sha256", "options_sha256"), "a" * 64)
    made = with_digests(with_facts(night(), whole), **digests)
    made = replace(made, devices=tuple(replace(one, engine="MegEngine 1.13.0") for one in made.devices))
    known = fingerprint(Side(made, made.cells[0]))
    assert set(known) == {trait.label for trait in TRAITS}
    assert len(known) == len(TRAITS)
    assert differences(known, known, Change.NOTHING).all == ()
    assert changes(known, known) == frozenset()


def test_what_an_earlier_run_has_of_a_cell_is_kept_with_what_it_belongs_to():
    made = night()
    found = earlier(made, made.cells[0], "arm-1/m/fp32@baseline")
    assert (found.cell, found.run, len(found.values_ms)) == ("arm-1/m/fp32@baseline", "night-1", 10)
    assert dict(found.fingerprint)["kernel"] == "6.1.43"


def test_names_as_hostile_as_they_may_be_are_matched_as_they_are():
    first = replace(cell(*timed(noise(10, 0.004))), device="\ud800/<b>\x00", variant="")
    assert compared(run(first), run(first)).verdict is Verdict.UNCHANGED


def test_duels_that_name_nothing_hide_no_cell():
    first = night()
    odd = replace(first, duels=(Duel("", "gone", Change.BUILD, since="x"),))
    assert compared(odd, odd).verdict is Verdict.UNCHANGED
