"""Which rounds of runs are A/A pairs, and how fit they show a device to be."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.analysis.sample_size import PILOT_PAIRS
from farm.compare import stability
from farm.compare.stability import MOST_MODELS, Fitness, Question, Session, Standing, ranking, sessions_of
from farm.model.comparison import Change, Duel, Phase
from farm.model.run import CellResult, Quality, Results, RoundResult, RoundStatus
from farm.model.telemetry import Telemetry, Zone
from tests.unit.compare.made import cell, run, timed

BEGAN = datetime(2026, 11, 23, 11, 30, tzinfo=UTC)


def at(second: float) -> str:
    return (BEGAN + timedelta(seconds=second)).isoformat(timespec="milliseconds")


def canary(
    device: str = "arm-1",
    pairs: int = 30,
    noise: float = 0.01,
    level_ms: float = 10.0,
    change: float = 0.0,
    **fields,
) -> Results:
    """A run with a canary. Its twin ran first in every other pair; `change` of it against the other."""
    draw = random.Random(f"{device}/{pairs}/{noise}/{level_ms}")
    ones = [level_ms * (1 + draw.gauss(0, noise)) for _ in range(pairs)]
    others = [level_ms * (1 + draw.gauss(0, noise)) * (1 + change) for _ in range(pairs)]
    sides = [
        replace(
            cell(
                *(
                    replace(one, started_at=at(10 * k + (5 if (k % 2 == 0) == is_twin else 0)))
                    for k, one in enumerate(timed(values))
                ),
                device=device,
                build=build,
            ),
            **fields,
        )
        for values, build, is_twin in ((ones, "inventory", False), (others, "canary", True))
    ]
    return run(*sides, duels=(Duel(sides[0].id, sides[1].id, Change.NOTHING, is_canary=True),))


def judged(runs: Sequence[Results], devices: Sequence[str] = ("arm-1",), **question) -> tuple[Standing, ...]:
    return ranking(
        [one for each in runs for one in sessions_of(each, devices)], devices, Question(**question)
    )


def only(runs: Sequence[Results], **question) -> stability.Answer:
    (found,) = judged(runs, **question)
    (answer,) = found.answers
    assert found.fitness is answer.fitness
    return answer


def with_rounds(results: Results, change) -> Results:
    return replace(
        results,
        cells=tuple(replace(one, rounds=tuple(map(change, one.rounds))) for one in results.cells),
    )


# --- which rounds count -------------------------------------------------------------------------------------------


def test_a_pair_is_in_the_order_in_which_its_rounds_began() -> None:
    (session,) = sessions_of(canary(pairs=4, change=1.0), ["arm-1"])
    assert [pair.is_swapped for pair in session.pairs] == [False, True, False, True]
    assert [pair.second_ms > pair.first_ms for pair in session.pairs] == [True, False, True, False]
    assert all(pair.sides_ms[1] > pair.sides_ms[0] for pair in session.pairs)


def test_an_effect_of_the_order_alone_is_no_change_of_the_sides() -> None:
    """Every second round of a pair takes 2 % longer, whichever side it is of."""
    made = canary(noise=0.001)

    def later(one: RoundResult) -> RoundResult:
        is_second = datetime.fromisoformat(one.started_at).second % 10 == 5
        return replace(one, value_ms=one.value_ms * (1.02 if is_second else 1))

    answer = only([with_rounds(made, later)] * 3, pairs=300)
    assert answer.noise.order.ratio == pytest.approx(1.02, abs=0.002)
    assert (answer.noise.sessions_judged, answer.noise.seem_changed) == (3, 0)
    assert answer.fitness is Fitness.FIT


def test_rounds_that_a_verdict_would_not_take_do_not_count_here() -> None:
    def spoilt(one: RoundResult) -> RoundResult:
        return replace(one, quality=Quality.THROTTLED) if one.index < 5 else one

    (session,) = sessions_of(with_rounds(canary(), spoilt), ["arm-1"])
    assert (len(session.pairs), session.dropped) == (25, (("throttled", 5),))


def test_both_phases_count_and_the_hottest_zone_is_the_temperature() -> None:
    zones = (
        Zone("gpu", 41.0, 50.0, 50.0),
        Zone("soc", 47.0, 50.0, 50.0),
        Zone("broken", 1e300, 1e300, 1e300),
    )
    heat = Telemetry(1, 1.0, temperatures=zones)
    sides = [
        cell(*timed([10.0] * 3, telemetry=heat), *timed([10.0] * 2, Phase.CONFIRM), build=build)
        for build in ("inventory", "canary")
    ]
    (session,) = sessions_of(
        run(*sides, duels=(Duel(sides[0].id, sides[1].id, Change.NOTHING, is_canary=True),)), ["arm-1"]
    )
    assert [(pair.first_c, pair.second_c) for pair in session.pairs] == [(47.0, 47.0)] * 3 + [
        (None, None)
    ] * 2


@pytest.mark.parametrize(
    ("digest", "change", "since", "count"),
    [
        ("aa", Change.BUILD, None, 1),
        (None, Change.BUILD, None, 0),
        ("bb", Change.BUILD, None, 0),
        ("aa", Change.BUILD, "old", 0),
    ],
    ids=["the same bytes", "not known", "other bytes", "of another run"],
)
def test_a_duel_of_the_same_bytes_is_of_a_with_a(digest, change, since, count) -> None:
    old, new = (
        replace(one, model_sha256="m", input_sha256="i", options_sha256="o") for one in canary().cells
    )
    cells = replace(old, runtime_digest=digest and "aa"), replace(new, runtime_digest=digest)
    made = run(*cells, duels=(Duel(old.id, new.id, change, since=since),))
    assert len(list(sessions_of(made, ["arm-1"]))) == count


def test_a_cell_counts_once_however_many_duels_it_is_in() -> None:
    made = canary()
    again = replace(made.cells[1], build="canary-2")
    duels = (*made.duels * 3, Duel(made.cells[0].id, again.id, Change.NOTHING, is_canary=True))
    made = replace(made, cells=(*made.cells, again), duels=duels)
    assert len(list(sessions_of(made, ["arm-1"]))) == 1


def test_what_no_plan_holds_is_no_pair() -> None:
    made, other = canary(), canary("arm-2")
    here, there = made.cells[0], other.cells[1]
    for duel in (
        Duel(here.id, there.id, Change.NOTHING, is_canary=True),  # two devices
        Duel(here.id, here.id, Change.NOTHING, is_canary=True),  # one cell
        Duel(here.id, "arm-1/gone/fp32", Change.NOTHING, is_canary=True),
    ):
        found = run(here, there, duels=(duel,))
        assert list(sessions_of(found, ["arm-1", "arm-2"])) == []


# --- how fit a device is ------------------------------------------------------------------------------------------


def test_a_quiet_device_is_fit_a_noisier_one_needs_pairs_and_one_without_rounds_is_last() -> None:
    runs = [canary("noisy", noise=0.03), canary("quiet", noise=0.002), canary("wild", noise=0.8)]
    found = judged(runs, ("nobody", "wild", "noisy", "quiet"))
    assert [(one.device, one.fitness) for one in found] == [
        ("quiet", Fitness.FIT),
        ("noisy", Fitness.NEEDS_MORE),
        ("wild", Fitness.UNFIT),
        ("nobody", Fitness.UNKNOWN),
    ]
    quiet, noisy, wild, nobody = found
    assert quiet.answers[0].pairs_needed <= 30 < noisy.answers[0].pairs_needed <= 2000
    assert noisy.answers[0].reason == f"needs {noisy.answers[0].pairs_needed} pairs"
    assert wild.answers[0].reason == "more than 2000 pairs would be needed"
    assert nobody.answers == ()


def test_a_device_that_seems_changed_too_often_is_not_fit_however_quiet_it_is() -> None:
    answer = only([canary(noise=0.0005, change=0.005)] * 2)
    assert answer.fitness is Fitness.UNFIT
    assert answer.reason == "the same bytes seem changed in 2 of 2 sessions, which is more than chance"


def test_sessions_of_too_few_pairs_for_a_verdict_do_not_say_how_often_it_is_wrong() -> None:
    answer = only([canary(pairs=3, noise=0.0005, change=0.005)] * 5)
    assert (answer.noise.sessions_count, answer.noise.sessions_judged) == (5, 0)
    assert answer.fitness is Fitness.FIT


def test_too_few_pairs_are_not_known() -> None:
    answer = only([canary(pairs=PILOT_PAIRS - 1, noise=0.001)])
    assert (answer.fitness, answer.reason) == (Fitness.UNKNOWN, "9 A/A pairs, 10 are needed")


def test_a_device_whose_rounds_mostly_do_not_count_is_not_fit() -> None:
    def spoilt(one: RoundResult) -> RoundResult:
        return replace(one, quality=Quality.THROTTLED) if one.index < 11 else one

    answer = only([with_rounds(canary(noise=0.001), spoilt)])
    assert (answer.fitness, answer.reason) == (Fitness.UNFIT, "11 of 30 pairs do not count: 11 throttled")


def test_times_that_the_clock_does_not_resolve_do_not_make_a_device_fit() -> None:
    """38 us, printed as 0.038: all rounds are alike."""
    made = canary(pairs=40)
    answer = only([with_rounds(made, lambda one: replace(one, value_ms=0.038))])
    assert answer.noise.pair == 0
    assert answer.fitness is Fitness.UNFIT
    assert answer.smallest_effect > 0.03
    assert only([with_rounds(made, lambda one: replace(one, value_ms=3.8))]).fitness is Fitness.FIT


def test_a_device_is_as_fit_as_its_worst_model() -> None:
    runs = [canary(noise=0.002, model="good"), canary(noise=0.03, model="bad")]
    (found,) = judged(runs)
    assert found.fitness is Fitness.NEEDS_MORE
    assert [one.model for one in found.answers] == ["bad", "good"]


def test_levels_of_sessions_are_compared_where_the_same_bytes_ran() -> None:
    """A new build every night is no noise of the device."""
    levels = (10.0, 11.0, 12.0)
    of_builds = [canary(level_ms=level, runtime_digest=f"{level}") for level in levels]
    assert only(of_builds).noise.sessions is None
    assert only([canary(level_ms=level, runtime_digest="aa") for level in levels]).noise.sessions > 0.05
    twice = [
        canary(level_ms=level, noise=0.02, runtime_digest=f"{level}") for level in levels for _ in range(2)
    ]
    assert only(twice).noise.sessions == 0


# --- what a file may hold -----------------------------------------------------------------------------------------


odd_ms = st.sampled_from([0.0, -1.0, 5e-324, 1e-300, 1e308, float("inf"), float("nan"), None, 10.0, 10.001])
odd_c = st.sampled_from([float("nan"), float("inf"), -273.0, 20.0, 60.0, 1e308])
odd_time = st.sampled_from([None, "", "yesterday", "9" * 100, at(1), at(2)])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(odd_ms, odd_c, odd_time, st.sampled_from(RoundStatus)), min_size=24, max_size=60))
def test_whatever_rounds_say_gives_an_answer(rounds) -> None:
    made = [
        replace(
            timed([1.0])[0],
            index=k // 2,
            value_ms=value,
            started_at=began,
            status=status,
            telemetry=Telemetry(1, 1.0, temperatures=(Zone("z", start, start, start),)),
        )
        for k, (value, start, began, status) in enumerate(rounds)
    ]
    sides = [
        CellResult(**{**vars(cell(device="arm-1", build=build)), "rounds": tuple(some)})
        for build, some in (("inventory", made[::2]), ("canary", made[1::2]))
    ]
    results = run(*sides, duels=(Duel(sides[0].id, sides[1].id, Change.NOTHING, is_canary=True),))
    (found,) = judged([results])
    assert found.fitness in Fitness
    assert len(found.answers) == 1


def test_more_models_and_pairs_than_anybody_has_are_left_out() -> None:
    pairs = next(sessions_of(canary(pairs=10), ["arm-1"])).pairs
    many = (Session("arm-1", f"m{number}", "fp32", (), pairs) for number in itertools.count())
    (found,) = ranking(itertools.islice(many, 3 * MOST_MODELS), ["arm-1"], Question())
    assert len(found.answers) == MOST_MODELS
    huge = Session("arm-1", "m", "fp32", (), pairs * 4000)
    (found,) = ranking([huge] * 3, ["arm-1"], Question())
    assert found.answers[0].noise.pairs == stability.MOST_KEPT
