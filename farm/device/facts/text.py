"""Words and numbers of a device's texts: nothing here raises."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from farm.visible import one_line

TEXT_LIMIT = 200
LIST_LIMIT = 4096
FEW_LIMIT = 256
SYS = "/sys/"

Files = Mapping[str, list[str]]
"""The lines of each file by its path."""

_OF_CGROUP = "fs/cgroup/"


def text_of(text: str | None) -> str | None:
    """One line that can be shown; None for nothing."""
    return one_line(text, TEXT_LIMIT) or None if text else None


def first(lines: Sequence[str]) -> str:
    return lines[0] if lines else ""


def number(text: str) -> int | None:
    """A plain number; `int` itself would take other digits, signs and more of them than it can print."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def decimal(text: str) -> float | None:
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) else None


def pairs(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Lines `name : value`."""
    return [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]


def files_of(lines: Sequence[str]) -> dict[str, list[str]]:
    """The lines of each file, from lines `<path>:<text>`. A path that does not begin with `/` is one below
    /sys; those of control groups may have colons, their texts have none.
    """
    found: dict[str, list[str]] = {}
    for line in lines:
        path, _, text = line.rpartition(":") if line.startswith(_OF_CGROUP) else line.partition(":")
        found.setdefault(path if path.startswith("/") else SYS + path, []).append(text.strip())
    return found


def numbered(files: Files, pattern: str) -> dict[int, str]:
    """The first line of each file whose path is `pattern` with a number for the brackets, by the number."""
    path = re.compile(re.escape(pattern).replace(r"\[\]", "([0-9]{1,4})"))
    found = ((match, lines[0]) for name, lines in files.items() if (match := path.fullmatch(name)))
    return {int(match[1]): line for match, line in sorted(found, key=lambda one: int(one[0][1]))}


def core_ids(text: str) -> tuple[int, ...]:
    """Core numbers from the kernel's list format, `0-3,6` (cpuset(7)); empty for anything else."""
    found: list[int] = []
    for piece in filter(None, text[:LIST_LIMIT].split(",")):
        match = re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", piece)
        if match is None or len(found) > LIST_LIMIT:
            return ()
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return tuple(found)
