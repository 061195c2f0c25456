"""The ceilings of a run, by what its cells compute with."""

from __future__ import annotations

import math

from farm.model.operators import Ceilings
from farm.model.run import CellResult, Results
from farm.options.core_sets import core_set


def ceilings_of(results: Results, cell: CellResult) -> Ceilings | None:
    """Those of the cell's device and core set; None where the run has none, or none that can be used."""
    name = core_set(cell.options).name
    device = next((one for one in results.devices if one.name == cell.device), None)
    found = next((one for one in device.ceilings if one.cores == name), None) if device else None
    return found if found and _are_usable(found) else None


def _are_usable(found: Ceilings) -> bool:
    """A file may say anything."""
    return all(math.isfinite(value) and value > 0 for value in (found.gflops, found.gbps))
