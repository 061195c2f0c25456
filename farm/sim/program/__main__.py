"""One run: what the flags ask for, in the order in which the real program does it."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TextIO

from farm.sim.heat import warm
from farm.sim.places import count_run, note_moment, note_strike, settings_file
from farm.sim.program.command_line import MistakeError, help_text, read
from farm.sim.program.files import write_all
from farm.sim.program.log import Log
from farm.sim.program.strikes import strike
from farm.sim.program.times import Times
from farm.sim.properties import Ending, Program, from_json

ABORTED = 134
FOR_EVER_S = 1e6


def main(words: list[str]) -> int:
    """The exit code."""
    home = Path(os.environ["HOME"])
    program, flags = from_json(settings_file(home).read_text("ascii"))
    try:
        model, options = read(words, flags)
    except MistakeError as mistake:
        return _tell(sys.stderr, f"ERROR: {mistake}\n", 1)
    if "help" in options:
        return _tell(sys.stdout, help_text(flags), 1)
    if "version" in options:
        return _tell(sys.stdout, "load_and_run version 1.0\n", 0)
    if model is None:
        return _tell(sys.stdout, "usage: \nload_and_run: load_and_run <model_path> [options Flags...]\n", 255)
    note_moment(home, "begin")
    try:
        return _run(program, home, model, options, count_run(home, words))
    finally:
        note_moment(home, "end")


def _run(program: Program, home: Path, model: str, options: dict[str, str], number: int) -> int:
    log = Log()
    log.begin(model, options)
    if not Path(model).is_file():
        log.abort(f"failed to open {model}: No such file or directory")
        return ABORTED
    log.raw(os.fsencode(program.says))
    log.pad(program.log_bytes)
    if program.ending is Ending.CRASH:
        log.abort("a simulated failure")
        return ABORTED
    times = Times(program, number, Path(model).stem, options)
    write_all(program, Path(model).stem, options, times.iterations + times.warmups)
    log.prepared(times)
    factor = warm(home, program.load_ms / 1000)
    for index in range(times.iterations):
        for order, one in enumerate(program.strikes):
            if one.iteration == index and one.run in (0, number):
                log.flush()
                note_strike(home, order, number)
                strike(one, home)
        times.slow_down(index, factor)
        e2e_ms, host_ms = times.measured[index]
        log.iteration(index, times.iterations, e2e_ms, host_ms)
        time.sleep(e2e_ms * program.pace / 1000)
        factor = warm(home, e2e_ms / 1000)
    if program.ending is Ending.CUT:
        return 0
    log.finished(times)
    if program.ending is Ending.HANG:
        log.flush()
        time.sleep(FOR_EVER_S)
    return 0


def _tell(stream: TextIO, text: str, code: int) -> int:
    stream.write(text)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
