"""What was skipped and why, as the terminal tells it: once for each reason, and never without end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

REASONS_SHOWN = 20
NAMES_SHOWN = 3

Skipped = tuple[str, str, str, str]
"""Device, model, variant (with its build where it has one of a name), reason."""


def skips_of(skipped: Iterable[Skipped], where_all_are: str) -> list[str]:
    """Sentences on what a plan or a run leaves out; beyond REASONS_SHOWN reasons a number."""
    reasons: dict[str, list[Skipped]] = {}
    for one in skipped:
        reasons.setdefault(one[-1], []).append(one)
    groups = list(reasons.items())
    told = [f"skipped {_cells(cells)}: {reason}" for reason, cells in groups[:REASONS_SHOWN]]
    rest = sum(len(cells) for _, cells in groups[REASONS_SHOWN:])
    others = len(groups) - REASONS_SHOWN
    return [*told, f"skipped {rest} more cells for {others} other reasons: {where_all_are}"] if rest else told


def _cells(cells: Sequence[Skipped]) -> str:
    """`arm-1/tiny/nchw44`, or `12 cells of 3 devices (nchw44, mt2)` with the variants."""
    if len(cells) == 1:
        return "/".join(cells[0][:3])
    devices, variants = (list(dict.fromkeys(one[column] for one in cells)) for column in (0, 2))
    where = devices[0] if len(devices) == 1 else f"{len(devices)} devices"
    more = len(variants) - NAMES_SHOWN
    named = ", ".join(variants[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
    return f"{len(cells)} cells of {where} ({named})"
