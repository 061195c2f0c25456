"""The journal of a real run that was cut anywhere; `farm runs resume` of many is `scripts/faults cuts`."""

from __future__ import annotations

import itertools
import shutil
from collections import Counter
from pathlib import Path

import pytest

from farm.model.journal import RoundEnded
from farm.model.run import RunStatus
from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from farm.store.journal import JOURNAL, read_journal
from farm.store.rebuild import GONE, PLAN, rebuilt, replayed
from tests.e2e.conftest import Farm
from tests.faults.cuts import places_of, resume_cut, whole_run
from tests.faults.process import make_place
from tests.sim.conftest import bench

pytestmark = pytest.mark.sshd


async def test_a_real_journal_that_is_cut_at_any_byte_is_read_and_forgets_no_finished_round(
    farm: Farm, devices: Path, tmp_path: Path
) -> None:
    async with fleet({"board": Properties()}, devices) as running:
        outcome = await bench(farm, running)
    assert outcome.code == 0, outcome.stderr
    run = farm.folder / "runs" / "one"
    journal = (run / JOURNAL).read_bytes()
    lines = journal.splitlines(keepends=True)
    ends = list(itertools.accumulate(map(len, lines)))
    events = read_journal(run / JOURNAL).events
    assert len(events) == len(lines)
    assert sum(isinstance(event, RoundEnded) for event in events) == 2
    cut = tmp_path / "cut"
    cut.mkdir()
    shutil.copy(run / PLAN, cut / PLAN)
    for byte in range(len(journal) + 1):
        (cut / JOURNAL).write_bytes(journal[:byte])
        whole = sum(end <= byte for end in ends)
        read = read_journal(cut / JOURNAL)
        assert (read.events, read.losses) == (events[:whole], ()), byte
        if byte in ends or byte - 1 in ends or byte == 0:  # between these, the events are the same
            check_replay(cut, events[:whole], is_over=whole == len(events))


def check_replay(folder: Path, events: tuple[object, ...], *, is_over: bool) -> None:
    """What is made of these events has each of their rounds once, and no other."""
    wanted = Counter(event.cell for event in events if isinstance(event, RoundEnded))
    made = replayed(folder)
    assert made.losses == ()
    results = rebuilt(folder)
    found = Counter({cell.id: len(cell.rounds) for cell in results.cells if cell.rounds})
    assert found == wanted
    assert results.status is (RunStatus.COMPLETED if is_over else RunStatus.INTERRUPTED)
    assert results.losses == (() if is_over else (GONE,))


@pytest.mark.long
async def test_a_run_whose_journal_was_cut_is_resumed_with_the_same_rounds(tmp_path: Path) -> None:
    """Before anything, in the middle of a round's record, and before the byte that makes it one."""
    make_place(tmp_path)
    async with fleet({"board": Properties()}, tmp_path / "devices") as running:
        whole = await whole_run(running, tmp_path)
        journal = (whole / JOURNAL).read_bytes()
        (first, *_) = [
            n for n, line in enumerate(journal.splitlines(), 1) if line.startswith(b'{"event":"round"')
        ]
        places = {where: byte for byte, where in places_of(journal)}
        for where in ("start of record 1", f"middle of record {first}", f"end of record {first + 1}"):
            done = await resume_cut(running, whole, places[where], where)
            assert done.found == [], where
