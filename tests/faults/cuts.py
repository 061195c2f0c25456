"""The journal of a real run, cut somewhere, and `farm runs resume` of what is left.

    scripts/faults cuts [--count N] [--out FILE]

A run of one device is measured once, to its end. Then, N times: a copy of it without its results, whose journal
ends at a byte, as after a kill or a power cut: at the start of each record, then in the middle of each, then
before the last byte of each, then anywhere. It is resumed: each time the same cells must have the same rounds,
those that were in the journal as they were, and the device must have run what was missing and nothing else (but
for rounds that are repeated for their quality, on a busy machine). What came of each is a line of FILE
(benchmarks/data/cuts.jsonl), so that counts add up over several calls.

Prints how many were good so far; exit code 1 when one was not.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from farm.model.journal import RoundEnded
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Properties
from farm.store.journal import JOURNAL, read_journal
from farm.store.resume.asked import REQUEST
from farm.store.runs import RESULTS
from tests.faults.process import make_place, run

OUT = Path(__file__).parents[2] / "benchmarks" / "data" / "cuts.jsonl"
ID = "whole"
ASKED = (
    *("--model", "bundled:tiny", "--variant", "plain=", "--variant", "nchw44=--enable-nchw44"),
    *("--iter", "10", "--rounds", "2", "--check", "off", "--run-id", ID),
)


@dataclass
class Cut:
    """A cut and what came of it. `kept`, `run` and `repeated` (for their quality) are rounds; `found` is what was
    wrong: empty is good.
    """

    byte: int
    of: int
    where: str
    kept: int = 0
    run: int = 0
    repeated: int = 0
    found: list[str] = field(default_factory=list)


def places_of(journal: bytes) -> Iterator[tuple[int, str]]:
    """Each byte count to be kept once, records in order: their starts, then their middles, then their ends."""
    ends = list(itertools.accumulate(len(line) for line in journal.splitlines(keepends=True)))
    starts = [0, *ends[:-1]]
    yield from ((start, f"start of record {number}") for number, start in enumerate(starts, 1))
    for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1):
        yield (start + end) // 2, f"middle of record {number}"
    yield from ((end - 1, f"end of record {number}") for number, end in enumerate(ends, 1))


def todo(journal: bytes, records: list[dict[str, Any]], count: int) -> list[tuple[int, str]]:
    """The next cuts: places that no record has yet, and then bytes by chance."""
    had = {record["where"] for record in records}
    chance = random.Random(len(records))
    left = [(byte, where) for byte, where in places_of(journal) if where not in had][:count]
    return left + [(chance.randrange(len(journal)), "anywhere") for _ in range(count - len(left))]


async def whole_run(running: Fleet, folder: Path) -> Path:
    """The folder of a run that came to its end. Raises RuntimeError when it did not."""
    code, said = await run(folder, "bench", "--inventory", str(running.inventory), *ASKED)
    if code != 0:
        raise RuntimeError(f"exit code {code}: {said}")
    return folder / "runs" / ID


async def resume_cut(running: Fleet, whole: Path, byte: int, where: str) -> Cut:
    """Cut a copy of the run's journal after so many bytes, resume it, and look at what there is then."""
    journal = (whole / JOURNAL).read_bytes()
    done = Cut(byte, len(journal), where)
    folder, (device,) = whole.parents[1], running.devices.values()
    copy = folder / "cut" / ID
    shutil.rmtree(copy.parent, ignore_errors=True)
    shutil.copytree(whole, copy, symlinks=True)
    (copy / RESULTS).unlink()
    (copy / JOURNAL).write_bytes(journal[:byte])
    kept = [event for event in read_journal(copy / JOURNAL).events if isinstance(event, RoundEnded)]
    done.kept, before = len(kept), len(device.runs())
    code, said = await run(folder, "runs", "resume", ID, runs_dir="cut")
    done.run = len(device.runs()) - before
    if code != 0:
        done.found.append(f"exit code {code}: {said[-300:]}")
        return done
    _compare(_cells(whole), _cells(copy), kept, done)
    return done


def _cells(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The rounds of each cell of a run."""
    results = json.loads((folder / RESULTS).read_bytes())
    return {f"{c['device']}/{c['model']}/{c['variant']}": c["rounds"] for c in results["cells"]}


def _compare(
    wanted: dict[str, list[dict[str, Any]]],
    found: dict[str, list[dict[str, Any]]],
    kept: list[RoundEnded],
    done: Cut,
) -> None:
    def names(cells: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
        return {
            cell: [f"{one['kind']}-{one['index']}" for one in rounds if one["attempt"] == 0]
            for cell, rounds in cells.items()
        }

    if names(wanted) != names(found):
        done.found.append(f"other cells and rounds: {names(found)}")
    for event in kept:
        if event.round.started_at not in [one["started_at"] for one in found.get(event.cell, [])]:
            done.found.append(f"{event.cell} {event.round.kind}-{event.round.index} was forgotten")
    done.repeated = sum(one["attempt"] > 0 for rounds in found.values() for one in rounds)
    missing = sum(map(len, names(wanted).values())) - sum(event.round.attempt == 0 for event in kept)
    repeated = done.repeated - sum(event.round.attempt > 0 for event in kept)
    if done.run != missing + repeated:
        done.found.append(f"{done.run} rounds were run, {missing} were missing")


def known(out: Path) -> list[dict[str, Any]]:
    """The records so far."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


async def go(count: int, out: Path) -> None:
    """So many cuts, the next ones after those of former calls; what came of each is appended."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_place(folder)
        async with fleet({"board": Properties()}, folder / "devices") as running:
            whole = await whole_run(running, folder)
            if not (whole / REQUEST).exists():
                raise RuntimeError(f"{whole} cannot be resumed: it has no {REQUEST}")
            for byte, where in todo((whole / JOURNAL).read_bytes(), known(out), count):
                done = await resume_cut(running, whole, byte, where)
                record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(done)}
                with out.open("a") as stream:
                    stream.write(json.dumps(record) + "\n")
                print(f"{done.where}: {done.kept} kept, {done.run} run {'; '.join(done.found)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100, help="cuts in this call")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    asyncio.run(go(given.count, given.out))
    records = known(given.out)
    bad = [record for record in records if record["found"]]
    print(f"{'FAIL' if bad else 'pass'} {len(records)} cuts, {len(bad)} of them bad")
    for record in bad[:20]:
        print(f"  byte {record['byte']} of {record['of']}, {record['where']}: {'; '.join(record['found'])}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
