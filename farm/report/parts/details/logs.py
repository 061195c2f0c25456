"""The last lines that a failed round wrote to stderr, for the details of its cell."""

from __future__ import annotations

import os

from farm.errors import RequestError
from farm.model.run import CellResult, Results, RoundResult, RoundStatus
from farm.report.demand import Found, OnDemand
from farm.report.parts.cell import name_of_round
from farm.report.sections import More
from farm.report.views.common import Fact
from farm.store.runs import RunDirectory, file_of
from farm.visible import visible

MOST_ROUNDS = 3
"""Of a cell: the last ones."""

TAIL_BYTES = 3000
TAIL_LINES = 25


def logs(directory: RunDirectory, results: Results) -> More:
    """The section `log` of each cell with failed rounds that wrote something to stderr."""
    failed = {cell.id: cell for cell in results.cells if _failed(cell)}

    def make(cell: str) -> Found | None:
        rounds = _failed(failed[cell])[-MOST_ROUNDS:]
        told = tuple(Fact(name_of_round(one), text) for one in rounds if (text := _tail(directory, one)))
        return {"log": told} if told else None

    return More(cells=OnDemand(list(failed), make))


def _failed(cell: CellResult) -> list[RoundResult]:
    prepared = [one.round for one in cell.preparations if one.round is not None]
    return [one for one in (*prepared, *cell.rounds) if one.status is RoundStatus.FAILED]


def _tail(directory: RunDirectory, one: RoundResult) -> str:
    """Whole lines where there is more than one; nothing where it is gone, or no plain file of the run."""
    produced = next((file for file in one.artifacts if file.role == "stderr"), None)
    if produced is None:
        return ""
    try:
        path = file_of(directory, produced).resolve()
        if not path.is_relative_to(directory.path.resolve()):
            return ""
        data = _end(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except (RequestError, OSError, RuntimeError):  # links in a circle
        return ""
    begin = data.find(b"\n") + 1 if len(data) >= TAIL_BYTES else 0
    text = data[begin:].decode("utf-8", "replace").replace("\r\n", "\n").strip()
    return visible("\n".join(text.split("\n")[-TAIL_LINES:]))


def _end(descriptor: int) -> bytes:
    """The last bytes of a file, which is closed then."""
    try:
        size_bytes = os.fstat(descriptor).st_size
        return os.pread(descriptor, TAIL_BYTES, max(size_bytes - TAIL_BYTES, 0))
    finally:
        os.close(descriptor)
