"""Searches from their first step to their end, with times that are known."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.model.comparison import Verdict
from farm.model.outputs import Check
from farm.options import parse
from farm.tune.halving import ETA, next_step, rungs_of
from farm.tune.nouns import DEFAULT, FITTING, Kind, Tune
from farm.tune.search import BrokenError, search, sentence
from farm.tune.space import axis_of_text, combinations
from farm.tune.state import TuneFolder
from tests.unit.tune.made import REQUEST, Played, by_name, of_candidates, some, target, tune

MIXED = ("threads=default,2,4", "layout=default,nchw44", "fast-run=default,true", "record=default,1")


def speed(_name: str, options) -> float:
    """Four threads and nchw44 are each faster, together most of all."""
    ms = 10.0
    ms *= {2: 0.8, 4: 0.6}.get(options.get("multithread"), 1.0)
    ms *= 0.7 if options.get("enable-nchw44") else 1.0
    return ms * (1.1 if options.get("record-comp-seq") else 1.0)


def over(made: Tune, played: Played) -> Tune:
    return search(made, REQUEST, played.world())


def test_the_fastest_combination_is_found_and_confirmed() -> None:
    played = Played(speed)
    done = over(tune(*MIXED), played)
    assert done.winner is not None
    assert done.winner.options["multithread"] == 4
    assert done.winner.options["enable-nchw44"] is True
    assert "record-comp-seq" not in done.winner.options
    assert done.confirmation.verdict is Verdict.FASTER
    assert done.confirmation.ratio == pytest.approx(0.42, rel=0.02)
    assert played.requests[-1].ab == (DEFAULT, done.winner.name)
    assert played.requests[-1].rounds >= 6
    assert "faster than default" in sentence(done)


TIMES = st.lists(
    st.one_of(st.floats(5.0, 20.0), st.just("a crash"), st.just("wrong")), min_size=1, max_size=12
)


@settings(max_examples=25, deadline=None)
@given(TIMES, st.floats(15, 3000), st.integers(0, 3))
def test_whatever_is_measured_the_default_stays_each_rung_is_smaller_and_what_failed_never_wins(
    times, budget_s: float, seed: int
) -> None:
    names = {f"c{number}": one for number, one in enumerate(times, 1)}
    played = by_name({name: 7.0 if one == "wrong" else one for name, one in names.items()})
    played.wrong = frozenset(name for name, one in names.items() if one == "wrong")
    done = over(of_candidates(some(len(times)), budget_s=budget_s, seed=seed), played)
    rungs = [one for one in done.steps if one.kind is Kind.RUNG]
    assert all(one.candidates[0] == DEFAULT and one.rounds >= 2 for one in done.steps)
    assert all(set(after.candidates) < set(before.candidates) for before, after in itertools.pairwise(rungs))
    found = done.confirmation
    if found.candidate is not None:
        assert isinstance(names[found.candidate], float)
    if done.winner is not None:
        assert names[done.winner.name] < 10.0
    measured = [names[one] for one in (rungs[0].candidates if rungs else ()) if one != DEFAULT]
    good = [one for one in measured if isinstance(one, float)]
    if found.candidate is not None:
        assert names[found.candidate] <= 1.03 * min(good)


@settings(max_examples=15, deadline=None)
@given(TIMES, st.integers(0, 8), st.floats(20, 600))
def test_a_search_that_is_stopped_anywhere_and_resumed_ends_as_one_that_was_not(
    tmp_path_factory, times, stop_after: int, budget_s: float
) -> None:
    names = {f"c{number}": 7.0 if one == "wrong" else one for number, one in enumerate(times, 1)}
    made = of_candidates(some(len(times)), budget_s=budget_s)
    whole = over(made, by_name(names))
    folder = TuneFolder(tmp_path_factory.mktemp("t"), "t")
    folder.path.mkdir(parents=True)
    cut = by_name(names)
    cut.stop_after = stop_after
    folder.save(made)
    try:
        search(made, REQUEST, replace(cut.world(), save=folder.save))
    except KeyboardInterrupt:
        assert len(cut.requests) == stop_after
    rest = by_name(names)
    assert search(folder.load(), REQUEST, replace(rest.world(), save=folder.save)) == whole
    assert folder.load() == whole
    assert len(cut.requests) + len(rest.requests) == len(whole.steps) + (
        whole.confirmation.candidate is not None
    )


def test_a_planned_step_is_measured_as_it_was_planned_also_when_it_would_be_planned_otherwise_now() -> None:
    played = by_name({})
    played.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        over(of_candidates(some(9)), played)
    (*_, kept) = played.saved
    assert not kept.steps[-1].is_measured
    assert next_step(replace(kept, budget_s=1e5)) is kept.steps[-1]


def test_where_nothing_is_faster_the_search_says_so_and_is_decided() -> None:
    done = over(tune(*MIXED), Played(lambda *_: 10.0, noise=0.001))
    assert done.winner is None
    assert done.confirmation.is_decided
    assert sentence(done).startswith("no option set is faster than the default (")


def test_where_everything_else_fails_the_default_is_the_answer() -> None:
    done = over(of_candidates(some(4)), by_name({f"c{n}": "a crash" for n in range(1, 5)}))
    assert done.winner is None
    assert done.confirmation.candidate is None
    assert done.confirmation.is_decided
    assert {one.dropped for one in done.steps[-1].outcomes if one.name != DEFAULT} == {"a crash"}


def test_too_few_rounds_for_an_answer_are_undecided() -> None:
    noisy = Played(lambda name, _: 10.0 if name == DEFAULT else 9.7, noise=0.4)
    done = over(of_candidates(some(3)), noisy)
    assert done.confirmation.verdict is Verdict.INCONCLUSIVE
    assert not done.confirmation.is_decided
    assert "not decided" in sentence(done)


def test_without_times_of_the_default_nothing_follows() -> None:
    with pytest.raises(BrokenError, match="the default was not measured: no memory") as broken:
        over(of_candidates(some(3)), by_name({DEFAULT: "no memory"}))
    assert "--resume t" in broken.value.hint


def test_a_model_that_differs_from_itself_is_not_tuned_unless_nobody_checks() -> None:
    random_model = by_name({"c1": 5.0})
    random_model.wrong = frozenset({DEFAULT})
    with pytest.raises(BrokenError, match="the outputs of the default cannot be compared: it differs"):
        over(of_candidates(some(3)), random_model)
    done = over(of_candidates(some(3), checks=False), random_model)
    assert done.winner.name == "c1"
    assert {one.check for one in random_model.requests[1:]} == {Check.OFF}


def test_outputs_and_memory_are_looked_at_once_and_outputs_again_at_the_end() -> None:
    played = by_name({"c1": 5.0, "c2": 6.0})
    played.memory_bytes = dict.fromkeys((DEFAULT, *(f"c{n}" for n in range(1, 10))), 100)
    done = over(of_candidates(some(9), memory_limit_bytes=200), played)
    checks = [one.check for one in played.requests]
    assert checks == [Check.OUTPUTS, *[Check.OFF] * (len(done.steps) - 1), Check.OUTPUTS]
    asked = ["get-static-mem-info" in one.variants[0].options for one in played.requests]
    assert asked == [True, *[False] * len(done.steps)]


def test_what_needs_more_memory_than_allowed_or_does_not_say_it_never_wins() -> None:
    played = by_name({"c1": 4.0, "c2": 5.0, "c3": 6.0})
    played.memory_bytes = {DEFAULT: 100, "c1": 300_000_000, "c3": 200}
    done = over(of_candidates(some(3), memory_limit_bytes=200_000_000), played)
    assert done.winner.name == "c3"
    why = {one.name: one.dropped for one in done.steps[0].outcomes}
    assert why["c1"] == "it plans to use 300 MB, more than 200 MB"
    assert why["c2"] == "how much memory it plans to use is not known"


def test_a_value_that_fails_alone_is_not_combined() -> None:
    def broken(name: str, options) -> float | str:
        return "no such kernel" if options.get("enable-nchw44") else speed(name, options)

    played = Played(broken)
    done = over(tune(*MIXED), played)
    assert done.steps[0].kind is Kind.VALUES
    assert [(one.value, one.why) for one in done.left_out] == [("layout=nchw44", "no such kernel")]
    tried = [one for request in played.requests[1:] for one in request.variants]
    assert tried
    assert not any("enable-nchw44" in one.options for one in tried)
    assert done.winner.options == {"multithread": 4}


def test_a_value_that_is_hopelessly_slow_alone_is_not_combined() -> None:
    done = over(tune(*MIXED), Played(lambda name, o: speed(name, o) * (60 if o.get("enable-nchw44") else 1)))
    assert [one.value for one in done.left_out] == ["layout=nchw44"]
    assert done.left_out[0].why.endswith("times as slow alone")


# --------------------------------------------------------------------------- fitting


def fitting(played: Played) -> Tune:
    return over(tune("threads=default,2", "fitting=true"), played)


def test_what_fitting_finds_is_a_candidate_like_others() -> None:
    played = Played(lambda name, o: 5.0 if o.get("const-shape") else speed(name, o))
    played.fitted = parse(["--const_shape=true"])
    done = fitting(played)
    assert done.winner.name == FITTING
    assert done.winner.options == {"const-shape": True}


def test_what_fitting_finds_leaves_the_device_that_was_given() -> None:
    played = Played(lambda _, o: 5.0 if o.get("const-shape") else 10.0)
    played.fitted = parse(["--cpu=true", "--const_shape=true"])
    space = combinations([axis_of_text("fitting=true")], target(parse(["--cpu-default"])))
    done = over(of_candidates(space.candidates), played)
    assert done.winner.options == {"cpu-default": True, "const-shape": True}


@pytest.mark.parametrize(
    ("found", "invalid", "why"),
    [
        (None, None, "it found no options"),
        (["--multithread=2"], None, "it found threads=2"),
        (["--const_shape=true"], "not here", "the options that it found are invalid: not here"),
    ],
)
def test_what_fitting_does_not_find_is_no_candidate_and_says_why(found, invalid, why: str) -> None:
    played = Played(speed, invalid=invalid)
    played.fitted = parse(found) if found else None
    done = fitting(played)
    outcome = next(one for one in done.steps[0].outcomes if one.name == FITTING)
    assert (outcome.dropped, outcome.ratio) == (why, None)
    assert FITTING not in done.by_name
    assert done.winner.options == {"multithread": 2}


# --------------------------------------------------------------------------- the budget


@pytest.mark.parametrize("budget_s", [60, 600, 6000])
def test_a_search_takes_about_its_budget_at_most(budget_s: float) -> None:
    many = tune("threads=default,2,4,8", "cores=default,big,little", *MIXED[1:], "const-shape=default,true")
    done = over(replace(many, budget_s=budget_s), Played(speed))
    assert done.spent_s <= 1.05 * budget_s
    assert len(many.candidates) > 60
    first = next(one for one in done.steps if one.kind is Kind.RUNG)
    assert (len(first.candidates) == len(many.candidates)) is (budget_s > 1000)


def test_one_in_three_goes_on() -> None:
    assert [rungs_of(number) for number in (1, 3, 4, 9, 10, 27)] == [1, 1, 2, 2, 3, 3]
    assert ETA == 3
    done = over(
        of_candidates(some(27), budget_s=2000.0), by_name({f"c{n}": 10.0 + n / 10 for n in range(1, 28)})
    )
    assert [len(one.candidates) - 1 for one in done.steps] == [27, 9, 3]
