"""All cells of a run and what was compared of them, as columns: what the table of a report is made of.

reports/js/model.js reads it. Values of rounds, intervals and effects are whole numbers of `STEP` of what they
belong to, so that a cell with ten rounds takes about 40 bytes of a page.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from farm.compare.outcome import ranked
from farm.compare.words import SYMBOLS
from farm.model.comparison import Comparison, Effect
from farm.model.options import Value
from farm.model.run import CellResult, CellStatus, DeviceRecord, Results, Summary
from farm.report.parts.cell import STATUSES, quality_warning, values_ms
from farm.report.parts.environment import COMPARED, compose_environment
from farm.report.table.packing import constant, digits, texts
from farm.visible import visible

STEP = 1e-4
"""Of a median: the resolution of rounds and intervals. Of 1: that of a ratio."""

MOST_STEPS = 10**9

MARKS = "\x01\x02\x03\x04"
"""Stand for names in commands and paths; no visible text has them."""

MOST_OPTIONS = 40
"""Options that get a column of their own."""

MOST_DOTS = 60
"""Rounds of a cell that its row draws as dots; more are a plot of which parts can be chosen."""


def columns(shown: Results, whole: Results, *, is_large: bool) -> dict[str, Any]:
    """JSON types. `shown` has the texts, made visible; `whole` the same cells with their rounds."""
    devices = {device.name: device for device in shown.devices}
    return {
        "version": 1,
        "run": shown.run_id,
        "cells": len(shown.cells),
        "isLarge": is_large,
        "step": STEP,
        "mostDots": MOST_DOTS,
        "minimumEffect": shown.comparing.minimum_effect,
        "keys": _keys(shown, devices),
        "statuses": [_status(status) for status in CellStatus],
        "verdicts": [[verdict.value, symbol] for verdict, symbol in SYMBOLS.items()],
        "context": _context(shown),
        **_texts(shown, whole, devices),
        **_numbers(whole.cells),
        "duels": _duels(shown),
    }


def need_plots(results: Results) -> bool:
    """Whether some row has more rounds than are drawn as dots."""
    return any(len(cell.rounds) > MOST_DOTS and len(values_ms(cell)) > MOST_DOTS for cell in results.cells)


def _status(status: CellStatus) -> list[str]:
    told = STATUSES[status]
    return [told.word, told.symbol]


def _keys(shown: Results, devices: Mapping[str, DeviceRecord]) -> list[dict[str, Any]]:
    """What cells can be filtered, sorted and grouped by."""
    cells = shown.cells
    made = [
        {"name": "device", **texts(cell.device for cell in cells)},
        {"name": "model", **texts(cell.model for cell in cells)},
        {"name": "variant", **texts(cell.variant for cell in cells)},
        {"name": "build", **texts(cell.build for cell in cells)},
    ]
    if any(device.tags for device in shown.devices):
        tags = {name: ", ".join(device.tags) for name, device in devices.items()}
        made.append({"name": "tag", "isList": True, **texts(tags.get(cell.device) for cell in cells)})
    names = sorted({name for cell in cells for name in cell.options})[:MOST_OPTIONS]
    made += [
        {"name": f"--{name}", "isOption": True, **texts(_option(cell.options, name) for cell in cells)}
        for name in names
    ]
    return made


def _option(options: Mapping[str, Value], name: str) -> str | None:
    value = options.get(name)
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _context(shown: Results) -> list[dict[str, Any]]:
    """Facts of devices, a column each; the order of rows is that of `contextDevices`."""
    made = compose_environment(shown.devices)
    return [
        {"name": row.label, "isCompared": row.label in COMPARED, **texts(row.texts)}
        for group in made.groups
        for row in group.rows
    ]


def _texts(shown: Results, whole: Results, devices: Mapping[str, DeviceRecord]) -> dict[str, Any]:
    places = {device.name: place for place, device in enumerate(shown.devices)}
    order = list(CellStatus)
    return {
        "contextDevices": [device.name for device in shown.devices],
        "device": constant([places.get(cell.device, -1) for cell in shown.cells]),
        "status": constant([order.index(cell.status) for cell in shown.cells]),
        "why": texts(_why(cell) for cell in shown.cells),
        "quality": texts(quality_warning(cell) for cell in whole.cells),
        "command": texts(
            (_template(cell.reproduce or shlex.join(cell.argv), cell, devices) for cell in shown.cells),
            is_exact=True,
        ),
        "addresses": [device.address for device in shown.devices],
        "log": texts(
            (
                _template(_log(full), cell, devices)
                for cell, full in zip(shown.cells, whole.cells, strict=True)
            ),
            is_exact=True,
        ),
    }


def _why(cell: CellResult) -> str | None:
    if cell.status is CellStatus.COMPLETED:
        return None
    said = cell.reason or cell.error or cell.cause
    return f"{cell.stage}: {said}" if cell.stage and said else said


def _template(text: str | None, cell: CellResult, devices: Mapping[str, DeviceRecord]) -> str | None:
    """A text that many cells share but for their names. The page puts the names in again."""
    if not text:
        return None
    device = devices.get(cell.device)
    names = (device.address if device else "", cell.device, cell.model, cell.variant)
    for mark, name in zip(MARKS, names, strict=False):
        if len(name) > 2:
            text = text.replace(name, mark)
    return text


def _log(cell: CellResult) -> str | None:
    """The log of the round that says most of a cell: of the last that has one."""
    kept = [*cell.artifacts, *(one for done in cell.rounds for one in done.artifacts)]
    logs = [one.path for one in kept if one.role in {"stdout", "stderr", "log"}]
    return visible(logs[-1]) if logs else None


def _numbers(cells: Sequence[CellResult]) -> dict[str, Any]:
    """Per cell; `rounds` has the values of all, one cell after the other, `counts` how many each has."""
    sums = [cell.summary if cell.status is CellStatus.COMPLETED else None for cell in cells]
    values = [values_ms(cell) for cell in cells]
    return {
        "median": [digits(one.median_ms, 5) if one else None for one in sums],
        "low": constant([_bound(one, one.median_low_ms) if one else None for one in sums]),
        "high": constant([_bound(one, one.median_high_ms) if one else None for one in sums]),
        "p90": [digits(one.p90_ms, 3) if one else None for one in sums],
        "first": [digits(one.first_ms, 3) if one else None for one in sums],
        "load": [digits(one.load_ms, 3) if one else None for one in sums],
        "counts": constant([len(rounds) for rounds in values]),
        "rounds": [
            _steps(value, one.median_ms if one else 0.0)
            for rounds, one in zip(values, sums, strict=True)
            for value in rounds
        ],
    }


def _bound(summary: Summary, value_ms: float | None) -> int | None:
    return None if value_ms is None else _steps(value_ms, summary.median_ms)


def _steps(value_ms: float, median_ms: float) -> int | None:
    """How far a value is from the median, in steps of the median, or of 1 ms where that is 0."""
    shown = digits(median_ms, 5) or 0.0
    return _whole((value_ms - shown) / (shown or 1.0))


def _whole(part: float | None) -> int | None:
    if part is None or not math.isfinite(part):
        return None
    return round(min(max(part / STEP, -MOST_STEPS), MOST_STEPS))


def _duels(shown: Results) -> dict[str, Any]:
    """What was compared, first what to look at first; sides are places of cells, -1: of another run."""
    places = {cell.id: place for place, cell in enumerate(shown.cells)}
    order = list(SYMBOLS)
    duels = ranked(shown.comparisons)
    effects = [one.effect for one in duels]
    return {
        "candidate": [places.get(one.candidate, -1) for one in duels],
        "baseline": [places.get(one.baseline, -1) for one in duels],
        "run": texts(one.baseline_run for one in duels),
        "change": texts(one.change for one in duels),
        "verdict": constant([order.index(one.verdict) for one in duels]),
        "ratio": [_effect(one, "ratio") for one in effects],
        "low": [_effect(one, "low") for one in effects],
        "high": [_effect(one, "high") for one in effects],
        "n": constant([one.n if one else 0 for one in effects]),
        "isFresh": constant([int(one.confirm is not None) for one in duels]),
        "isPaired": constant([int(one.is_paired) if one else 0 for one in effects]),
        "before": [None if one.baseline in places else digits(one.baseline_ms, 5) for one in duels],
        "why": texts(_said(one) for one in duels),
        "differences": texts("; ".join(one.differences) for one in duels),
        "notes": texts("; ".join(one.notes) for one in duels),
    }


def _effect(effect: Effect | None, name: str) -> int | None:
    value = getattr(effect, name, None)
    return None if value is None else _whole(value - 1)


def _said(one: Comparison) -> str | None:
    """The sentence, where the numbers do not say it."""
    return one.sentence if one.effect is None else None
