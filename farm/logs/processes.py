"""Which processes used processor time between two looks at all of them, and which run jobs of farm. Pure; the
text is hostile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from farm.visible import one_line

LONGEST_NAME = 40
LONGEST_PATH = 200
_LINE = re.compile(r"[^\n]+")
_HEAD = re.compile(r"([0-9]{1,10}) \(")
_REST = re.compile(r"[A-Z](?: -?[0-9]{1,20}){10} ([0-9]{1,12}) ([0-9]{1,12}) ")


@dataclass(frozen=True)
class Process:
    """A process of the device by its number: its name, and the processor time that it used, in jiffies."""

    pid: int
    name: str
    used: int


def parse_processes(text: str) -> dict[int, Process]:
    """Lines of /proc/<pid>/stat, see proc(5), by pid; what is something else is left out. A name may hold
    anything, a bracket and a newline too.
    """
    found = {}
    for one in _LINE.finditer(text):
        line = one[0]
        head, (before, _, after) = _HEAD.match(line), line.rpartition(") ")
        rest = _REST.match(after)
        if head and rest:
            pid = int(head[1])
            name = one_line(before[head.end() :], LONGEST_NAME) or "(no name)"
            found[pid] = Process(pid, name, int(rest[1]) + int(rest[2]))
    return found


def heaviest(before: Mapping[int, Process], after: Mapping[int, Process]) -> list[tuple[Process, int]]:
    """Those that used processor time in between, with how many jiffies, the most first."""
    used = [
        (one, one.used - before[pid].used)
        for pid, one in after.items()
        if pid in before and one.used > before[pid].used and before[pid].name == one.name
    ]
    return sorted(used, key=lambda pair: -pair[1])


@dataclass(frozen=True, order=True)
class Supervised:
    """A job that an agent runs, and the workdir that it belongs to."""

    workdir: str
    job: str


def parse_supervised(text: str) -> tuple[Supervised, ...]:
    """Command lines of what may be supervisors of the agent (`sh AGENT supervise WORKDIR JOB FORKS NUMBERS`),
    each word with its zero byte; what is something else is left out. Any program may call itself so.
    """
    words = text.split("\0")
    found = set()
    for at, word in enumerate(words[2:-4], 2):
        if word == "supervise" and words[at - 1].endswith(".sh"):
            found.add(
                Supervised(one_line(words[at + 1], LONGEST_PATH), one_line(words[at + 2], LONGEST_PATH))
            )
    return tuple(sorted(found))
