"""New inputs for each parser of what a device sends, for so long in all; the time adds up over several calls.

    scripts/fuzz-parsers [--seconds 600] [--minutes M] [--jobs N] [--out FILE] [PARSER...]

Those that had least come first, in slices of a minute of processor time each, until each of them (or those that are
named) had --seconds, or the minutes are over. What makes a parser crash is kept in tests/fuzz/corpus, which the
suite reads again. Each slice is a line of FILE (benchmarks/data/fuzz.jsonl), with farm's version and the
digest of farm's code of that time: parsers change less often than the rest.

Prints the table of all so far, and pass or fail; exit code 1 when one crashed, or had less than was wanted.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import farm
from benchmarks import raw_records
from tests.fuzz.feeding import Fed, feed
from tests.fuzz.parsers import PARSERS

OUT = Path(__file__).parents[2] / "benchmarks" / "data" / "fuzz.jsonl"
SLICE_S = 60.0
SLOW_S = 1.0
"""Of an input of a few KiB: told, as work that grows faster than its input."""
LINE = "{:<22}{:>9}{:>11}{:>9}{:>13}  {}"


@dataclass(frozen=True)
class Slice:
    """What came of so many seconds of processor time with one parser."""

    parser: str
    seconds: float
    inputs: int = 0
    slowest_s: float = 0.0
    slowest_bytes: int = 0
    crash: str | None = None


def sliced(parser: str, seconds: float) -> Slice:
    """One, in this process."""
    began = time.process_time()
    try:
        fed = feed(parser, seconds)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        return Slice(parser, round(time.process_time() - began, 1), crash=f"{error!r:.300}")
    if fed.slowest_s > SLOW_S:
        print(f"{parser}: {fed.slowest_s:.1f} s for {fed.slowest!r:.300}", flush=True)
    return _slice(parser, time.process_time() - began, fed)


def _slice(parser: str, seconds: float, fed: Fed) -> Slice:
    return Slice(parser, round(seconds, 1), fed.inputs, round(fed.slowest_s, 3), len(fed.slowest))


def code_digest() -> str:
    """Of all of farm."""
    files = sorted(Path(farm.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


def had(records: Iterable[dict[str, Any]], parsers: Sequence[str]) -> dict[str, float]:
    """Seconds so far, by parser."""
    seconds = dict.fromkeys(parsers, 0.0)
    for one in records:
        if one["parser"] in seconds:
            seconds[one["parser"]] += one["seconds"]
    return seconds


def slices(so_far: dict[str, float], wanted_s: float) -> Iterator[str]:
    """The parser that had least, again and again, as if each slice took its time; until all had theirs."""
    so_far = dict(so_far)
    while min(so_far.values()) < wanted_s:
        parser = min(so_far, key=lambda name: so_far[name])
        so_far[parser] += SLICE_S
        yield parser


def go(parsers: Iterator[str], until: float, jobs: int, keep: Callable[[Slice], None]) -> None:
    """So many slices at a time; `keep` is called with each as it ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, max_tasks_per_child=1) as pool:
        running: set[Future[Slice]] = set()
        while True:
            while len(running) < jobs and time.monotonic() < until and (parser := next(parsers, None)):
                running.add(pool.submit(sliced, parser, SLICE_S))
            if not running:
                return
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            for one in ended:
                keep(one.result())


def told(records: Sequence[dict[str, Any]], parsers: Sequence[str], wanted_s: float) -> bool:
    """Print the table; whether all of it is as wanted."""
    print(LINE.format("parser", "seconds", "inputs", "crashes", "slowest", ""))
    is_all = True
    for parser, seconds in had(records, parsers).items():
        mine = [one for one in records if one["parser"] == parser]
        crashes = sum(one["crash"] is not None for one in mine)
        slowest = max((one["slowest_s"] for one in mine), default=0.0)
        is_met = not crashes and seconds >= wanted_s
        is_all &= is_met
        word = "pass" if is_met else "FAIL" if crashes else "open"
        inputs = sum(one["inputs"] for one in mine)
        print(LINE.format(parser, f"{seconds:.0f}", inputs, crashes, f"{1000 * slowest:.0f} ms", word))
    return is_all


def main() -> int:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("parsers", nargs="*", metavar="PARSER", help=", ".join(PARSERS))
    arguments.add_argument("--seconds", type=float, default=600.0, help="of processor time, for each in all")
    arguments.add_argument("--minutes", type=float, default=float("inf"))
    arguments.add_argument("--jobs", type=int, default=1, help="at a time")
    arguments.add_argument("--out", type=Path, default=OUT)
    given = arguments.parse_args()
    if unknown := set(given.parsers) - set(PARSERS):
        arguments.error(f"no such parser: {', '.join(sorted(unknown))}")
    parsers, code = given.parsers or list(PARSERS), code_digest()
    until = time.monotonic() + 60 * given.minutes

    def keep(one: Slice) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        raw_records.append(given.out, {"at": at, "farm": farm.__version__, "code": code, **asdict(one)})
        print(f"{one.parser}: {one.seconds:.0f} s, {one.inputs} inputs", one.crash or "", flush=True)

    go(slices(had(raw_records.read(given.out), parsers), given.seconds), until, given.jobs, keep)
    return 0 if told(raw_records.read(given.out), parsers, given.seconds) else 1


if __name__ == "__main__":
    raise SystemExit(main())
