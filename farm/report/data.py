"""The run as JSON types, embedded in the report so that a program needs only the one file."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from farm.model.outputs import OutputCheck
from farm.model.run import CellResult, Results
from farm.store.codec import results_to_dict

MOST_ITERATIONS = 200_000
"""Times per iteration that are embedded; a run with more has them in results.json only (about 2 MB)."""


def iterations_fit(results: Results) -> bool:
    rounds = (r for cell in results.cells for r in cell.rounds)
    return sum(len(r.e2e_ms) + len(r.host_ms) for r in rounds) <= MOST_ITERATIONS


MOST_NOTES = 5000
"""Tensors of `--check all` that are embedded; a run with more has them in results.json only (about 1 MB)."""


MOST_FILES = 1000
"""Files that are embedded by name; those of a run with more are in results.json only (about 200 kB)."""


def embedded_data(results: Results) -> dict[str, Any]:
    """results.json's content without fields that have their default; above `MOST_ITERATIONS` without times
    per iteration, above `MOST_NOTES` without tensors, above `MOST_FILES` without files.

    What JSON cannot represent (infinite, not a number) is null.
    """
    if sum(len(one.every.tensors) for one in results.outputs if one.every) > MOST_NOTES:
        results = replace(results, outputs=tuple(_without_tensors(one) for one in results.outputs))
    if not iterations_fit(results):
        results = replace(results, cells=tuple(_without_iterations(cell) for cell in results.cells))
    if sum(map(_files, results.cells)) > MOST_FILES:
        results = replace(results, cells=tuple(map(_without_files, results.cells)))
    return _plain(results_to_dict(results, whole=False))  # type: ignore[no-any-return]


def _without_iterations(cell: CellResult) -> CellResult:
    return replace(cell, rounds=tuple(replace(r, e2e_ms=(), host_ms=()) for r in cell.rounds))


def _files(cell: CellResult) -> int:
    return len(cell.artifacts) + sum(len(one.artifacts) for one in cell.rounds)


def _without_files(cell: CellResult) -> CellResult:
    return replace(cell, artifacts=(), rounds=tuple(replace(r, artifacts=()) for r in cell.rounds))


def _without_tensors(check: OutputCheck) -> OutputCheck:
    return replace(check, every=replace(check.every, tensors=(), first=None)) if check.every else check


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
