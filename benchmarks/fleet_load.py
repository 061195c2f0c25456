"""Shows of `benchmarks.fleet` about how much: lanes of a submit, lanes of a worker, and a worker without."""

from __future__ import annotations

import asyncio
import asyncio.events
import contextlib
import gc
import json
import math
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.apart import devices_stand_back
from benchmarks.fleet_lab import LANES, Lab, Worker, boards, in_thread, until
from benchmarks.fleet_shows import RUN, counted

TICK_S = 0.02
LONGEST_KEPT = 5
LONG_S = 0.06
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAUSE_S = 0.005
FOLDERS = re.compile(r"[^\s'\"]*/(?=[^/\s]+\.py)")
STORED = (
    "SELECT xact_commit, pg_database_size(datname) FROM pg_stat_database WHERE datname = current_database()"
)
WRITING = """SELECT max(extract(epoch FROM clock_timestamp() - xact_start)) FROM pg_stat_activity
WHERE datname = current_database() AND backend_xid IS NOT NULL"""
"""For how many seconds the longest transaction has been writing."""


async def submit(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """All lanes at once, or none: seen by others at any moment, and after a kill -9 in the middle."""
    return await in_thread(_submit, lab, 200 if is_quick else 2000)  # type: ignore[no-any-return]


def _submit(lab: Lab, count: int) -> dict[str, Any]:
    program = lab.folder / "load_and_run"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    entry = {"address": "192.0.2.1", "runtime": {"kind": "native", "program": str(program)}}
    inventory = lab.folder / "many.yaml"
    inventory.write_text(json.dumps({"devices": {f"board-{number}": entry for number in range(count)}}))
    lab.farm("queue")
    seen: Counter[int] = Counter()
    is_over = threading.Event()
    writing_s = [0.0]

    def look() -> None:
        while not is_over.is_set():
            with contextlib.suppress(sa.exc.ProgrammingError):  # its tables are not there yet
                seen[len(lab.rows(LANES)) % count] += 1
            writing_s[0] = max(writing_s[0], float(lab.rows(WRITING)[0][0] or 0))
            time.sleep(PAUSE_S)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        ended = lab.submit(inventory, RUN, "--json")
        enqueue_s = writing_s[0]
        killed = _kill_a_submit(lab, inventory)
    finally:
        is_over.set()
        thread.join()
    partly = sum(times for lanes, times in seen.items() if lanes)
    return {
        "lanes": count, "command_s": round(ended.wall_s, 2), "enqueue_s": round(enqueue_s, 2),
        "looks": seen.total(), "partly": partly + (killed % count != 0), "lanes_after_kill": killed - count,
    }  # fmt: skip


def _kill_a_submit(lab: Lab, inventory: Path) -> int:
    """How many lanes there are after a submit was killed while it wrote into the store."""
    words = (
        "submit", "--inventory", str(inventory), "--run-id", "two", "--model", "bundled:tiny",
    )  # fmt: skip
    process = lab.start(*words)
    busy = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND query LIKE 'INSERT INTO %workflow%' AND state <> 'idle'"
    )
    until(lambda: lab.rows(busy)[0][0] > 0 or process.poll() is not None, "it writes", 0.001)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # the server sees that its client is gone
    return len(lab.rows(LANES))


