"""Results -> report view: every text is chosen and every number is rounded here. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from farm.model.run import CellResult, CellStatus, ModelRecord, Results, RunStatus, Summary
from farm.report.data import embedded_data, iterations_fit
from farm.report.numerals import (
    MOST_DECIMALS,
    as_duration,
    as_ratio,
    count,
    decimals_for,
    in_bytes,
    in_ms,
    moment,
)
from farm.report.parts.cell import STATUSES, anchor, compose_cell, failure_of, quality_warning, values_ms
from farm.report.parts.comparisons import compose_comparisons
from farm.report.parts.environment import MOST_COLUMNS, by_value, compose_environment
from farm.report.parts.outputs import compose_outputs
from farm.report.parts.own import own
from farm.report.sections import More, together
from farm.report.table.columns import columns, need_plots
from farm.report.table.packing import packed
from farm.report.views.cells import CellDetail, CellLink, Failure, Problem
from farm.report.views.common import Count, Fact
from farm.report.views.matrix import Box, Matrix, MatrixRow, Strip, Times
from farm.report.views.page import Head, Method, ReportView
from farm.visible import cleaned

Cells: TypeAlias = dict[tuple[str, str, str], tuple[int, CellResult]]
"""Index in results.json and record, by device, model and column: a variant with its build."""


UNFINISHED = {
    RunStatus.RUNNING: "The run was still going when this report was written: cells may be missing.",
    RunStatus.INTERRUPTED: "The run was interrupted: cells may be missing.",
}
"""Statuses of a run that the counts of cells do not show."""


MOST_INSIDE = 500
"""Cells whose details are in the report itself; those of a larger run are pages beside it (`pages.py`)."""

MOST_PROBLEMS = 100
MOST_LINKS = 12
"""Of a large run: reasons why cells have no times that are shown, and cells that are named for each."""


def is_large(results: Results) -> bool:
    return len(results.cells) > MOST_INSIDE


def compose(results: Results, more: More | None = None) -> ReportView:
    """The report of one run. `more` is what sections of other rooms show."""
    found = together(own(results), more) if more else own(results)
    return _large(results, found) if is_large(results) else _whole(results, found)


def _large(results: Results, more: More) -> ReportView:
    """The report of a run with many cells, whose details are pages of their own."""
    shown = cleaned(_without_rounds(results))
    problems = _problems(shown, across_devices=True)
    environment = compose_environment(shown.devices)
    few = [replace(one, cells=one.cells[:MOST_LINKS]) for one in problems[:MOST_PROBLEMS]]
    return ReportView(
        head=_head(shown),
        matrices=(),
        problems=tuple(few),
        outputs=compose_outputs(shown),
        cells=(),
        environment=by_value(environment) if len(shown.devices) > MOST_COLUMNS else environment,
        method=_method(shown, iterations_embedded=False),
        data=None,
        comparisons=compose_comparisons(shown, results),
        table=packed(columns(shown, results, is_large=True)),
        needs_plots=need_plots(results),
        is_large=True,
        problems_left_out=max(len(problems) - MOST_PROBLEMS, 0),
        more=more.run,
    )


def _without_rounds(results: Results) -> Results:
    """What the page of a large run shows of a cell. Its rounds are numbers, which need no cleaning."""
    light = (replace(cell, rounds=(), preparations=(), artifacts=()) for cell in results.cells)
    return replace(results, cells=tuple(light))


def _method(shown: Results, *, iterations_embedded: bool) -> Method:
    return Method(
        seed=str(shown.seed),
        rounds=shown.rounds,
        first_variant=next(iter(shown.columns), ""),
        iterations_embedded=iterations_embedded,
    )


def _whole(results: Results, more: More) -> ReportView:
    """The report of a run whose details are all inside it."""
    shown = cleaned(results)
    cells: Cells = {(c.device, c.model, c.column): (i, c) for i, c in enumerate(shown.cells)}
    decimals = {
        model: decimals_for(value for c in shown.cells if c.model == model for value in values_ms(c))
        for model in _in_order([m.name for m in shown.models], [c.model for c in shown.cells])
    }
    variants = shown.columns
    return ReportView(
        head=_head(shown),
        matrices=tuple(_matrix(shown, model, variants, cells, decimals[model]) for model in decimals),
        problems=_problems(shown),
        outputs=compose_outputs(shown),
        cells=_details(shown, decimals, [more.cells.get(cell.id) for cell in results.cells]),
        environment=compose_environment(shown.devices),
        method=_method(shown, iterations_embedded=iterations_fit(results)),
        data=embedded_data(results),
        comparisons=compose_comparisons(shown),
        table=packed(columns(shown, shown, is_large=False)) if shown.cells else None,
        needs_plots=need_plots(shown),
        more=more.run,
    )


def _in_order(declared: Iterable[str], met: Iterable[str]) -> tuple[str, ...]:
    """Names in the order of the plan, then those that only cells name (a plan that was changed)."""
    return tuple(dict.fromkeys([*declared, *met]))


def _details(
    results: Results, decimals: Mapping[str, int], more: Sequence[Mapping[str, Any] | None]
) -> tuple[CellDetail, ...]:
    """In the order of the matrices, with one decimal more than these have."""
    models = list(decimals)
    numbered = sorted(enumerate(results.cells), key=lambda entry: models.index(entry[1].model))
    return tuple(compose_cell(i, c, min(decimals[c.model] + 1, MOST_DECIMALS), more[i]) for i, c in numbered)


def _head(results: Results) -> Head:
    ended = Counter(cell.status for cell in results.cells)
    pushed = sum(device.pushed_bytes for device in results.devices)
    reused = sum(device.reused_files for device in results.devices)
    engines = sorted({device.engine for device in results.devices if device.engine})
    facts = [
        Fact("engine", ", ".join(engines) or "unknown"),
        Fact("farm", results.farm_version),
        Fact("rounds per cell", str(results.rounds)),
        Fact("seed", str(results.seed)),
        Fact("pushed", f"{in_bytes(pushed)}, {count(reused, 'file')} reused"),
    ]
    if results.resumed:
        facts.append(Fact("resumed", ", ".join(results.resumed)))
    return Head(
        run_id=results.run_id,
        when=_when(results),
        command=shlex.join(results.command),  # to be read: nothing runs it
        facts=tuple(facts),
        counts=tuple(Count(STATUSES[status], ended[status]) for status in CellStatus),
        cells=len(results.cells),
        trouble=_trouble(results, ended),
    )


def _when(results: Results) -> str:
    started, ended = moment(results.started_at), moment(results.ended_at)
    if started is None:
        return results.started_at
    zone = started.tzname() or ""
    text = f"{started:%Y-%m-%d %H:%M:%S} {zone}".rstrip()
    return text if ended is None else f"{text}, took {as_duration((ended - started).total_seconds())}"


def _trouble(results: Results, ended: Counter[CellStatus]) -> str | None:
    said = (_state(results, ended), *(f"Not all is here: {loss}." for loss in results.losses))
    return " ".join(filter(None, said)) or None


def _state(results: Results, ended: Counter[CellStatus]) -> str | None:
    if not results.cells:
        return "This run has no cells: nothing was measured."
    if not ended[CellStatus.COMPLETED]:
        return "No cell completed: this run has no times."
    return UNFINISHED.get(results.status)


def _matrix(results: Results, model: str, variants: Sequence[str], cells: Cells, decimals: int) -> Matrix:
    devices = _in_order([d.name for d in results.devices], [c.device for c in results.cells])
    record = next((m for m in results.models if m.name == model), None)
    return Matrix(
        model=model,
        facts=_model_facts(record),
        variants=tuple(variants),
        rows=tuple(
            _row(
                device,
                [cells.get((device, model, variant)) for variant in variants],
                results.rounds,
                decimals,
            )
            for device in devices
        ),
    )


def _model_facts(record: ModelRecord | None) -> tuple[Fact, ...]:
    if record is None:
        return ()
    return (
        Fact("size", in_bytes(record.size_bytes)),
        Fact("input", record.input or "zeros"),
        Fact("sha256", record.sha256[:12]),
    )


@dataclass(frozen=True)
class _Axis:
    """What the boxes of a row share: the end of the axis, the reference time, the number of decimals."""

    end_ms: float
    reference_ms: float | None
    planned_rounds: int
    decimals: int


def _row(
    device: str, found: Sequence[tuple[int, CellResult] | None], planned: int, decimals: int
) -> MatrixRow:
    """A device's boxes on one axis, so that bars of a row can be compared by eye."""
    summaries = [entry[1].summary if entry and _has_times(entry[1]) else None for entry in found]
    end_ms = max((s.high_ms for s in summaries if s), default=0.0)
    reference_ms = summaries[0].median_ms if summaries and summaries[0] else None
    axis = _Axis(end_ms, reference_ms, planned, decimals)
    first = replace(axis, reference_ms=None)  # the first variant is not compared with itself
    return MatrixRow(
        device=device,
        boxes=tuple(
            _box(*entry, axis if column else first) if entry else None for column, entry in enumerate(found)
        ),
    )


