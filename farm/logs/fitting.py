"""The best options that `--fitting` found, from its output."""

from __future__ import annotations

import re

_BEST = "the best options:"
_OPTION = re.compile(r"--[\w-]{1,100}=\S{0,200}")
MAX_OPTIONS = 200


def parse_fitted(stdout: str) -> tuple[str, ...] | None:
    """The words after `the best options:`, ready for `farm.options.parse`; None if the list is incomplete.

    An empty line ends them.
    """
    _, found, rest = stdout.replace("\r\n", "\n").rpartition(f"{_BEST}\n")
    if not found:
        return None
    words: list[str] = []
    for line in rest.split("\n")[:-1]:
        if not line.strip():
            return tuple(words)
        if not _OPTION.fullmatch(line.strip()) or len(words) == MAX_OPTIONS:
            return None
        words.append(line.strip())
    return None
