"""What each figure shows of the numbers that it gets."""

from __future__ import annotations

import math

import pytest

from farm.model.comparison import Verdict
from farm.report.figures.bars import bars
from farm.report.figures.distribution import distribution
from farm.report.figures.heat_map import HeatValue, heat_map
from farm.report.figures.lines import unbroken
from farm.report.figures.memory import memory_timeline
from farm.report.figures.roofline import OperatorWork, roofline
from farm.report.figures.rounds import OneRound, rounds_figure
from farm.report.figures.sparkline import sparkline
from farm.report.figures.thin import MOST_MARKS, MOST_POINTS, name_of, peaks
from farm.report.figures.tracks import Reading, Track, tracks
from farm.report.figures.waterfall import waterfall
from farm.report.figures.whisker import whisker, whisker_end
from tests.unit.report.figures.shown import check

NAN = math.nan


def test_of_a_million_values_few_are_drawn_and_no_peak_is_lost():
    values = [1.0] * 1_000_000
    values[777_777], values[5] = 9.0, -9.0
    kept = peaks(values)
    assert len(kept) <= MOST_POINTS
    assert {5, 777_777} <= set(kept)
    assert kept == sorted(set(kept))


def test_a_gap_stays_a_gap_also_where_values_are_left_out():
    values = [1.0] * 50_000 + [None] * 50_000 + [NAN] * 50_000 + [2.0] * 50_000
    drawn = [values[i] for i in peaks(values, 300)]
    assert None in drawn
    assert len(unbroken([None if v is None or math.isnan(v) else (0.5, v / 2) for v in drawn])) == 2


def test_a_figure_that_leaves_values_out_says_so():
    made = rounds_figure([OneRound("a", float(i % 7)) for i in range(5000)], 3.0)
    assert made.note.endswith("of 5,000 rounds are drawn: the lowest and the highest of each stretch")
    assert len(made.marks) < 500
    assert sparkline([float(i % 7) for i in range(50_000)]).text.endswith(
        "the lowest and the highest of each stretch; no change found"
    )
    assert memory_timeline([5, 7] * 5000).note.startswith("667 of 10,000 steps are drawn")


def test_a_long_name_keeps_both_of_its_ends_and_hides_nothing():
    assert name_of("conv1") == "conv1"
    cut = name_of("first/" + "x" * 10**6 + "/last")
    assert (cut[:6], cut[-5:], len(cut)) == ("first/", "/last", 60)
    assert name_of("a\n\x1b[31m\u202eb") == "a <U+001B>[31m<U+202E>b"


def test_a_whisker_has_the_colour_of_its_verdict_and_not_one_of_its_own():
    undecided = whisker(1.07, (1.002, 1.139), Verdict.INCONCLUSIVE, 0.03)
    assert undecided.side == "none"
    slower = whisker(1.07, (1.05, 1.09), Verdict.SLOWER, 0.03)
    assert slower.side == "slower"
    assert (
        slower.band[0]
        < slower.none
        == 0.5
        < slower.band[1]
        < slower.interval[0]
        < slower.at
        < slower.interval[1]
    )
    assert slower.text == "+7.0 %, 95 % interval +5.0 % to +9.0 %; less than 3 % does not count"


def test_an_interval_beyond_the_axis_is_cut_and_one_wide_interval_does_not_squeeze_the_others():
    end = whisker_end([1.02, 1.05], 0.03)
    wide = whisker(1.02, (0.3, 1e9), Verdict.INCONCLUSIVE, 0.03, end)
    assert (wide.interval, wide.is_cut) == ((0.0, 1.0), (True, True))
    assert whisker(1.05, (1.04, 1.06), Verdict.SLOWER, 0.03, end).is_cut == (False, False)
    assert whisker(0.0, (None, None), Verdict.INVALID, 0.03) is None


def test_a_doubtful_round_is_hollow_and_a_failed_one_is_a_cross_without_a_height():
    rounds = [
        OneRound("timed 1", 5.0),
        OneRound("timed 2", 9.0, is_ok=False, quality="throttled"),
        OneRound("timed 3", None),
    ]
    made = rounds_figure(rounds, 5.0, (4.9, 5.2), 1)
    assert [(mark.is_ok, mark.is_failed) for mark in made.marks] == [
        (True, False),
        (False, False),
        (True, True),
    ]
    assert [mark.text for mark in made.marks] == [
        "timed 1: 5.0 ms",
        "timed 2: 9.0 ms, throttled",
        "timed 3: no value",
    ]
    assert made.text == "from 5.0 to 9.0 ms, median 5.0 ms; 1 of doubtful quality; 1 without a value"
    assert rounds_figure(rounds[2:], None) is None


def test_a_histogram_counts_every_value_once_and_tells_of_those_beyond_its_axis():
    values = [float(i % 10) for i in range(1000)]
    made = distribution([("old", values)])
    assert sum(one.height for one in made.sides[0].bins) > 0
    assert made.note is None
    far = distribution([("old", [*values, 1e9]), ("new", [*values, NAN])])
    assert far.note == "1 value beyond the axis; the largest of all is 1e+09 ms; not a number: 1 value"
    assert far.sides[0].text.startswith("old: 1001 values, median 5 ms")


