"""Operators of all profiled cells under the ceilings of their device and core set: a section of the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from farm.analysis.operators.roofline import SHORTEST_MS, roofline
from farm.analysis.operators.rounds import side
from farm.errors import RequestError
from farm.model.operators import Bound, Ceilings, Operator, Position
from farm.model.run import Results
from farm.report.figures import roofline as figure
from farm.report.figures.scales import plain
from farm.report.figures.view import Roofline
from farm.report.numerals import MISSING, count, decimals_for, in_ms
from farm.report.parts.cell import anchor
from farm.report.sections import MOST_CELLS, More
from farm.report.views.roofline import DeviceRoofline, RooflineRow, Rooflines
from farm.store.profiles import Profiled, of_cell, profiled_cells, size_of
from farm.store.runs import RunDirectory
from farm.visible import one_line

MOST_BYTES = 64 << 20
"""Of all profiles that are read for this section."""
MOST_PARTS = 24
MOST_POINTS, FEWEST_POINTS = 1200, 40
"""Of all figures together, and of one."""
MOST_ROWS = 15
MOST_RATES = 10
LEAST_SHARE = 0.01
MOST_NOTES = 20
LONGEST_NAME = 120

BOUNDS = {
    Bound.COMPUTE: "computation",
    Bound.MEMORY: "memory",
    Bound.OVERHEAD: "overhead",
    Bound.UNKNOWN: MISSING,
}


@dataclass(frozen=True)
class _Placed:
    """An operator with its median self time, of the cell with this name and place in the run."""

    operator: Operator
    cell: str
    index: int


@dataclass
class _Part:
    ceilings: Ceilings
    placed: list[_Placed] = field(default_factory=list)
    short: int = 0


def rooflines(directory: RunDirectory, results: Results) -> More:
    """The section `roofline` of a run with profiles and ceilings; none where it has neither."""
    notes = [
        one_line(f"{device.name}, {why}", 2 * LONGEST_NAME)
        for device in results.devices
        for why in device.no_ceilings
    ]
    places = {cell.id: index for index, cell in enumerate(results.cells)}
    parts: dict[tuple[str, str], _Part] = {}
    left_bytes, too_large = MOST_BYTES, 0
    for one in profiled_cells(results)[:MOST_CELLS]:
        if one.ceilings is None:
            continue
        left_bytes -= size_of(directory, one)
        if left_bytes < 0:
            too_large += 1
            continue
        part = parts.setdefault((one.cell.device, one.ceilings.cores), _Part(one.ceilings))
        _add(part, directory, one, places[one.cell.id])
    if too_large:
        notes.append(f"{count(too_large, 'cell')} with large profiles not shown: farm profiles show has them")
    shown = [(device, part) for (device, _), part in parts.items() if part.placed]
    if len(shown) > MOST_PARTS:
        notes.append(f"{len(shown) - MOST_PARTS} more devices and core sets not shown")
    if not shown and not notes:
        return More()
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"and {len(notes) - MOST_NOTES} more"]
    most = max(MOST_POINTS // max(min(len(shown), MOST_PARTS), 1), FEWEST_POINTS)
    made = tuple(compose_part(device, part, most, results.run_id) for device, part in shown[:MOST_PARTS])
    return More(run={"roofline": Rooflines(made, tuple(notes))})


def _add(part: _Part, directory: RunDirectory, one: Profiled, index: int) -> None:
    """What can be read of a cell's profiles; what cannot is told in its details."""
    try:
        found = of_cell(directory, one)
    except (RequestError, OSError):
        return
    name = one_line(f"{one.cell.model} / {one.cell.column}", LONGEST_NAME)
    for timed in side(found.name, found.profiles, None).operators:
        if timed.median_ms < SHORTEST_MS:
            part.short += 1
        else:
            part.placed.append(_Placed(replace(timed.operator, device_ms=timed.median_ms), name, index))


def compose_part(device: str, part: _Part, most: int, run_id: str) -> DeviceRoofline:
    """`most`: operators in the figure."""
    placed = sorted(part.placed, key=lambda one: -one.operator.device_ms)
    known = [one for one in placed if one.operator.computation or one.operator.memory_bytes]
    top = known[:MOST_ROWS]
    decimals = decimals_for([one.operator.device_ms for one in top])
    positions = roofline([one.operator for one in top], part.ceilings)
    found = part.ceilings
    return DeviceRoofline(
        device=one_line(device, LONGEST_NAME),
        cores=one_line(found.cores, LONGEST_NAME),
        ceilings=f"{plain(found.gflops)} GFLOP/s and {plain(found.gbps)} GB/s",
        source=_source(found, run_id),
        figure=_figure(known, found, most),
        rows=tuple(_row(one, position, decimals) for one, position in zip(top, positions, strict=True)),
        left=_left(part, len(placed) - len(known), len(known) - len(top)),
    )


def _figure(placed: Sequence[_Placed], found: Ceilings, most: int) -> Roofline | None:
    several = len({one.cell for one in placed}) > 1
    work = [
        figure.OperatorWork(
            f"{one.cell}: {_name(one.operator)}" if several else _name(one.operator),
            one.operator.computation or 0,
            one.operator.memory_bytes or 0,
            1e3 * one.operator.device_ms,
        )
        for one in placed
    ]
    return figure.roofline(work, found.gflops, found.gbps, most=most)


def _row(one: _Placed, position: Position, decimals: int) -> RooflineRow:
    return RooflineRow(
        operator=_name(one.operator),
        cell=one.cell,
        anchor=anchor(one.index),
        time_ms=in_ms(one.operator.device_ms, decimals),
        gflops=_rate(position.gflops),
        gbps=_rate(position.gbps),
        intensity=_rate(position.intensity),
        bound=BOUNDS[position.bound],
        reach=_percent(position.of_ceiling),
    )


def _percent(share: float | None) -> str:
    if share is None:
        return MISSING
    return f"{share:.0%}" if share >= LEAST_SHARE else f"<{LEAST_SHARE:.0%}"


def _source(found: Ceilings, run_id: str) -> str:
    if found.source != "measured":
        return "given by the inventory"
    rounds = max(len(found.rounds_gflops), len(found.rounds_gbps))
    spread = ", ".join(
        f"{unit} {' '.join(plain(one) for one in rates[:MOST_RATES])}"
        for unit, rates in (("GFLOP/s", found.rounds_gflops), ("GB/s", found.rounds_gbps))
        if rates
    )
    earlier = f" in run {found.from_run}" if found.from_run not in (None, run_id) else ""
    low = f"; may be too low: {found.disturbed}" if found.disturbed else ""
    text = f"measured{earlier} with two bundled models, the best of {count(rounds, 'round')} ({spread}){low}"
    return one_line(text, 4 * LONGEST_NAME)


def _left(part: _Part, unknown: int, more: int) -> str | None:
    told = (
        f"{count(more, 'operator')} that take less time" if more else "",
        f"{count(part.short, 'operator')} shorter than {1e3 * SHORTEST_MS:g} us" if part.short else "",
        f"{count(unknown, 'operator')} without an estimate" if unknown else "",
    )
    text = ", ".join(filter(None, told))
    return f"Not in the table: {text}." if text else None


def _name(one: Operator) -> str:
    return one_line(one.name or f"operator {one.id}", LONGEST_NAME)


def _rate(value: float | None) -> str:
    return MISSING if value is None else plain(value)
