"""Where profiles come from: files, or the profile rounds of a cell of a run."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from farm.errors import RequestError
from farm.store.profiles import Profiled, Source, of_cell, profiled_cells, read
from farm.store.runs import RunDirectory, find_run
from farm.suggest import nearest

MAKE_ONE = "farm bench --variant 'profiled=--profile p.json' makes a profile of every cell"


def sources(text: str, runs_dir: Path, most: int) -> list[Source]:
    """What `FILE`, `RUN:CELL`, `RUN:CELLS` with `*`, or `RUN` of a run with one profiled cell means: one or
    more, in the order of the run. Raises RequestError for anything else, for a file that is no profile, and
    for more than `most`.
    """
    path = Path(text)
    if is_file(path):
        return [Source(text, (read(path),))]
    run, _, cell = text.partition(":")
    directory = find_run(runs_dir, run)
    found = profiled(directory)
    chosen = [one for one in found if fnmatchcase(one.cell.id, cell)] if "*" in cell else []
    if len(chosen) > most:
        hint = f"name fewer: {run}:{chosen[0].cell.id}"
        raise RequestError(f"{len(chosen)} cells of {run} are like {cell!r}; at most {most}", hint=hint)
    return [of_cell(directory, one) for one in chosen or [choose(found, cell or None, run)]]


def is_file(path: Path) -> bool:
    """Something to read from, a pipe included."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def profiled(directory: RunDirectory) -> tuple[Profiled, ...]:
    """The cells of a run that have profiles, in its order. Raises RequestError when there are none."""
    found = profiled_cells(directory.results())
    if not found:
        raise RequestError(f"run {directory.run_id} has no profiles", hint=MAKE_ONE)
    return found


def choose(cells: tuple[Profiled, ...], cell: str | None, run: str) -> Profiled:
    """The cell of this id (device/model/variant), or the only one. Raises RequestError."""
    ids = [one.cell.id for one in cells]
    if cell is None and len(cells) == 1:
        return cells[0]
    if cell is None:
        raise RequestError(f"{len(cells)} cells of {run} have profiles", hint=f"add one of them: {ids[0]}")
    for one in cells:
        if one.cell.id == cell:
            return one
    raise RequestError(f"no cell {cell!r} of {run} has a profile", hint=f"{ids[0]}{nearest(cell, ids)}")
