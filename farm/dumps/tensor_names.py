"""The names of the files that `--bin-io-dump` and `--bin-out-dump` write."""

from __future__ import annotations

import re

_OUT_FILE = re.compile(r"run(\d{1,9})-var(\d{1,12})")
_IO_FILE = re.compile(r"[0-9a-f]{6,12}")


def out_file_key(name: str) -> tuple[int, int] | None:
    """(run, variable id) of a file that `--bin-out-dump` wrote, None for another name."""
    found = _OUT_FILE.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def io_file_key(name: str) -> int | None:
    """The variable id of a file that `--bin-io-dump` wrote, None for another name."""
    return int(name, 16) if _IO_FILE.fullmatch(name) else None
