"""A year of 400 cells a night: how long its database takes to be made and to be asked, and how large it is.

    .venv/bin/python benchmarks/history_year.py [NIGHTS] [CELLS]

The runs are one with invented times, each night drawn anew (noise 1 %). Prints pass or fail for each bound
that docs/measurement.md states.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from farm.history.database import opened
from farm.history.index import update
from farm.history.nouns import Series
from farm.history.place import FILE, folder_of
from farm.history.query import keys, one_series
from farm.history.reading import read
from farm.store.codec import results_to_json
from farm.store.sources import sources
from tests.data.results import make

MOST_INDEX_S = 120.0
MOST_QUERY_MS = 200.0
ROUNDS = 10
START = datetime(2026, 1, 1, 2, tzinfo=UTC)


def main() -> None:
    nights, cells = (int(word) for word in (*sys.argv[1:], *("365", "400")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as name:
        runs = Path(name) / "runs"
        size_bytes = write(runs, nights, cells)
        written = f"{size_bytes / 1e6:.0f} MB of results"
        print(f"{nights} nights of {cells} cells, {ROUNDS} rounds each: {written}")
        where = str(runs / FILE)
        begin = time.monotonic()
        made = update(where, runs, sources(runs), lambda *_: None)
        took_s = time.monotonic() - begin
        each_ms = 1000 * took_s / nights
        tell(took_s <= MOST_INDEX_S, f"the whole database: {took_s:.1f} s ({each_ms:.0f} ms a night)")
        size_bytes = Path(where).stat().st_size
        size = f"{size_bytes / 1e6:.1f} MB, {size_bytes / made.points:.0f} bytes each"
        print(f"      {made.points} points of {made.series} series in {size}")
        begin = time.monotonic()
        update(where, runs, sources(runs), lambda *_: None)
        print(f"      once more, nothing new: {1000 * (time.monotonic() - begin):.0f} ms")
        ask(where, folder_of(runs))


def ask(where: str, folder: str) -> None:
    """Every 40th series, each with a connection of its own; the first reading imports SciPy."""
    with opened(where) as connection:
        some = list(keys(connection, folder).values())[::40]
    took_ms: list[float] = []
    for key in some[:1] + some:
        begin = time.monotonic()
        with opened(where) as connection:
            series = Series(key, one_series(connection, folder, key))
        found = read(series, 0.03)
        took_ms.append(1000 * (time.monotonic() - begin))
        assert len(found.series.points) > 1
    slowest = max(took_ms[1:])
    tell(
        slowest <= MOST_QUERY_MS,
        f"one series with its changes: {slowest:.0f} ms at most ({took_ms[0]:.0f} ms the first)",
    )


def write(runs: Path, nights: int, cells: int) -> int:
    """Runs as a bench leaves them; how many bytes they have."""
    made = make.many(cells)
    base = from_json(results_to_json(made))
    levels = [next((one["value_ms"] for one in cell["rounds"]), None) for cell in base["cells"]]
    total = 0
    for night in range(nights):
        draw = random.Random(night)
        base["run_id"] = f"night-{night:03d}"
        base["started_at"] = (START + timedelta(days=night)).isoformat()
        for cell, level in zip(base["cells"], levels, strict=True):
            renew(cell["rounds"], level or 1.0, draw)
        folder = runs / base["run_id"]
        folder.mkdir(parents=True)
        data = to_json(base)
        (folder / "results.json").write_bytes(data)
        total += len(data)
    return total


def renew(rounds: list[dict[str, Any]], level_ms: float, draw: random.Random) -> None:
    """Other times, as many rounds as a nightly has."""
    while rounds and len(rounds) < ROUNDS:
        rounds.append({**rounds[0], "index": len(rounds)})
    for one in rounds:
        one["value_ms"] = level_ms * (1 + draw.gauss(0, 0.01))
        one["e2e_ms"] = [one["value_ms"]] * 12


def tell(is_good: bool, text: str) -> None:
    print(f"{'pass' if is_good else 'FAIL'}  {text}")


if __name__ == "__main__":
    main()
