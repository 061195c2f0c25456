"""The table that `--model-info` prints."""

from __future__ import annotations

import re

from farm.model.measurement import TensorInfo

_TITLE = re.compile(r"\+Runtime Model Info-*\+[-+]*")
_RULE = re.compile(r"\+[-+]*\+")
_ROW = re.compile(
    r"\| (?P<direction>INPUT|OUTPUT) +\| *(?P<name>\S(?:.{0,254}?\S)?) *\| *\{(?P<shape>[\d,]{0,120})\} *"
    r"\| *(?P<dtype>\w{1,40}) *\|"
)
MAX_ROWS = 10_000


class TableReader:
    """Reads lines one by one; `first` is the first complete table; an incomplete one is ignored."""

    def __init__(self) -> None:
        self.first: tuple[TensorInfo, ...] = ()
        self._rows: list[TensorInfo] | None = None

    def read(self, line: str) -> bool:
        """Whether the line belongs to a table."""
        if _TITLE.fullmatch(line):
            self._rows = []
            return True
        if self._rows is None or not line.startswith(("|", "+")):
            self.close()
            return False
        found = _ROW.fullmatch(line)
        if found and len(self._rows) < MAX_ROWS:
            self._rows.append(_tensor(found))
        return True

    def close(self) -> None:
        """End the table: the next line is not part of it."""
        if self._rows and not self.first:
            self.first = tuple(self._rows)
        self._rows = None


def _tensor(found: re.Match[str]) -> TensorInfo:
    shape = tuple(int(size) for size in found["shape"].split(",") if size)
    return TensorInfo(found["direction"].lower(), found["name"], shape, found["dtype"])
