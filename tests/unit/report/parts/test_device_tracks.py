"""The tracks of a cell, from the telemetry of its rounds to its part of the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.model.run import Quality
from farm.model.telemetry import CoreFrequency, Telemetry, Zone
from farm.report.compose import compose
from farm.report.parts.device_tracks import device_tracks
from farm.report.render import render
from tests.data.results import make


def told(start_c, max_c, khz=2_400_000):
    return Telemetry(
        samples=3,
        duration_s=3.0,
        temperatures=(Zone("skin", 30.0, 31.0, 31.0), Zone("soc", start_c, max_c, max_c)),
        frequencies=(
            CoreFrequency(0, 400_000, 400_000, 400_000),
            CoreFrequency(4, khz - 100_000, khz, khz),
        ),
        cores=(4,),
    )


@pytest.fixture(scope="module")
def cell():
    one = next(cell for cell in make.compared().cells if len(cell.rounds) >= 10)
    rounds = [replace(one, telemetry=told(40 + i, 45 + i)) for i, one in enumerate(one.rounds)]
    rounds[2] = replace(rounds[2], telemetry=told(70, 80, 1_200_000), quality=Quality.THROTTLED)
    rounds[4] = replace(rounds[4], telemetry=None)
    return replace(one, rounds=tuple(rounds))


def test_the_hottest_sensor_and_the_slowest_core_in_use_are_drawn_and_where_it_was_slowed_down(cell):
    made = device_tracks(cell.rounds[:10])
    assert made.text == (
        "hottest sensor, °C from 40 to 80; slowest core in use, GHz from 1.1 to 2.4; slowed down in 1 of 10 rounds"
    )
    assert made.throttled == ((0.2, 0.3),)
    assert [len(lane.lines) for lane in made.lanes] == [2, 2]  # nothing is known of the fifth round


def test_a_device_that_tells_nothing_has_no_tracks(cell):
    silent = [replace(one, telemetry=None) for one in cell.rounds]
    assert device_tracks(silent) is None
    assert device_tracks([]) is None
    assert device_tracks([replace(one, telemetry=Telemetry(0, 0.0)) for one in cell.rounds]) is None


def test_a_cell_shows_its_tracks_below_its_rounds(cell):
    results = replace(
        make.compared(), cells=(replace(cell, rounds=cell.rounds[:10]),), comparisons=(), duels=()
    )
    html = render(compose(results))
    assert html.index("in the order in which they ran") < html.index("The device over these rounds")
    assert html.count('<rect class="throttled"') == 2  # in each of the two lanes
