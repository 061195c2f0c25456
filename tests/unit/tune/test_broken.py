"""Runs that say nothing of a candidate, or of another program: the search does not go on with them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.errors import Fault, RequestError
from farm.model.comparison import Verdict
from farm.model.matrix import RoundKind
from farm.model.run import CellStatus, RoundResult, RoundStatus
from farm.tune.halving import next_step
from farm.tune.nouns import DEFAULT, Kind, Outcome, Step, Tune
from farm.tune.outcomes import trouble
from farm.tune.search import BrokenError, Measured, search, sentence
from tests.unit.compare.made import cell, run, timed
from tests.unit.tune.made import REQUEST, Played, by_name, of_candidates, some, tune

LOST = {"fault": Fault.NETWORK, "cause": "connection-lost", "error": "connection lost"}
ALL = (DEFAULT, "c1", "c2", "c3")


def over(made: Tune, played: Played) -> Tune:
    return search(made, REQUEST, played.world())


# --------------------------------------------------------------------------- what is lost


@pytest.mark.parametrize("lost", [ALL, ("c1",), (DEFAULT,)])
def test_a_step_whose_connection_was_lost_is_measured_again_and_nothing_is_dropped(lost) -> None:
    played = by_name({"c1": 5.0})
    played.failures = dict.fromkeys(lost, LOST)
    with pytest.raises(BrokenError, match="was not measured: connection lost") as broken:
        over(of_candidates(some(3)), played)
    assert "--resume t" in broken.value.hint
    (*_, kept) = played.saved
    assert not kept.steps[-1].is_measured
    played.failures = {}
    assert over(kept, played).winner.name == "c1"


def test_a_confirmation_whose_connection_was_lost_is_measured_again() -> None:
    played = by_name({"c1": 5.0})
    world = played.world()

    def measure(request, name):
        played.failures = dict.fromkeys(ALL, LOST) if request.ab else {}
        return world.measure(request, name)

    with pytest.raises(BrokenError, match="connection lost"):
        search(of_candidates(some(3)), REQUEST, replace(world, measure=measure))
    (*_, kept) = played.saved
    assert kept.confirmation is None
    played.failures = {}
    assert over(kept, played).winner.name == "c1"


FAILED = CellStatus.FAILED
KILLED = RoundResult(RoundKind.TIMED, 1, RoundStatus.FAILED, fault=Fault.DEVICE, cause="killed")


@pytest.mark.parametrize(
    ("rounds", "fields", "is_lost"),
    [
        ((), {"status": FAILED, "fault": Fault.DEVICE, "cause": "disk-full"}, True),
        ((), {"status": FAILED, "fault": Fault.FARM, "cause": "farm-fault"}, True),
        ((), {"status": CellStatus.CANCELLED, "reason": "interrupted"}, True),
        ((replace(KILLED, cause="lost"),), {"status": FAILED, "fault": Fault.DEVICE, "cause": "lost"}, True),
        ((KILLED,), {"status": FAILED, "fault": Fault.DEVICE, "cause": "disk-full"}, True),
        ((KILLED,), {"status": FAILED, "fault": Fault.DEVICE, "cause": "killed"}, False),
        ((), {"status": FAILED, "fault": Fault.RUNTIME, "cause": "crashed"}, False),
        ((), {"status": FAILED, "fault": Fault.USER, "cause": "refused"}, False),
        ((), {"status": CellStatus.SKIPPED, "reason": "this program has no such option"}, False),
    ],
)
def test_what_a_candidate_does_by_itself_is_its_own_and_all_else_is_not(rounds, fields, is_lost) -> None:
    cells = (cell(*timed([10.0]), variant=DEFAULT), cell(*timed([5.0]), *rounds, variant="c1", **fields))
    why = trouble(run(*cells), checks=False)
    assert (why is not None) is is_lost
    if is_lost:
        assert why.startswith("c1 was not measured: ")


def test_a_round_that_took_too_long_hints_at_what_a_search_has() -> None:
    played = by_name({})
    limit = {"cause": "wall-limit", "error": "too long", "hint": "raise --round-limit"}
    played.failures = {DEFAULT: limit | {"fault": Fault.RUNTIME}}
    with pytest.raises(BrokenError) as broken:
        over(of_candidates(some(3)), played)
    assert "a larger --budget" in broken.value.hint
    assert "--round-limit" not in broken.value.hint


# --------------------------------------------------------------------------- the default stays


def test_a_default_over_the_memory_limit_is_compared_with_and_a_smaller_candidate_may_win() -> None:
    played = Played(lambda _, o: 5.0 if "multithread" in o else 10.0)
    made = tune("threads=default,2,4", "layout=default,nchw44", "fast-run=default,true",
                "record=default,1", memory_limit_bytes=200)  # fmt: skip
    played.memory_bytes = {one.name: 100 for one in made.candidates} | {DEFAULT: 300}
    done = over(made, played)
    assert done.steps[0].kind is Kind.VALUES
    assert all(one.candidates[0] == DEFAULT for one in done.steps)
    assert "multithread" in done.winner.options
    assert done.default_dropped == "it plans to use 300 Bytes, more than 200 Bytes"


def test_a_default_over_the_memory_limit_is_no_answer_and_that_is_said() -> None:
    played = by_name({})
    played.memory_bytes = {DEFAULT: 300, "c1": 100, "c2": 100, "c3": 100}
    done = over(of_candidates(some(3), memory_limit_bytes=200), replace(played, noise=0.001))
    assert sentence(done).startswith("no option set is faster than the default (")
    assert sentence(done).endswith("but the default is no answer either: " + done.default_dropped)


# --------------------------------------------------------------------------- the confirmation


def test_a_winner_whose_outputs_differ_in_the_confirmation_is_none() -> None:
    played = by_name({"c1": 5.0})
    played.wrong_at_end = frozenset({"c1"})
    done = over(of_candidates(some(3)), played)
    assert done.winner is None
    assert done.confirmation.verdict is Verdict.INVALID
    assert not done.confirmation.is_decided
    assert done.confirmation.sentence == "other outputs: it differs by 0.1"
    assert over(of_candidates(some(3), checks=False), played).winner.name == "c1"


# --------------------------------------------------------------------------- another program


def test_a_step_of_another_program_is_refused_and_kept_out() -> None:
    played = by_name({"c1": 5.0})
    played.runtime_digests = ("a" * 64, "b" * 64)
    with pytest.raises(RequestError, match="SHA-256 was aaaaaaaaaaaa, not bbbbbbbbbbbb"):
        over(of_candidates(some(9)), played)
    (*_, kept) = played.saved
    assert kept.runtime_digest == "a" * 64
    assert [one.is_measured for one in kept.steps] == [True, False]
    played.runtime_digests = ("a" * 64,)
    assert over(kept, played).winner.name == "c1"


def test_a_confirmation_of_another_program_is_refused() -> None:
    played = by_name({"c1": 5.0})
    played.runtime_digests = ("a" * 64, "b" * 64)
    with pytest.raises(RequestError, match="is another than in the steps before"):
        over(of_candidates(some(3)), played)
    assert played.saved[-1].confirmation is None


# --------------------------------------------------------------------------- time


def test_rounds_that_took_no_time_are_planned_all_the_same() -> None:
    outcomes = tuple(
        Outcome(name, 1.0, pairs=2, round_s=0.0) for name in (DEFAULT, *map("c{}".format, range(1, 10)))
    )
    first = Step(Kind.RUNG, "rung-1", tuple(one.name for one in outcomes), 2, 60.0, "t-rung-1", outcomes, 1.0)
    assert next_step(of_candidates(some(9), steps=(first,))).rounds >= 2


def test_a_clock_that_was_set_forward_during_a_step_takes_nothing_of_the_budget() -> None:
    played = by_name({"c1": 5.0})
    played.lasted_s = 20.0
    world = played.world()

    def measure(request, name):
        made = world.measure(request, name)
        return Measured(replace(made.results, ended_at="2027-11-23T11:36:41+00:00"), made.lasted_s)

    done = search(of_candidates(some(3)), REQUEST, replace(world, measure=measure))
    assert [one.took_s for one in done.steps] == [20.0] * len(done.steps)
    assert done.confirmation.took_s == 20.0
    assert all(one.round_s < 20.0 for one in done.steps[0].outcomes)
