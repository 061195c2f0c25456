"""The planned memory of cells that were asked for it (`--get-static-mem-info`), for their details."""

from __future__ import annotations

from farm.analysis.dumps.memory import memory_timeline
from farm.dumps.malformed import MalformedError
from farm.dumps.static_mem import MAX_BYTES, parse_static_memory
from farm.errors import RequestError
from farm.model.run import CellResult, Results
from farm.report.figures import memory as figure
from farm.report.figures.view import MemoryTimeline
from farm.report.sections import MOST_CELLS, More
from farm.store.runs import RunDirectory, file_of

ROLE, NAME = "static-mem-info", "StaticMemoryInfo.json"


def memories(directory: RunDirectory, results: Results) -> More:
    """The section `memory` of each cell that has a plan of its memory which can be read."""
    found = ((cell.id, _of_cell(directory, cell)) for cell in results.cells[:MOST_CELLS])
    return More(cells={cell: {"memory": timeline} for cell, timeline in found if timeline})


def _of_cell(directory: RunDirectory, cell: CellResult) -> MemoryTimeline | None:
    files = (one for round_ in cell.rounds for one in round_.artifacts if one.role == ROLE)
    plan = next((one for one in files if one.path.endswith(NAME)), None)
    if plan is None:
        return None
    try:
        path = file_of(directory, plan)
        if path.stat().st_size > MAX_BYTES:
            return None
        text = path.read_text("utf-8", "replace")
        made = memory_timeline(parse_static_memory(text))
    except (RequestError, MalformedError, OSError):
        return None  # the file is listed with the others of the cell
    holders = [(one.name, one.size_bytes) for one in made.holders]
    return figure.memory_timeline([step.used_bytes for step in made.steps], holders)
