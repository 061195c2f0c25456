"""What of a run is in files beside its results: the planned memory, and the options that fitting found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from farm.dumps.malformed import MalformedError
from farm.dumps.static_mem import MAX_BYTES, parse_static_memory
from farm.errors import RequestError
from farm.logs.fitting import parse_fitted
from farm.model.artifact import Produced
from farm.model.matrix import RoundKind
from farm.model.options import OptionSet
from farm.model.run import CellResult, Results
from farm.options import parse
from farm.store.runs import RunDirectory, file_of
from farm.tune.nouns import FITTING
from farm.tune.outcomes import Beside

PLAN = "StaticMemoryInfo.json"
MOST_LOG_BYTES = 1 << 20


def read_beside(directory: RunDirectory, results: Results) -> Beside:
    """Never raises for what is in the files: what cannot be read is not known."""
    memory = {cell.variant: _memory_bytes(directory, cell) for cell in results.cells}
    fitted = next((_fitted(directory, cell) for cell in results.cells if cell.variant == FITTING), None)
    return Beside({name: size for name, size in memory.items() if size is not None}, fitted)


def _memory_bytes(directory: RunDirectory, cell: CellResult) -> int | None:
    """What the plan needs at its peak, and the weights; the largest where there are several."""
    found = []
    for one in _produced(cell):
        if one.path.rpartition("/")[2] != PLAN:
            continue
        text = _text(directory, one, MAX_BYTES)
        try:
            plan = parse_static_memory(text or "")
        except MalformedError:
            continue
        found.append(plan.peak_bytes + plan.weight_bytes)
    return max(found, default=None)


def _fitted(directory: RunDirectory, cell: CellResult) -> OptionSet | None:
    logs = [
        artifact
        for one in cell.rounds
        if one.kind is RoundKind.SETUP
        for artifact in one.artifacts
        if artifact.role == "stdout"
    ]
    for one in logs:
        words = parse_fitted(_text(directory, one, MOST_LOG_BYTES) or "")
        if words is not None:
            try:
                return parse(words)
            except RequestError:  # an option that this farm does not know
                return None
    return None


def _produced(cell: CellResult) -> Iterator[Produced]:
    yield from cell.artifacts
    for one in cell.rounds:
        yield from one.artifacts


def _text(directory: RunDirectory, one: Produced, most_bytes: int) -> str | None:
    try:
        path: Path = file_of(directory, one)
        if path.stat().st_size > most_bytes:
            return None
        return path.read_text("utf-8", "replace")
    except (OSError, RequestError):
        return None
