import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from farm.analysis.effects import paired
from farm.analysis.stability import Pair, Stability, stability
from farm.analysis.verdicts import FEWEST_PAIRS, decide
from farm.model.comparison import Verdict


def session(rng, pairs=40, noise=0.02, level=0.0, slope=0.0, order=0.0, warmer=0.0) -> list[Pair]:
    """`noise` of each round; it gets warmer from 40 to 60 degrees."""
    degrees = np.linspace(40, 60, 2 * pairs) + warmer
    times_ms: Any = 20 * np.exp(level + rng.normal(0, noise, 2 * pairs) + slope * degrees)
    times_ms[1::2] *= 1 + order
    return [Pair(times_ms[k], times_ms[k + 1], degrees[k], degrees[k + 1]) for k in range(0, 2 * pairs, 2)]


def test_noise_of_rounds_is_what_is_left_within_a_pair():
    rng = np.random.default_rng(1)
    found = stability([session(rng, level=level) for level in (0.0, 0.1, 0.3, -0.2)])
    assert found.rounds == pytest.approx(0.02, rel=0.15)
    assert found.pair == pytest.approx(0.02 * math.sqrt(2), rel=0.15)
    assert (found.pairs, found.sessions_count) == (160, 4)


def test_what_differs_between_sessions_is_told_apart_from_rounds():
    rng = np.random.default_rng(1)
    assert stability([session(rng, level=rng.normal(0, 0.1)) for _ in range(40)]).sessions == pytest.approx(
        0.1, rel=0.3
    )
    assert stability([session(rng) for _ in range(40)]).sessions == pytest.approx(0, abs=0.002)
    assert stability([session(rng)]).sessions is None


def test_the_temperatures_part_is_its_slope_and_not_the_sessions_levels():
    rng = np.random.default_rng(1)
    found = stability([session(rng, noise=0.005, slope=0.002, level=k / 2, warmer=k * 3) for k in (0, 1)])
    assert found.per_degree == pytest.approx(0.002, rel=0.1)
    assert found.temperature == pytest.approx(0.002 * 16, rel=0.15)


@pytest.mark.parametrize("degrees", [(None, None), (50.0, 50.5), (math.nan, math.inf)])
def test_temperatures_that_are_unknown_or_alike_say_nothing(degrees):
    rng = np.random.default_rng(1)
    found = stability([[Pair(one.first_ms, one.second_ms, *degrees) for one in session(rng)]])
    assert (found.per_degree, found.temperature) == (None, None)


def test_an_effect_of_the_order_is_seen():
    found = stability([session(np.random.default_rng(1), order=0.03)])
    assert found.order.ratio == pytest.approx(1.03, abs=0.01)
    assert found.order.p < 0.05
    assert found.seem_changed == 1


def test_the_smallest_effect_is_called_slower_in_19_of_20_comparisons_and_nothing_unchanged():
    rng = np.random.default_rng(2)
    found = stability([session(rng, pairs=500)])
    pairs = 40
    effect, minimum = found.smallest_effect(pairs), found.smallest_minimum(pairs)
    verdicts: dict[float, list[Verdict]] = {0.0: [], effect: []}
    for change, told in verdicts.items():
        for _ in range(100):
            times_ms = 20 * np.exp(rng.normal(0, 0.02, (2, pairs)))
            measured = paired([*times_ms[0]], [*(times_ms[1] * (1 + change))])
            told.append(decide(measured, measured.p, minimum))
    assert verdicts[effect].count(Verdict.SLOWER) >= 90
    assert verdicts[0.0].count(Verdict.UNCHANGED) >= 90


def test_pairs_for_an_effect_are_the_inverse_of_the_smallest_effect():
    found = stability([session(np.random.default_rng(1))])
    pairs = found.pairs_for(0.03)
    assert found.smallest_effect(pairs) <= 0.03 < found.smallest_effect(pairs - 1)


def test_four_times_the_rounds_show_half_the_effect():
    found = stability([session(np.random.default_rng(1))])
    assert math.log1p(found.smallest_effect(400)) == pytest.approx(math.log1p(found.smallest_effect(100)) / 2)


def test_the_order_alone_is_no_change_of_the_sides():
    rng = np.random.default_rng(1)
    ran = session(rng, noise=0.001, order=0.03)
    found = stability([[replace(pair, is_swapped=k % 2 == 1) for k, pair in enumerate(ran)]])
    assert found.order.ratio == pytest.approx(1.03, abs=0.001)
    assert (found.sessions_judged, found.seem_changed) == (1, 0)


def test_levels_of_other_bytes_say_nothing_of_a_session():
    rng = np.random.default_rng(1)
    sessions = [session(rng, level=level) for level in (0.0, 0.0, 1.0, 1.0)]
    assert stability(sessions, ["old", "old", "new", "new"]).sessions == pytest.approx(0, abs=0.01)
    assert stability(sessions, ["a", "b", "c", "d"]).sessions is None


def test_what_printed_digits_hide_stays_however_many_pairs_there_are():
    found = stability([[Pair(0.038, 0.038)] * 50])
    assert found.pair == 0
    assert found.smallest_effect(1000) > 1 / 38
    assert found.pairs_for(0.03) is None
    assert found.pairs_for(0.5) == FEWEST_PAIRS


@pytest.mark.parametrize(
    "sessions",
    [[], [[]], [[], []], [[Pair(0.0, 1.0), Pair(math.nan, 1.0), Pair(1.0, math.inf), Pair(-1.0, -1.0)]]],
)
def test_no_measured_pair_is_a_stability_that_says_nothing(sessions):
    found = stability(sessions)
    assert found == Stability(0, 0, None, 0.0, None, None, None, None, paired([], []), 0, 0)
    assert found.smallest_effect(100) is None
    assert found.smallest_minimum(100) is None
    assert found.pairs_for(0.03) is None


def test_few_pairs_and_odd_questions_do_not_raise():
    found = stability([[Pair(20.0, 20.1)] * 3, [Pair(20.0, 20.1)]])
    assert (found.pair, found.smallest_effect(10)) == (None, None)
    known = stability([session(np.random.default_rng(1))])
    assert known.smallest_effect(0) is known.smallest_effect(FEWEST_PAIRS - 1) is None
    assert known.pairs_for(0.0) is None
    assert math.isfinite(
        stability([session(np.random.default_rng(1), noise=150)]).smallest_effect(FEWEST_PAIRS)
    )
