"""What failed in a run, as the terminal tells it: once for each device and cause, and never without end."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from farm.model.run import CellResult, CellStatus, Results

GROUPS_SHOWN = 20


def failures_of(results: Results) -> list[tuple[str, str | None]]:
    """Sentences with the next command to type, None where there is none.

    What one device fails of for one reason is one sentence with the number of cells; beyond GROUPS_SHOWN
    sentences the rest is counted by cause. results.json and the report have all.
    """
    groups: dict[tuple[object, ...], list[CellResult]] = {}
    for cell in results.cells:
        if cell.status is CellStatus.FAILED:
            groups.setdefault((cell.device, cell.stage, cell.cause, cell.error), []).append(cell)
    told = [(_sentence(cells), cells[0].hint) for cells in islice(groups.values(), GROUPS_SHOWN)]
    rest = list(islice(groups.values(), GROUPS_SHOWN, None))
    return [*told, (_counted(rest), None)] if rest else told


def _sentence(cells: list[CellResult]) -> str:
    first = cells[0]
    who = first.id if len(cells) == 1 else f"{first.device}: {len(cells)} cells"
    return f"{who} failed at {first.stage}: {first.error}"


def _counted(rest: list[list[CellResult]]) -> str:
    """`and 480 more cells of 60 devices failed (470 unreachable, 10 held): ...`"""
    cells = [cell for group in rest for cell in group]
    causes = Counter(cell.cause or "unknown" for cell in cells).most_common()
    devices = len({cell.device for cell in cells})
    listed = ", ".join(f"{count} {cause}" for cause, count in causes)
    return f"and {len(cells)} more cells of {devices} devices failed ({listed}): the report has them all"
