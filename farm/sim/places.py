"""Where a simulated device keeps what only the simulation knows: in `.sim`, below its home folder."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path


def settings_file(home: Path) -> Path:
    """The properties of the program, as farm.sim.properties.to_json writes them."""
    return home / ".sim" / "program.json"


def tools_folder(home: Path) -> Path:
    """First in PATH: what stands in the place of the system's programs."""
    return home / ".sim" / "bin"


def boot_file(home: Path) -> Path:
    """The id of the device's present start; missing until it was restarted: then it is this machine's."""
    return home / ".sim" / "boot_id"


def sys_folder(home: Path) -> Path:
    """What stands in the place of /sys on a device that has heat of its own (FARM_SYS, see the agent)."""
    return home / ".sim" / "sys"


def heat_file(home: Path) -> Path:
    """The properties of its heat, as farm.sim.properties.heat_to_json writes them."""
    return home / ".sim" / "heat.json"


def shared_folder(home: Path) -> Path:
    """What stands in the place of /run/lock and /tmp (FARM_SHARED, see the agent)."""
    return home / ".sim" / "shared"


def _off_file(home: Path) -> Path:
    return home / ".sim" / "off"


def switch_off(home: Path, lasts_s: float = 0.0) -> None:
    """From now on nobody can connect: for so long, 0 is for ever."""
    _off_file(home).write_text(f"{time.monotonic() + lasts_s}" if lasts_s else "", "ascii")


def is_off(home: Path) -> bool:
    """Whether the device has no power."""
    try:
        until = _off_file(home).read_text("ascii")
    except FileNotFoundError:
        return False
    return not until or time.monotonic() < float(until)


def _runs_file(home: Path) -> Path:
    return home / ".sim" / "runs"


def count_run(home: Path, words: list[str]) -> int:
    """Note a run of the program with these words; its number on the device, from 1."""
    with _runs_file(home).open(
        "a+", encoding="ascii"
    ) as stream:  # one line is one write, whoever else writes
        stream.write(json.dumps(words) + "\n")
        stream.flush()
        stream.seek(0)
        return len(stream.readlines())


def _struck_file(home: Path) -> Path:
    return home / ".sim" / "struck"


def note_strike(home: Path, index: int, run: int) -> None:
    """The program's strike of this index is about to happen, in this run of the device."""
    with _struck_file(home).open("a", encoding="ascii") as stream:
        stream.write(f"{index} {run}\n")


def struck(home: Path) -> tuple[tuple[int, int], ...]:
    """All strikes so far: the index of each in the program's, and the run."""
    try:
        text = _struck_file(home).read_text("ascii")
    except FileNotFoundError:
        return ()
    return tuple((int(index), int(run)) for index, run in re.findall(r"^(\d+) (\d+)$", text, re.MULTILINE))


def count_runs(home: Path) -> int:
    """How many runs of the program there were so far."""
    try:
        return _runs_file(home).read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def runs(home: Path) -> tuple[tuple[str, ...], ...]:
    """The command lines of all runs of the program so far, without the program."""
    try:
        lines = _runs_file(home).read_text("ascii").splitlines()
    except FileNotFoundError:
        return ()
    return tuple(tuple(json.loads(line)) for line in lines)


@dataclass(frozen=True)
class Span:
    """When a run of the program began and ended, in seconds of this machine's monotonic clock, which all
    processes share. `ended_s` is None while it runs, and of one that was killed.
    """

    began_s: float
    ended_s: float | None


def _spans_file(home: Path) -> Path:
    return home / ".sim" / "spans"


def note_moment(home: Path, what: str) -> None:
    """Note that the run of the program that this process is has its `begin` or its `end` now."""
    with _spans_file(home).open("a", encoding="ascii") as stream:  # one line is one write
        stream.write(f"{os.getpid()} {what} {time.monotonic()!r}\n")


def spans(home: Path) -> tuple[Span, ...]:
    """Of all runs of the program so far, in the order in which they began."""
    try:
        lines = _spans_file(home).read_text("ascii").splitlines()
    except FileNotFoundError:
        return ()
    found: list[Span] = []
    open_: dict[str, int] = {}
    for line in lines:
        pid, what, at_s = line.split()
        if what == "begin":
            open_[pid] = len(found)
            found.append(Span(float(at_s), None))
        else:
            place = open_.pop(pid)
            found[place] = Span(found[place].began_s, float(at_s))
    return tuple(sorted(found, key=lambda one: (one.began_s, one.ended_s is None)))