def _has_times(cell: CellResult) -> bool:
    return cell.status == CellStatus.COMPLETED and cell.summary is not None


def _box(index: int, cell: CellResult, axis: _Axis) -> Box:
    times = _times(cell, cell.summary, axis) if cell.summary and _has_times(cell) else None
    return Box(anchor(index), STATUSES[cell.status], times, cell.reason or cell.cause or cell.error)


def _times(cell: CellResult, summary: Summary, axis: _Axis) -> Times:
    median, low, high, end = (
        in_ms(value, axis.decimals)
        for value in (summary.median_ms, summary.low_ms, summary.high_ms, axis.end_ms)
    )
    rounds = count(axis.planned_rounds, "round")
    if summary.rounds < axis.planned_rounds:
        rounds = f"{summary.rounds} of {rounds}"
    elif summary.rounds > axis.planned_rounds:  # fresh ones, of a confirmation
        rounds = count(summary.rounds, "round")
    scale = axis.end_ms or 1.0
    reference = axis.reference_ms
    return Times(
        median=median,
        low=low,
        high=high,
        rounds=rounds,
        ratio=as_ratio(summary.median_ms / reference) if reference else None,
        warning=quality_warning(cell),
        strip=Strip(
            rounds=tuple(value / scale for value in values_ms(cell)),
            low=summary.low_ms / scale,
            median=summary.median_ms / scale,
            high=summary.high_ms / scale,
            reference=None if reference is None else reference / scale,
            text=f"median {median} ms, {low} to {high} ms over {rounds}; the axis ends at {end} ms",
        ),
        sort_ms=summary.median_ms,
    )


def _problems(results: Results, *, across_devices: bool = False) -> tuple[Problem, ...]:
    """Cells without times; those of one device with the same reason are one entry. Failures first.

    `across_devices`: those of all devices are one entry, and those of which there are most come first.
    """
    groups: dict[tuple[CellStatus, str, Failure | None, str | None], list[CellLink]] = {}
    for index, cell in enumerate(results.cells):
        if cell.status == CellStatus.COMPLETED:
            continue
        device = "" if across_devices else cell.device
        name = cell.id if across_devices else f"{cell.model} / {cell.column}"
        key = (cell.status, device, failure_of(cell), cell.reason)
        groups.setdefault(key, []).append(CellLink(anchor(index), name))
    order = list(CellStatus)
    return tuple(
        Problem(STATUSES[status], device, tuple(links), failure, reason, len(links))
        for (status, device, failure, reason), links in sorted(
            groups.items(), key=lambda g: (order.index(g[0][0]), -len(g[1]) if across_devices else 0)
        )
    )
