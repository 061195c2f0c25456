"""The rows, in the order of the documented list."""

from __future__ import annotations

from farm.options.catalogue import (
    basic,
    c_operators,
    debug,
    device,
    fastrun,
    fusion,
    io,
    layout,
    model,
    plugin,
)
from farm.options.row import Group, Option

_ROWS = (
    *basic.ROWS,
    *fastrun.ROWS,
    *io.ROWS,
    *layout.ROWS,
    *fusion.ROWS,
    *device.ROWS,
    *plugin.ROWS,
    *debug.ROWS,
    *c_operators.ROWS,
    *model.ROWS,
)

CATALOGUE: tuple[Option, ...] = tuple(sorted(_ROWS, key=lambda row: list(Group).index(row.group)))
"""Every option, group by group; this order is the canonical order of an option set."""

BY_NAME: dict[str, Option] = {row.name: row for row in CATALOGUE}
