"""What a user calls a dump: a file, a folder, or RUN:CELL."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from farm.errors import RequestError
from farm.files import user_path
from farm.suggest import nearest

if TYPE_CHECKING:
    from farm.model.run import CellResult

ROLES = ("bin-io-dump", "bin-out-dump", "io-dump")
"""What is compared of a cell: the first of these that it has."""

HINT = "give a file or folder that --bin-io-dump, --bin-out-dump or --io-dump wrote, or RUN:CELL"


def named(text: str, runs_dir: Path) -> tuple[str, Sequence[Path]]:
    """A dump's name, and its files or folders. Raises RequestError where there is none of this name."""
    path = user_path(text)
    if path.exists():
        return text, (path,)
    run, is_cell, cell = text.partition(":")
    if not is_cell:
        raise RequestError(f"no dump {text!r}: there is no such file or folder", hint=HINT)
    from farm.store.runs import find_run  # takes longer to import than a small dump to compare

    directory = find_run(runs_dir, run)
    cells = {one.id: one for one in directory.results().cells}
    if cell not in cells:
        raise RequestError(
            f"no cell {cell!r} in run {run}{nearest(cell, list(cells))}",
            hint=f"farm runs show {run} lists its cells; write RUN:DEVICE/MODEL/VARIANT",
        )
    return text, _files(cells[cell], directory.path)


def _files(cell: CellResult, folder: Path) -> tuple[Path, ...]:
    produced = [*cell.artifacts, *(one for round_ in cell.rounds for one in round_.artifacts)]
    for role in ROLES:
        paths = dict.fromkeys(folder / one.path for one in produced if one.role == role)
        first = next(iter(paths), None)
        if first is not None:  # of several rounds the first one
            return tuple(path for path in paths if path.parent == first.parent)
    raise RequestError(
        f"cell {cell.id} has no dump",
        hint="farm bench --bin-io-dump DIR dumps every tensor; --check all compares them",
    )
