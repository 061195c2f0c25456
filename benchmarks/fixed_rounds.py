"""A stand-in for load_and_run that costs its machine next to nothing: rounds of a fixed length, whose lines
are written before.

What `farm.sim.program` needs to start is 50 ms of Python, and it wakes up for each iteration: of a hundred
devices at once that is more than the two cores of a benchmark have, and no cost of farm.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path

from farm.options import CATALOGUE
from farm.sim.device import TYPES, SimulatedDevice
from farm.sim.program.command_line import help_text
from farm.sim.program.log import Log
from farm.sim.program.times import Times
from farm.sim.properties import Program

SCRIPT = """#!/bin/sh
note() { echo "$$ $1 $(date +%s.%N)" >>"$HOME/.sim/spans"; }
case $1 in
  --help) cat "$HOME/.sim/help"; exit 1 ;;
esac
note begin
echo '[]' >>"$HOME/.sim/runs"
sleep SECONDS
cat "$HOME/.sim/log" >&2
note end
"""
LATENCY_MS = 100.0
MODEL = "tiny.mge"


def fixed_rounds(device: SimulatedDevice, round_s: float) -> int:
    """From now on all runs on the device take so long; the number of iterations that they tell of, each
    `LATENCY_MS`. Its spans are by the clock of the day.
    """
    iterations = round(1000 * round_s / LATENCY_MS)
    flags = {one.flag: TYPES.get(one.kind, "string") for one in CATALOGUE if one.flag}
    known = device.home / ".sim"
    (known / "help").write_text(help_text(flags))
    (known / "log").write_bytes(_log(iterations))
    runtime = device.entry()["runtime"]
    assert isinstance(runtime, dict)
    Path(runtime["program"]).write_text(SCRIPT.replace("SECONDS", f"{round_s:g}"))
    return iterations


def _log(iterations: int) -> bytes:
    """The lines of a run."""
    options = {"iter": str(iterations), "warmup_iter": "0"}
    times = Times(Program(latency_ms=LATENCY_MS), 1, MODEL, options)
    with _collected() as lines:
        log = Log()
        log.begin(MODEL, options)
        log.prepared(times)
        for index, (e2e_ms, host_ms) in enumerate(times.measured):
            log.iteration(index, times.iterations, e2e_ms, host_ms)
        log.finished(times)
        log.flush()
        return lines.getvalue()


@contextlib.contextmanager
def _collected() -> Iterator[io.BytesIO]:
    """What is written to standard error meanwhile."""
    lines, before = io.BytesIO(), sys.stderr
    sys.stderr = io.TextIOWrapper(lines, write_through=True)
    try:
        yield lines
    finally:
        sys.stderr.detach()
        sys.stderr = before
