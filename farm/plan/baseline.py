"""The old side of a comparison with another run: its cells with the bytes that were kept of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from farm.model.device import Device
from farm.model.matrix import Cell
from farm.model.run import Results
from farm.store.kept import KeptStore
from farm.store.runs import RunDirectory


@dataclass(frozen=True)
class Gone:
    """A cell of another run that cannot be run again, and why: `cell` is the id that it had there."""

    cell: str
    reason: str


def baseline_cells(
    run: RunDirectory, results: Results, devices: Sequence[Device], kept: KeptStore
) -> tuple[Cell | Gone, ...]:
    """One for each cell of `results`, in their order: the cell with the build `baseline` and the bytes that it
    had in that `run`, for the device of its name among `devices`, or the reason why it cannot be had.

    Cells of the build `inventory` become `...@baseline`, those of another build `...@baseline-<build>`, so that
    ids are unique. Rounds are those of the options, as many timed ones as that run had; inputs were
    fitted then. Reads files (and hashes what is kept): not for the event loop.
    """
    raise NotImplementedError
