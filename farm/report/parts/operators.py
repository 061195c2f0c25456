"""Operators of the cells that were profiled, for their details: what takes the time, and where a difference
to the first profiled cell of the same device and model comes from.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from farm.analysis.operators.align import aligned
from farm.analysis.operators.rounds import FEWEST_ROUNDS, merged, side
from farm.analysis.operators.views import as_layers, by_layer, by_type, share, slowest
from farm.errors import FarmError, RequestError
from farm.model.operators import Group, Operator, Profile, Side, Timed
from farm.model.run import CellResult, Results
from farm.report.figures.bars import bars
from farm.report.figures.view import Bars
from farm.report.numerals import MISSING, count, decimals_for, in_ms
from farm.report.parts.cell import anchor
from farm.report.parts.side_by_side import Known, origin, side_by_side
from farm.report.sections import MOST_CELLS, More
from farm.report.views.operators import OperatorRow, Operators
from farm.store.profiles import Profiled, of_cell, profiled_cells, size_of
from farm.store.runs import RUN_ID, RunDirectory
from farm.visible import one_line

MOST_BYTES = 256 << 20
"""Of all profiles that are read for one report: their operators are in memory together."""
MOST_ROWS = 15
LONGEST_NAME = 120


def operators(directory: RunDirectory, results: Results) -> More:
    """The section `operators` of the run and of each cell that has a profile. What cannot be read is told."""
    cells: dict[str, dict[str, Operators]] = {}
    known: list[Known] = []
    first: dict[tuple[str, str], Read] = {}
    profiled, budget = profiled_cells(results), Budget(MOST_BYTES)
    anchors = {cell.id: anchor(index) for index, cell in enumerate(results.cells)}
    for one in profiled[:MOST_CELLS]:
        found = _read(directory, one, budget)
        if isinstance(found, str):
            cells[one.cell.id] = {"operators": Operators(problems=(found,))}
            continue
        reference = first.setdefault((one.cell.device, one.cell.model), found)
        is_first = reference is found
        cells[one.cell.id] = {"operators": compose_operators(found, None if is_first else reference)}
        known.append(Known(one.cell, directory.run_id, anchors[one.cell.id], found.side, found.layers))
    unread, notes = len(profiled) - len(known), []
    if unread:
        command = shlex.join(("farm", "profiles", "show", directory.run_id))
        notes.append(f"profiles of {count(unread, 'cell')} are not in these tables: {command}")
    before = _before(directory, results, known, budget)
    together = side_by_side([*known, *before], notes)
    return More({"operators": together} if together else {}, cells)


def _before(directory: RunDirectory, results: Results, known: Sequence[Known], budget: Budget) -> list[Known]:
    """What the runs that this one was compared with have of its profiled cells, as far as they are here."""
    ids = {one.cell.id for one in known}
    duels = {duel.candidate: duel.since for duel in results.duels if duel.since and duel.candidate in ids}
    found = []
    for run_id in dict.fromkeys(duels.values()):
        if run_id is None or not RUN_ID.match(run_id):  # it comes from a file
            continue
        old = RunDirectory(directory.path.parent / run_id)
        try:
            cells = profiled_cells(old.results())
        except (FarmError, OSError):
            continue  # nothing is lost but a table that nobody asked for
        for one in cells:
            read = _read(old, one, budget) if duels.get(one.cell.id) == run_id else ""
            if isinstance(read, Read):
                found.append(Known(one.cell, run_id, None, read.side, read.layers, since=one.cell.id))
    return found


@dataclass
class Budget:
    """Bytes of profiles that may still be read for a report."""

    left_bytes: int


@dataclass(frozen=True)
class Read:
    """The profiles of a cell: their medians, and their ranges by operator and by layer."""

    source: str
    cell: CellResult
    profile: Profile
    side: Side
    layers: Side
    problems: tuple[str, ...]


def _read(directory: RunDirectory, one: Profiled, budget: Budget) -> Read | str:
    """The profiles of a cell, or why there is nothing to show."""
    budget.left_bytes -= size_of(directory, one)
    if budget.left_bytes < 0:
        command = shlex.join(("farm", "profiles", "show", directory.run_id, one.cell.id))
        return f"too large for a report: {command}"
    try:
        found = of_cell(directory, one)
    except (RequestError, OSError) as error:
        return str(error)
    of_files = (text for each in found.profiles for text in each.problems)
    return Read(
        found.name,
        one.cell,
        merged(found.profiles),
        side(one.cell.id, found.profiles, found.end_to_end_ms),
        side(one.cell.id, [as_layers(each) for each in found.profiles]),
        tuple(dict.fromkeys((*found.problems, *of_files))),
    )


def compose_operators(found: Read, reference: Read | None) -> Operators:
    """`reference`: what its operators are compared with."""
    profile = found.profile
    top = slowest(profile)[:MOST_ROWS]
    decimals = decimals_for([operator.device_ms for operator in top])
    left = len(profile.operators) + profile.unlisted - len(top)
    command = shlex.join(("farm", "profiles", "show", found.source))
    spans = {one.operator.id: one for one in found.side.operators}
    return Operators(
        rows=tuple(_row(operator, profile, decimals, spans.get(operator.id)) for operator in top),
        left=f"and {count(left, 'operator')} more: {command}" if left else None,
        types=_bars(by_type, found, reference, "Time by type of operator"),
        layers=_bars(by_layer, found, reference, "Time by layer, the first two parts of a name"),
        waterfall=origin(aligned((reference.side, found.side))) if reference else None,
        against=reference.cell.column if reference else None,
        problems=found.problems,
        profiles=_profiles(found, reference),
    )


def _profiles(found: Read, reference: Read | None) -> str:
    """How many there are, and what that decides."""
    fewest = min(one.side.rounds for one in (found, reference) if one)
    told = "one profile" if found.side.rounds == 1 else f"medians of {found.side.rounds} profiles"
    if reference is None:
        return told
    if fewest < FEWEST_ROUNDS:
        few = "one profile" if fewest == 1 else f"{fewest} profiles"
        return f"{few}: not decided what changed; {FEWEST_ROUNDS} of each can tell (--profile-rounds)"
    return f"{told}; changed: their ranges are far from each other"


def _row(one: Operator, profile: Profile, decimals: int, span: Timed | None) -> OperatorRow:
    has_range = span is not None and span.rounds > 1
    told = f"{in_ms(span.low_ms, decimals)} to {in_ms(span.high_ms, decimals)}" if span and has_range else ""
    return OperatorRow(
        name=one_line(one.name or f"operator {one.id}", LONGEST_NAME),
        type=one_line(one.type, LONGEST_NAME),
        time_ms=in_ms(one.device_ms, decimals),
        span_ms=told,
        share=f"{share(one.device_ms, profile):.1%}",
        gflops=MISSING if one.gflops is None else f"{one.gflops:.3g}",
        gbps=MISSING if one.gbps is None else f"{one.gbps:.3g}",
        shapes=one_line(" ".join("x".join(map(str, shape)) for shape in one.output_shapes), LONGEST_NAME),
        algorithm=one_line(one.algorithm or "", LONGEST_NAME),
    )


def _bars(
    grouped: Callable[[Profile], Sequence[Group]], found: Read, reference: Read | None, title: str
) -> Bars | None:
    """Time by group, of both; None where all is one group, which says nothing."""
    sides = [reference, found] if reference else [found]
    times = [{group.key: group.device_ms for group in grouped(one.profile)} for one in sides]
    names = dict.fromkeys(name for known in times for name in known)
    rows = [(name, [known.get(name) for known in times]) for name in names]
    return bars(rows, [one.cell.id for one in sides], title) if len(rows) > 1 else None
