"""Two controllers and the same devices; the long form is `scripts/faults contention`."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.sim.fleet import fleet
from farm.sim.places import Span
from tests.faults.contention import Place, contend, device_for, overlaps
from tests.faults.process import make_place


@pytest.mark.parametrize(
    ("spans", "count"),
    [
        ((), 0),
        ((Span(0, 1), Span(1, 2), Span(3, 4)), 0),
        ((Span(0, 2), Span(1, 3)), 1),
        ((Span(0, 9), Span(1, 2), Span(3, 4)), 2),
        ((Span(0, None), Span(5, 6)), 1),
    ],
)
def test_rounds_that_overlap_are_counted(spans: tuple[Span, ...], count: int) -> None:
    assert overlaps(spans) == count


@pytest.mark.sshd
@pytest.mark.parametrize(
    "place", [pytest.param(one, marks=[] if one is Place.MACHINE else pytest.mark.long) for one in Place]
)
async def test_rounds_of_two_controllers_overlap_only_where_they_meet_nowhere(
    tmp_path: Path, place: Place
) -> None:
    make_place(tmp_path)
    wanted = {"one": device_for(place), "two": device_for(place)}
    async with fleet(wanted, tmp_path / "devices") as running:
        done = await contend(running, tmp_path, 4, place=place)
    assert not done.problems
    assert done.rounds == 8
    assert (done.overlaps > 0) is (place is Place.NOWHERE)
    assert done.turns >= 2  # each device had both
