"""What a fleet promises, measured: real PostgreSQL, real SSH servers of simulated devices, `farm` itself.

    .venv/bin/python -m benchmarks.fleet [SHOW ...] [--quick] [--out FILE]

Without names all shows run, one after the other, each with a database of its own: take-over, take-over-30,
outage, frozen, cancel, submit, idle, lanes (as root), nightly. --quick: fewer lanes, shorter waits, no
take-over-30. Each prints pass or FAIL for what is wanted, with the figure; each is a line of FILE
(benchmarks/data/fleet.jsonl). Exit code 1 when one is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import fleet_load, fleet_shows, raw_records
from benchmarks.fleet_lab import Lab, lab, server

OUT = Path(__file__).parent / "data" / "fleet.jsonl"


@dataclass(frozen=True)
class Wanted:
    """A bound: the key of a record, what it is, and the most that it may be."""

    key: str
    what: str
    most: float


@dataclass(frozen=True)
class Show:
    run: Callable[[Lab, bool], Awaitable[dict[str, Any]]]
    wanted: tuple[Wanted, ...]


ONCE = (
    Wanted("rounds_lost", "rounds lost", 0),
    Wanted("rounds_doubled", "rounds with two results", 0),
    Wanted("overlaps", "overlaps on a device", 0),
)
SHOWS = {
    "take-over": Show(fleet_shows.take_over, (
        Wanted("take_over_s", "s from kill -9 to the other worker, TTL 6 s", 10),
        Wanted("rounds_again", "finished rounds that ran again", 0), *ONCE,
    )),
    "take-over-30": Show(fleet_shows.take_over_30, (
        Wanted("take_over_s", "s from kill -9 to the other worker, TTL 30 s", 40),
        Wanted("rounds_again", "finished rounds that ran again", 0), *ONCE,
    )),
    "outage": Show(fleet_shows.outage, (
        Wanted("moving_s", "s from the database's return until every lane moves", 30), *ONCE,
    )),
    "frozen": Show(fleet_shows.frozen, ONCE),
    "cancel": Show(fleet_shows.cancel, (
        Wanted("free_s", "s from farm runs cancel until the last device is free", 3),
    )),
    "submit": Show(fleet_load.submit, (
        Wanted("enqueue_s", "s for all lanes into the store", 3),
        Wanted("partly", "looks that saw a part of the lanes, one submit killed in the middle", 0),
    )),
    "idle": Show(fleet_load.idle, (
        Wanted("cpu_percent", "% CPU of an idle worker", 3),
        Wanted("rss_mb", "MB of memory of an idle worker", 80),
    )),
    "lanes": Show(fleet_load.lanes, (
        Wanted("lag_ms", "ms of event-loop lag, all lanes in one worker", 100),
        Wanted("rounds_lost", "rounds lost", 0),
    )),
    "nightly": Show(fleet_shows.nightly, (
        Wanted("missing", "times of a schedule that did not come", 0),
        Wanted("doubled", "of two workers began the same one", 0),
    )),
}  # fmt: skip
NOT_QUICK = ("take-over-30",)


def measured(names: list[str], is_quick: bool, out: Path) -> bool:
    """Run the shows; whether all is as wanted."""
    commit = subprocess.check_output(["git", "describe", "--always", "--dirty"], text=True).strip()
    is_good = True
    with server() as postgres:
        for name in names:
            began = time.monotonic()
            with lab(postgres) as place:
                record = asyncio.run(_run(SHOWS[name], place, is_quick))
            head = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit, "show": name,
                "quick": is_quick, "load_1m": round(os.getloadavg()[0], 1),
                "wall_s": round(time.monotonic() - began, 1),
            }  # fmt: skip
            raw_records.append(out, head | record)
            is_good &= told(name, head | record)
    return is_good


async def _run(show: Show, place: Lab, is_quick: bool) -> dict[str, Any]:
    return await show.run(place, is_quick)


def told(name: str, record: dict[str, Any]) -> bool:
    """Print it; whether it is as wanted."""
    print(f"{name}: {', '.join(f'{key} {one}' for key, one in record.items() if not isinstance(one, list))}")
    is_good = True
    for one in SHOWS[name].wanted:
        is_so = record[one.key] <= one.most
        print(f"  {'pass' if is_so else 'FAIL'}  {record[one.key]:g} {one.what} (at most {one.most:g})")
        is_good &= is_so
    return is_good


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shows", nargs="*", metavar="SHOW")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    if unknown := [name for name in given.shows if name not in SHOWS]:
        parser.error(f"no such show: {', '.join(unknown)}; there are {', '.join(SHOWS)}")
    names = given.shows or [name for name in SHOWS if not (given.quick and name in NOT_QUICK)]
    return 0 if measured(names, given.quick, given.out) else 1


if __name__ == "__main__":
    raise SystemExit(main())