def test_throttled_rounds_in_a_row_are_one_span_of_every_lane():
    readings = tuple(Reading(40 + i, 42 + i, 43 + i) for i in range(6))
    made = tracks([Track("C", readings), Track("GHz", (None,) * 6)], [False, True, True, False, False, True])
    assert len(made.lanes) == 1
    assert made.throttled == ((1 / 6, 3 / 6), (5 / 6, 1.0))
    assert made.text == "C from 40 to 48; slowed down in 3 of 6 rounds"
    assert tracks([], [True] * 6) is None


def test_a_waterfall_names_the_largest_part_first_and_says_what_nobody_explains():
    parts = [("conv", 1.5), ("relu", -0.2), ("lost", NAN), *((f"small {i}", 0.01) for i in range(20))]
    made = waterfall(parts, 20.0, 21.8, most=2)
    assert [(step.name, step.value) for step in made.steps] == [
        ("before", "20.00 ms"),
        ("conv", "+1.50 ms"),
        ("relu", "\N{MINUS SIGN}0.20 ms"),
        ("other (20 parts)", "+0.20 ms"),
        ("unattributed", "+0.30 ms"),
        ("after", "21.80 ms"),
    ]
    assert made.title == "Where +1.80 ms come from"
    assert made.note == "1 part without a time left out"
    for one, following in zip(
        made.steps[:-2], made.steps[1:], strict=False
    ):  # each begins where the one before ends
        end = one.low if one.side == "faster" else one.high
        begin = following.high if following.side == "faster" else following.low
        assert begin == pytest.approx(end)


def test_bars_of_two_sides_share_an_axis_from_zero_and_a_missing_side_is_no_zero():
    made = bars(
        [("a", (1.0, None)), ("b", (2.0, 4.0)), ("c", (0.0, 0.0)), ("d", (NAN, -1.0))],
        ("old", "new"),
        "By type",
    )
    assert [(row.name, row.sizes) for row in made.rows] == [
        ("b", (0.5, 1.0)),
        ("a", (0.25, None)),
        ("c", (0.0, 0.0)),
    ]
    assert made.note == "1 row without a value left out"
    many = bars([(f"t{i}", (1.0,)) for i in range(100)], ("old",), "By type", most=3)
    assert many.rows[-1].name == "other (97 rows)"


def test_an_operator_is_bound_by_the_lower_ceiling_at_its_intensity():
    light, heavy = OperatorWork("relu", 1e6, 1e6, 200.0), OperatorWork("conv", 1e9, 1e6, 50_000.0)
    made = roofline([light, heavy, OperatorWork("reshape", 0, 0, 1.0)], 40.0, 10.0)
    bounds = {point.text.partition(":")[0]: point.bound for point in made.points}
    assert bounds == {"relu": "memory", "conv": "computation"}
    assert "50 % of what is possible there" in next(p.text for p in made.points if p.bound == "memory")
    assert made.note == "1 operator without computation, traffic or time not drawn"
    assert [point.label for point in made.points] == ["2", "1"]  # the one that takes most of the time on top
    assert made.roof[-1] == (1.0, made.roof[-2][1])
    assert {point.bound for point in roofline([light], 40.0).points} == {"unknown"}


def test_of_very_many_operators_those_are_drawn_that_take_most_of_the_time():
    made = roofline([OperatorWork(f"o{i}", 1e6, 1e6, 1.0 + i) for i in range(5000)], 40.0, 10.0)
    check(made)
    assert len(made.points) <= MOST_MARKS
    assert made.points[-1].text.startswith("o4999:")
    assert made.note == "the 1,500 of 5,000 that take most of the time are drawn"


def test_the_peak_of_memory_is_drawn_with_who_holds_it():
    made = memory_timeline([1 << 20, 6 << 20, 2 << 20], [("relu", 1 << 20), ("conv", 5 << 20), ("gone", 0)])
    assert made.text == "the peak is 6 MiB at step 2 of 3; conv holds 5 MiB of it"
    assert [(one.name, one.size) for one in made.holders] == [("conv", "5 MiB"), ("relu", "1 MiB")]
    assert made.peak[1] == max(y for _, y in made.line)
    assert memory_timeline([0, 0]) is None


def test_a_heat_map_says_each_verdict_in_a_word_a_sign_and_a_shade_and_is_bounded():
    cells = {
        ("arm-1", "fp32"): HeatValue(Verdict.SLOWER, 1.2, 1.1, 1.3, "cell-1"),
        ("arm-1", "int8"): HeatValue(Verdict.UNCHANGED, 1.2),
    }
    made = heat_map(["arm-1"], ["fp32", "int8", "gone"], cells, "All")
    first, second, third = made.rows[0].cells
    assert (first.word, first.symbol, first.shade, first.ratio, first.interval) == (
        "slower",
        "\N{BLACK UP-POINTING TRIANGLE}",
        3,
        "1.20",
        "+10.0 to +30.0 %",
    )
    assert (second.shade, second.interval, third) == (0, "", None)
    large = heat_map([f"d{i}" for i in range(1000)], [f"v{i}" for i in range(90)], {}, "All")
    assert len(large.rows) * len(large.columns) <= MOST_MARKS
    assert large.note == "967 rows and 30 columns"


def test_a_sparkline_has_the_medians_between_its_changes():
    made = sparkline([20.0, 20.0, 20.0, None, 22.0, 22.0, 19.0, 19.0], [4, 6, 99, -1])
    assert [(one.side, one.text) for one in made.changes] == [("slower", "+10.0 %"), ("faster", "-13.6 %")]
    assert len(made.levels) == 3
    assert len(made.lines) == 2
    assert sparkline([1.0, None]) is None