async def idle(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """A worker without lanes, after it has started."""
    async with boards(lab.folder / "devices", 1, 1.0) as running:
        return await in_thread(_idle, lab, running.inventory, 20.0 if is_quick else 120.0)  # type: ignore[no-any-return]


def _idle(lab: Lab, inventory: Path, watched_s: float) -> dict[str, Any]:
    shared = ("--artifacts", (lab.folder / "shared").as_uri())
    lab.farm("worker", "--site", "other", "--drain", *shared)  # the first command makes the store
    worker = lab.worker(inventory)
    time.sleep(10.0)
    before_s, began_s = cpu_s(worker), time.monotonic()
    time.sleep(watched_s)
    used_s, took_s = cpu_s(worker) - before_s, time.monotonic() - began_s
    memory = memory_mb(worker)
    connections = lab.rows("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")[0][0]
    worker.end()
    return {
        "watched_s": round(took_s, 1), "cpu_percent": round(100 * used_s / took_s, 2), **memory,
        "connections": connections - 1,
    }  # fmt: skip


def cpu_s(worker: Worker) -> float:
    """User and system time so far."""
    words = Path(f"/proc/{worker.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICKS_PER_S


def memory_mb(worker: Worker) -> dict[str, float]:
    """`rss_mb`, of which `anonymous_mb` is its own and the rest files that others may share."""
    found = {}
    for line in Path(f"/proc/{worker.process.pid}/status").read_text().splitlines():
        key, _, value = line.partition(":")
        if key in {"VmRSS", "RssAnon", "VmHWM", "Threads"}:
            found[key] = float(value.split()[0])
    return {
        "rss_mb": round(found["VmRSS"] * 1024 / 1e6, 1),
        "anonymous_mb": round(found["RssAnon"] * 1024 / 1e6, 1),
        "most_rss_mb": round(found["VmHWM"] * 1024 / 1e6, 1),
        "threads": found["Threads"],
    }


async def lanes(lab: Lab, is_quick: bool) -> dict[str, Any]:
    """All devices are one worker's; its event loop is asked all the time how late it is."""
    async with boards(lab.folder / "devices", 20 if is_quick else 200, 4.0) as running:
        return await in_thread(_lanes, lab, running)  # type: ignore[no-any-return]


def _lanes(lab: Lab, running: Any) -> dict[str, Any]:
    lab.submit(running.inventory, RUN)
    report = lab.folder / "lag.json"
    inside = (str(Path(__file__)), "--inside", str(report))
    before, began_s = lab.rows(STORED)[0], time.monotonic()
    with devices_stand_back():
        worker = lab.worker(running.inventory, "--parallel", str(len(running.devices)), program=inside)
        until(lambda: all(status == "SUCCESS" for _, status, _ in lab.rows(LANES)), "all lanes are over", 0.5)
    took_s = time.monotonic() - began_s
    used_s, memory = cpu_s(worker), memory_mb(worker)
    worker.end()
    time.sleep(1.0)  # the server's counters are late
    commits, stored_bytes = (after - was for after, was in zip(lab.rows(STORED)[0], before, strict=True))
    found = counted(lab.fetched(RUN), running)
    return {
        "lanes": len(running.devices), "took_s": round(took_s, 1),
        "commits_of_lane": round(commits / len(running.devices), 1),
        "stored_kb_of_lane": round(stored_bytes / 1000 / len(running.devices), 1),
        "cpu_percent": round(100 * used_s / took_s, 1), **memory, **found, **json.loads(report.read_text()),
    }  # fmt: skip


class Probe:
    """How late the event loop of this process is, which callbacks take long, and where they are then."""

    def __init__(self) -> None:
        self.late_ms: list[tuple[float, float]] = []
        """With when that was, in s since the start."""
        self.longest: list[tuple[float, str]] = []
        self.where: Counter[str] = Counter()
        self.collected: list[tuple[float, float, int]] = []
        """Looks for garbage, beside which nothing runs: how many ms, at how many s, and the generation."""
        self._collecting_s = 0.0
        self._seen: set[int] = set()
        self._since_s = math.inf
        self._began_s = 0.0

    def begin(self) -> None:
        threading.Thread(target=self._watch, daemon=True).start()
        gc.callbacks.append(self._collects)
        run = asyncio.events.Handle._run  # noqa: SLF001 - where every callback passes

        def timed(handle: asyncio.Handle) -> None:
            self._see(handle._loop)  # type: ignore[attr-defined]  # noqa: SLF001
            began_s, self._since_s = time.thread_time(), time.monotonic()
            try:
                run(handle)
            finally:
                self._since_s = math.inf
                self._took(handle, (time.thread_time() - began_s) * 1000)

        asyncio.events.Handle._run = timed  # type: ignore[assignment, method-assign]  # noqa: SLF001

    def _collects(self, phase: str, what: dict[str, int]) -> None:
        now_s = time.monotonic()
        if phase == "start":
            self._collecting_s = now_s
            return
        took_ms = 1000 * (now_s - self._collecting_s)
        self.collected.append((round(took_ms, 1), round(now_s - self._began_s, 1), what["generation"]))
        self.collected.sort(reverse=True)
        del self.collected[LONGEST_KEPT:]

    def _see(self, loop: asyncio.AbstractEventLoop) -> None:
        if id(loop) not in self._seen and threading.current_thread() is threading.main_thread():
            self._seen.add(id(loop))
            loop.call_later(TICK_S, self._tick, loop, loop.time() + TICK_S)

    def _tick(self, loop: asyncio.AbstractEventLoop, due_s: float) -> None:
        now_s = loop.time()
        self._began_s = self._began_s or now_s
        self.late_ms.append((1000 * (now_s - due_s), now_s - self._began_s))
        loop.call_later(TICK_S, self._tick, loop, now_s + TICK_S)

    def _took(self, handle: asyncio.Handle, taken_ms: float) -> None:
        if len(self.longest) < LONGEST_KEPT or taken_ms > self.longest[-1][0]:
            callback = getattr(handle, "_callback", handle)
            name = FOLDERS.sub("", repr(getattr(callback, "__self__", callback)))
            self.longest.append((taken_ms, name[:200]))
            self.longest.sort(reverse=True)
            del self.longest[LONGEST_KEPT:]

    def _watch(self) -> None:
        main_thread = threading.main_thread().ident or 0
        while True:
            time.sleep(TICK_S)
            if time.monotonic() - self._since_s > LONG_S:
                stack = traceback.extract_stack(sys._current_frames()[main_thread])  # noqa: SLF001
                self.where[
                    " < ".join(f"{Path(one.filename).name}:{one.lineno}" for one in stack[:-9:-1])
                ] += 1

    def report(self) -> dict[str, Any]:
        late_ms = sorted(late_ms for late_ms, _ in self.late_ms)
        return {
            "lag_ms": round(late_ms[-1], 1),
            "lag_p50_ms": round(late_ms[len(late_ms) // 2], 1),
            "lag_p99_ms": round(late_ms[int(0.99 * len(late_ms))], 1),
            "ticks": len(late_ms),
            "over_100_ms": sum(one > 100 for one in late_ms),
            "worst_ms_at_s": [
                (round(a, 1), round(b, 1)) for a, b in sorted(self.late_ms)[: -LONGEST_KEPT - 1 : -1]
            ],
            "longest_cpu_ms": [(round(taken_ms, 1), name) for taken_ms, name in self.longest],
            "longest_gc": self.collected,
            "where": self.where.most_common(LONGEST_KEPT),
        }


def inside(report: Path) -> None:
    """Run farm in this process, with a probe."""
    probe = Probe()
    probe.begin()
    from farm.cli.main import main

    try:
        main()
    finally:
        report.write_text(json.dumps(probe.report()))


if __name__ == "__main__":
    place = Path(sys.argv[2])
    sys.argv[:] = ["farm", *sys.argv[3:]]
    inside(place)
