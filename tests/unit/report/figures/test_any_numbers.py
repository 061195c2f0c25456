"""Whatever the numbers and the names are, a figure is within its axes, or there is none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.model.comparison import Verdict
from farm.report.figures.bars import bars
from farm.report.figures.distribution import distribution
from farm.report.figures.heat_map import HeatValue, heat_map
from farm.report.figures.memory import memory_timeline
from farm.report.figures.pairs import pairs_plot
from farm.report.figures.roofline import OperatorWork, roofline
from farm.report.figures.rounds import OneRound, rounds_figure
from farm.report.figures.scales import LARGEST, axis, decades, linear
from farm.report.figures.sparkline import sparkline
from farm.report.figures.tracks import Reading, Track, tracks
from farm.report.figures.waterfall import waterfall
from farm.report.figures.whisker import whisker, whisker_end
from tests.unit.report.figures.shown import check

ODD = st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1e-300, 1.7e308, -1.7e308, math.nan, math.inf, -math.inf])
NUMBERS = ODD | st.floats() | st.floats(0.001, 1000)
NAMES = st.text(max_size=9) | st.sampled_from(["\x1b[31m", "\u202e<b>", "n" * 5000])
MAYBE = st.none() | NUMBERS


@given(NUMBERS, MAYBE, MAYBE, st.sampled_from(list(Verdict)), st.floats(0, 10))
def test_a_whisker(ratio, low, high, verdict, least):
    check(whisker(ratio, (low, high), verdict, least))
    check(whisker(ratio, (low, high), verdict, least, whisker_end([ratio, 1.1], least)))


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=9), st.floats(0, 10))
def test_pairs(pairs, least):
    check(pairs_plot([one for one, _ in pairs], [other for _, other in pairs], least))


@given(
    st.lists(st.tuples(NAMES, MAYBE, st.booleans()), max_size=9),
    MAYBE,
    st.none() | st.tuples(NUMBERS, NUMBERS),
)
def test_rounds(rounds, median, interval):
    check(rounds_figure([OneRound(name, ms, ok, "busy") for name, ms, ok in rounds], median, interval))


@given(st.lists(st.tuples(NAMES, st.lists(NUMBERS, max_size=9)), max_size=3))
def test_a_distribution(sides):
    check(distribution(sides))


@given(
    st.lists(
        st.lists(st.none() | st.builds(Reading, NUMBERS, NUMBERS, NUMBERS), min_size=5, max_size=5),
        max_size=3,
    ),
    st.lists(st.booleans(), min_size=5, max_size=5),
)
def test_tracks(series, throttled):
    check(tracks([Track("\u202eC", tuple(readings)) for readings in series], throttled))


@given(st.lists(st.tuples(NAMES, NUMBERS), max_size=14), NUMBERS, NUMBERS)
def test_a_waterfall(parts, before, after):
    check(waterfall(parts, before, after))


@given(
    st.lists(st.tuples(NAMES, st.lists(MAYBE, max_size=3)), max_size=15), st.lists(NAMES, max_size=2), NAMES
)
def test_bars(rows, sides, title):
    check(bars(rows, sides, title))


@given(st.lists(st.builds(OperatorWork, NAMES, NUMBERS, NUMBERS, NUMBERS), max_size=7), MAYBE, MAYBE)
def test_a_roofline(operators, gflops, gbps):
    check(roofline(operators, gflops, gbps))


@given(
    st.lists(st.integers(-9, 10**400) | st.integers(0, 99), max_size=9),
    st.lists(st.tuples(NAMES, st.integers(-9, 10**400)), max_size=11),
)
def test_a_memory_timeline(steps, holders):
    check(memory_timeline(steps, holders))


@given(st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=3), st.sampled_from(list(Verdict)), MAYBE, MAYBE)
def test_a_heat_map(rows, columns, verdict, ratio, bound):
    check(
        heat_map(
            rows,
            columns,
            {(row, column): HeatValue(verdict, ratio, bound, ratio) for row in rows for column in columns},
            "all",
        )
    )


@given(st.lists(MAYBE, max_size=9), st.lists(st.integers(-3, 12), max_size=5))
def test_a_sparkline(values, changes):
    check(sparkline(values, changes))


@given(st.lists(st.floats(-LARGEST, LARGEST), max_size=5), st.booleans())
def test_an_axis_has_a_few_round_numbers_in_ascending_order(values, from_zero):
    made = axis(linear(values, from_zero=from_zero), "ms")
    check(made)
    places = [tick.at for tick in made.ticks]
    assert 2 <= len(places) <= 10
    assert places == sorted(places)
    assert len({tick.label for tick in made.ticks}) == len(places)


@given(st.lists(st.floats(1e-300, 1e300), max_size=5))
def test_a_logarithmic_axis_too(values):
    made = axis(decades(values), "GB/s")
    check(made)
    assert 2 <= len(made.ticks) <= 10


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([11.66, 13.13], ["12.0", "12.5", "13.0"]),
        ([0.0, 1.0], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([0, 97], ["0", "20", "40", "60", "80"]),
        ([-0.31, 0.31], ["-0.2", "0.0", "0.2"]),
        ([0.0, 5e-324], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        ([5.0], ["4.8", "4.9", "5.0", "5.1", "5.2"]),
        ([], ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
    ],
)
def test_ticks_are_at_round_numbers_with_no_more_decimals_than_needed(values, labels):
    assert [tick.label for tick in axis(linear(values), "ms").ticks] == labels
