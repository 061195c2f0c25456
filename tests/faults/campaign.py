"""Faults at random moments of real runs on simulated devices; counts add up over several calls.

    scripts/faults [--kind NAME] [--count N] [--minutes M] [--out FILE]

Each trial is a run of five devices, with two variants of three rounds each, that something is done to: see
tests/faults/faults.py. It is resumed until it is complete; then each cell must have exactly its rounds, no
round may have been run twice (but for what was killed with it), and no process, lease or job may be left.
What came of each is a line of FILE (benchmarks/data/faults.jsonl). Without --kind: all of them in turn, until
each has as many as are wanted, or the minutes are over.

Prints a table of all trials so far, and pass or fail for each kind; exit code 1 when one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from farm.runtime.cache import default_root
from farm.sim.fleet import fleet
from tests.faults.faults import KINDS, Kind
from tests.faults.trial import DEVICE, DEVICES, trial

OUT = Path(__file__).parents[2] / "benchmarks" / "data" / "faults.jsonl"
LINE = "{:<17}{:>8}{:>8}{:>8}{:>10}{:>11}  {}"


def known(out: Path) -> list[dict[str, Any]]:
    """The records so far."""
    return [json.loads(line) for line in out.read_text().splitlines()] if out.exists() else []


def todo(kinds: list[Kind], records: list[dict[str, Any]], count: int | None) -> Iterator[tuple[Kind, int]]:
    """The next trials, with their seeds: kinds in turn, each until it has all."""
    had = Counter(one["kind"] for one in records)
    left = {kind.name: count if count is not None else kind.wanted - had[kind.name] for kind in kinds}
    while any(number > 0 for number in left.values()):
        for kind in kinds:
            if left[kind.name] > 0:
                left[kind.name] -= 1
                yield kind, had[kind.name]
                had[kind.name] += 1


async def go(kinds: list[Kind], count: int | None, minutes: float, out: Path) -> None:
    """Run trials and append what came of them."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 60 * minutes
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for one in ("devices", "home", "cache"):
            (folder / one).mkdir()
        (folder / "cache" / "runtimes").symlink_to(default_root())
        wanted = {f"board-{number}": DEVICE for number in range(1, DEVICES + 1)}
        async with fleet(wanted, folder / "devices") as running:
            for kind, seed in todo(kinds, known(out), count):
                if loop.time() > until:
                    return
                done = await trial(kind, seed, running, folder)
                record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **asdict(done)}
                with out.open("a") as stream:
                    stream.write(json.dumps(record) + "\n")
                print(
                    f"{kind.name} {seed}: {done.exit_codes} {done.seconds:g} s {'; '.join(done.found)}",
                    flush=True,
                )


def told(records: list[dict[str, Any]], kinds: list[Kind]) -> bool:
    """Print the table; whether all that is wanted is there, and good."""
    print(LINE.format("fault", "trials", "wanted", "bad", "resumed", "rounds", ""))
    is_all = True
    for kind in kinds:
        mine = [one for one in records if one["kind"] == kind.name]
        bad = [one for one in mine if one["found"]]
        resumed = sum(len(one["exit_codes"]) > 1 for one in mine)
        is_met = not bad and len(mine) >= kind.wanted
        is_all &= is_met
        words = "pass" if is_met else "FAIL" if bad else "not all yet"
        rounds = sum(one["rounds"] for one in mine)
        print(LINE.format(kind.name, len(mine), kind.wanted, len(bad), resumed, rounds, words))
    return is_all


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=[kind.name for kind in KINDS], action="append")
    parser.add_argument("--count", type=int, help="trials of each kind in this call")
    parser.add_argument("--minutes", type=float, default=10, help="no trial begins after these")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    kinds = [kind for kind in KINDS if not given.kind or kind.name in given.kind]
    asyncio.run(go(kinds, given.count, given.minutes, given.out))
    return 0 if told(known(given.out), kinds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
