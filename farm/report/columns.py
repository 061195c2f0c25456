"""The columns of a table that has a row for each device and model."""

from __future__ import annotations

from farm.model.matrix import column_name
from farm.model.run import Results


def columns(results: Results) -> tuple[str, ...]:
    """Variants in the order of the plan, then those that only cells name; of each its builds as they come."""
    variants = dict.fromkeys([*(v.name for v in results.variants), *(c.variant for c in results.cells)])
    builds = dict.fromkeys(cell.build for cell in results.cells)
    met = {cell.column for cell in results.cells}
    named = [column_name(variant, build) for variant in variants for build in builds]
    unmet = [variant for variant in variants if not any(cell.variant == variant for cell in results.cells)]
    return tuple(dict.fromkeys([*(one for one in named if one in met), *unmet]))
