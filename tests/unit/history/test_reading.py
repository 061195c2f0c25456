"""What a series tells: changes with their evidence, marks, suspects, and nothing of noise."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from farm.cli.history.as_json import as_json
from farm.history.nouns import Point, Series, SeriesKey, Why
from farm.history.reading import read

KEY = SeriesKey("arm-1", "tiny", "default", "inventory")
USUAL = {"model": "a", "runtime's files": "b", "kernel": "6.1", "farm": "1"}


def point(number: int, median_ms: float | None, **context: str) -> Point:
    values = () if median_ms is None else tuple(median_ms * (1 + 0.002 * step) for step in (-2, -1, 0, 1, 2))
    return Point(
        run=f"n{number}",
        started_s=86_400.0 * number,
        started_at="2026-01-01T00:00:00+00:00",
        status="failed" if median_ms is None else "completed",
        median_ms=median_ms,
        values_ms=values,
        context=USUAL | context,
    )


def series(levels, noise: float = 0.01, seed: int = 1, **context) -> Series:
    """`context`: a label with the number of the point from which on it has another value."""
    draw = random.Random(seed)
    points = []
    for number, level in enumerate(levels):
        changed = {label: "other" for label, since in context.items() if number >= since}
        points.append(point(number, level and level * math.exp(draw.gauss(0, noise)), **changed))
    return Series(KEY, tuple(points))


@pytest.mark.parametrize("factor", [1.06, 0.92, 1.3])
def test_a_planted_change_is_found_at_its_place_with_its_size(factor: float) -> None:
    reading = read(series([10.0] * 20 + [10.0 * factor] * 12), 0.03)
    [change] = reading.changes
    assert (change.at, change.before, change.after) == (20, "n19", "n20")
    assert (change.points_before, change.points_after) == (20, 12)
    assert change.ratio == pytest.approx(factor, rel=0.02)
    assert change.low < factor < change.high
    assert change.why is Why.UNKNOWN
    assert reading.suspect is None
    assert reading.noise == pytest.approx(0.01, rel=0.6)


def test_several_changes_are_each_measured_from_the_level_before() -> None:
    reading = read(series([10.0] * 10 + [11.0] * 10 + [10.0] * 10), 0.03)
    assert [one.at for one in reading.changes] == [10, 20]
    assert [round(one.ratio, 1) for one in reading.changes] == [1.1, 0.9]


@pytest.mark.parametrize(
    ("label", "why"), [("runtime's files", Why.BUILD), ("kernel", Why.CONTEXT), ("farm", Why.CONTEXT)]
)
def test_what_is_known_to_have_changed_there_is_the_evidence(label: str, why: Why) -> None:
    reading = read(series([10.0] * 10 + [11.0] * 10, **{label: 10}), 0.03)
    [change] = reading.changes
    assert change.why is why
    assert change.evidence == (f"{label}: {USUAL[label]} and other",)


def test_a_known_change_elsewhere_is_a_mark_and_explains_nothing() -> None:
    reading = read(series([10.0] * 10 + [11.0] * 10, kernel=4), 0.03)
    assert [(one.at, one.why) for one in reading.marks] == [(4, Why.CONTEXT)]
    assert [one.why for one in reading.changes] == [Why.UNKNOWN]


def test_a_build_that_changed_with_the_kernel_is_told_with_both() -> None:
    [change] = read(series([10.0] * 10 + [11.0] * 10, kernel=10, **{"runtime's files": 10}), 0.03).changes
    assert change.why is Why.BUILD
    assert len(change.evidence) == 2


def test_a_context_that_changed_while_the_device_was_away_is_not_lost() -> None:
    """The new kernel is seen first in a night that failed."""
    levels = [10.0] * 10 + [None, None] + [11.0] * 10
    [change] = read(series(levels, kernel=10), 0.03).changes
    assert (change.at, change.before, change.why) == (12, "n9", Why.CONTEXT)


def test_another_model_is_another_number_and_no_change() -> None:
    reading = read(series([10.0] * 10 + [20.0] * 10, model=10), 0.03)
    assert reading.changes == ()
    assert [(one.at, one.why) for one in reading.marks] == [(10, Why.OTHER)]


def test_one_odd_night_at_the_end_is_suspect_and_no_change() -> None:
    reading = read(series([10.0] * 20 + [13.0]), 0.03)
    assert reading.changes == ()
    assert reading.suspect.run == "n20"
    assert reading.suspect.ratio == pytest.approx(1.3, rel=0.03)
    assert read(series([10.0] * 20 + [13.0] * 2), 0.03).changes


def test_one_odd_night_in_the_middle_is_nothing() -> None:
    reading = read(series([10.0] * 10 + [13.0] + [10.0] * 10), 0.03)
    assert (reading.changes, reading.suspect) == ((), None)


def test_less_than_the_minimum_effect_is_no_change() -> None:
    assert read(series([10.0] * 20 + [10.2] * 20, noise=0.001), 0.03).changes == ()
    assert read(series([10.0] * 20 + [10.2] * 20, noise=0.001), 0.01).changes


def test_noise_alone_is_a_change_in_less_than_one_series_of_twenty() -> None:
    flagged = sum(bool(read(series([10.0] * 60, noise=0.02, seed=seed), 0.03).changes) for seed in range(200))
    assert flagged < 10


def test_the_noise_of_rounds_counts_where_nights_agree_by_chance() -> None:
    draw = random.Random(2)
    points = tuple(
        replace(point(number, 10.0), values_ms=tuple(10 * math.exp(draw.gauss(0, 0.1)) for _ in range(5)))
        for number in range(10)
    )
    assert read(Series(KEY, points), 0.03).noise > 0.02


@pytest.mark.parametrize("levels", [[], [10.0], [10.0, 20.0, 10.0], [None] * 9, [0.0] * 9, [math.inf] * 9])
def test_too_little_tells_nothing(levels) -> None:
    reading = read(Series(KEY, tuple(point(number, level) for number, level in enumerate(levels))), 0.03)
    assert (reading.changes, reading.suspect, reading.noise) == ((), None, None)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.none(), st.floats(allow_nan=True), st.sampled_from([1e-300, 1e300, 10.0, 10.0, 11.0])
            ),
            st.sampled_from(["a", "b"]),
        ),
        max_size=30,
    )
)
@example([(1e-300, "a"), (2e16, "a"), (1e-300, "a"), (1.9e16, "a")])
@example([(2.9e16, "a"), (1e-300, "a"), (1e-300, "a"), (2.8e16, "a")])
@example([(1e-300, "a")] * 5 + [(1e300, "a")] * 5)
def test_any_series_can_be_read(found) -> None:
    points = tuple(point(number, level, model=model) for number, (level, model) in enumerate(found))
    reading = read(Series(KEY, points), 0.03)
    assert all(0 < one.at < len(points) and 0 < one.ratio < math.inf for one in reading.changes)
    told = as_json(reading)
    json.dumps([told["changes"], told["suspect"], told["noise"]], allow_nan=False)
