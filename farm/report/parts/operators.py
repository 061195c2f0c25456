"""Operators of the cells that were profiled, for their details: what takes the time, and where a difference
to the first profiled cell of the same device and model comes from.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from farm.analysis.operators.align import aligned, side
from farm.analysis.operators.views import by_type, share, slowest
from farm.analysis.operators.waterfall import waterfall
from farm.errors import RequestError
from farm.model.operators import BarKind, Operator, Profile, Side
from farm.model.run import Results
from farm.report.figures import waterfall as figure
from farm.report.figures.bars import bars
from farm.report.figures.view import Bars, Waterfall
from farm.report.numerals import MISSING, count, decimals_for, in_ms
from farm.report.sections import MOST_CELLS, More
from farm.report.views.operators import OperatorRow, Operators
from farm.store.profiles import Profiled, Source, of_cell, profiled_cells, size_of
from farm.store.runs import RunDirectory
from farm.visible import one_line

MOST_BYTES = 256 << 20
"""Of all profiles that are read for one report: their operators are in memory together."""
MOST_ROWS = 15
LONGEST_NAME = 120
ONLY = frozenset({BarKind.ONLY_BEFORE, BarKind.ONLY_AFTER})


def operators(directory: RunDirectory, results: Results) -> More:
    """The section `operators` of each cell that has a profile. What cannot be read of it is told there."""
    cells: dict[str, dict[str, Operators]] = {}
    first: dict[tuple[str, str], Source] = {}
    left_bytes = MOST_BYTES
    for one in profiled_cells(results)[:MOST_CELLS]:
        left_bytes -= size_of(directory, one)
        if left_bytes < 0:
            command = shlex.join(("farm", "profiles", "show", directory.run_id, one.cell.id))
            cells[one.cell.id] = {"operators": Operators(problems=(f"too large for a report: {command}",))}
            continue
        try:
            found = of_cell(directory, one)
        except (RequestError, OSError) as error:
            cells[one.cell.id] = {"operators": Operators(problems=(str(error),))}
            continue
        known = first.setdefault((one.cell.device, one.cell.model), found)
        cells[one.cell.id] = {"operators": compose_operators(found, None if known is found else known, one)}
    return More(cells=cells)


def compose_operators(found: Source, reference: Source | None, one: Profiled) -> Operators:
    """`reference`: what its operators are compared with."""
    profile = found.profiles[0]
    top = slowest(profile)[:MOST_ROWS]
    decimals = decimals_for([operator.device_ms for operator in top])
    left = len(profile.operators) + profile.unlisted - len(top)
    of_files = (text for each in found.profiles for text in each.problems)
    command = shlex.join(("farm", "profiles", "show", found.name))
    return Operators(
        rows=tuple(_row(operator, profile, decimals) for operator in top),
        left=f"and {count(left, 'operator')} more: {command}" if left else None,
        types=_types(found, reference),
        waterfall=_waterfall(found, reference),
        against=_short(reference, one) if reference else None,
        problems=tuple(dict.fromkeys((*found.problems, *of_files))),
    )


def _row(one: Operator, profile: Profile, decimals: int) -> OperatorRow:
    return OperatorRow(
        name=one_line(one.name or f"operator {one.id}", LONGEST_NAME),
        type=one_line(one.type, LONGEST_NAME),
        time_ms=in_ms(one.device_ms, decimals),
        share=f"{share(one.device_ms, profile):.1%}",
        gflops=MISSING if one.gflops is None else f"{one.gflops:.3g}",
        gbps=MISSING if one.gbps is None else f"{one.gbps:.3g}",
        shapes=one_line(" ".join("x".join(map(str, shape)) for shape in one.output_shapes), LONGEST_NAME),
        algorithm=one_line(one.algorithm or "", LONGEST_NAME),
    )


def _types(found: Source, reference: Source | None) -> Bars | None:
    """Time by type of operator, of both."""
    sides = [reference, found] if reference else [found]
    times = [{group.key: group.device_ms for group in by_type(one.profiles[0])} for one in sides]
    names = dict.fromkeys(name for known in times for name in known)
    rows = [(name, [known.get(name) for known in times]) for name in names]
    return bars(rows, [_cell_of(one) for one in sides], "Time by type of operator")


def _waterfall(found: Source, reference: Source | None) -> Waterfall | None:
    if reference is None:
        return None
    made = waterfall(aligned((_side(reference), _side(found))), top=figure.MOST_STEPS)
    parts: Sequence[tuple[str, float]] = [
        (f"{bar.name} ({bar.kind.value})" if bar.kind in ONLY else bar.name, bar.delta_ms)
        for bar in made.bars
        if bar.kind is not BarKind.UNATTRIBUTED
    ]
    return figure.waterfall(parts, made.before_ms, made.after_ms, most=figure.MOST_STEPS + 1)


def _side(one: Source) -> Side:
    return side(_cell_of(one), one.profiles, one.end_to_end_ms)


def _cell_of(one: Source) -> str:
    """Its name without the run's."""
    return one.name.partition(":")[2]


def _short(reference: Source, one: Profiled) -> str:
    return _cell_of(reference).removeprefix(f"{one.cell.device}/{one.cell.model}/")
