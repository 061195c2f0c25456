"""What a run of a step says of its candidates. Pure: results in, outcomes out."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from farm.analysis.effects import paired
from farm.analysis.quality import last_attempts
from farm.compare.rounds import pairs_of_rounds, timed
from farm.errors import Fault
from farm.model.comparison import Phase
from farm.model.options import OptionSet
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellResult, CellStatus, Results, RoundStatus
from farm.report.numerals import in_bytes
from farm.tune.nouns import DEFAULT, Confirmation, Outcome

NOT_EQUAL = frozenset({OutputVerdict.WRONG, OutputVerdict.FINDING, OutputVerdict.NOT_COMPARABLE})
NOBODY_SAW = frozenset({"lost", "ended"})
"""Causes of rounds that were ended from outside: that says nothing of what ran."""
OVERHEAD = 1.2
"""Around the rounds, where a run does not say when it began and ended."""


@dataclass(frozen=True)
class Beside:
    """What of a run is in files: the planned memory by variant, and the options that fitting found there."""

    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    fitted: OptionSet | None = None


def trouble(results: Results, *, checks: bool) -> str | None:
    """Why a step says nothing of any candidate: the default was not measured to its end, or has other outputs
    each time; or something else than a candidate is to blame for a failure.
    """
    default = _cells(results).get(DEFAULT)
    if default is None or default.status is not CellStatus.COMPLETED or not _values(default):
        why = default and (_failure(default) or "it has no times")
        return f"the default was not measured: {why or 'it is not in the run'}"
    lost = next((cell for cell in results.cells if not _is_its_own(cell)), None)
    if lost is not None:
        return f"{lost.variant} was not measured: {_failure(lost)}"
    bad = _unequal(results, default) if checks else None
    return f"the outputs of the default cannot be compared: {bad.sentence}" if bad else None


def _is_its_own(cell: CellResult) -> bool:
    """Whether a cell that failed did so by itself: what uses up the memory is killed, and fails again."""
    if cell.status is CellStatus.CANCELLED or cell.fault in (Fault.NETWORK, Fault.FARM):
        return False
    if cell.status is not CellStatus.FAILED or cell.fault is not Fault.DEVICE:
        return True
    made = [one.round for one in cell.preparations if one.round is not None]
    ended = {one.cause for one in (*cell.rounds, *made) if one.status is RoundStatus.FAILED}
    return cell.cause in ended - NOBODY_SAW


def outcomes(
    results: Results, names: Sequence[str], beside: Beside, limit_bytes: int | None, lasted_s: float
) -> tuple[Outcome, ...]:
    """One for each candidate, in their order; the run took `lasted_s`. `trouble` is asked before."""
    cells, factor = _cells(results), pace(results, lasted_s)
    return tuple(
        _outcome(results, cells[DEFAULT], cells.get(name), factor, beside, limit_bytes)
        if name in cells
        else Outcome(name, dropped="it was not measured")
        for name in names
    )


def _outcome(
    results: Results,
    default: CellResult,
    cell: CellResult | None,
    factor: float,
    beside: Beside,
    limit_bytes: int | None,
) -> Outcome:
    assert cell is not None
    before_ms, after_ms = _pairs(default, cell)
    effect = paired(before_ms, after_ms) if before_ms else None
    rounds_s = [one.wall_s + (one.waited_s or 0.0) for one in timed(cell) if one.wall_s is not None]
    memory_bytes = beside.memory_bytes.get(cell.variant)
    bad = _unequal(results, cell)
    dropped = _failure(cell) or (f"other outputs: {bad.sentence}" if bad else None)
    if dropped is None and limit_bytes is not None:
        dropped = _too_large(memory_bytes, limit_bytes)
    if dropped is None and effect is None:
        dropped = "it has no times"
    return Outcome(
        name=cell.variant,
        ratio=effect.ratio if effect else None,
        low=effect.low if effect else None,
        high=effect.high if effect else None,
        pairs=effect.n if effect else 0,
        median_ms=statistics.median(after_ms) if after_ms else None,
        min_ms=cell.summary.min_ms if cell.summary else None,
        dropped=dropped,
        memory_bytes=memory_bytes,
        round_s=round(statistics.fmean(rounds_s) * factor, 3) if rounds_s else None,
        prepared_s=round(sum(one.seconds or 0.0 for one in cell.preparations), 3),
    )


def _cells(results: Results) -> dict[str, CellResult]:
    return {cell.variant: cell for cell in results.cells}


def _failure(cell: CellResult) -> str | None:
    if cell.status is CellStatus.COMPLETED:
        return None
    return cell.error or cell.reason or f"it was {cell.status.value}"


def _unequal(results: Results, cell: CellResult) -> OutputCheck | None:
    """What says that a cell's outputs are not those of the default, or that nobody can tell."""
    of_cell = [one for one in results.outputs if one.cell == cell.id and one.against is not Against.DEVICE]
    return next((one for one in of_cell if one.verdict in NOT_EQUAL), None)


def other_outputs(results: Results, name: str) -> str | None:
    """Why a candidate's outputs are not those of the default, or that nobody can tell."""
    cell = _cells(results).get(name)
    bad = _unequal(results, cell) if cell else None
    return f"other outputs: {bad.sentence}" if bad else None


def _too_large(memory_bytes: int | None, limit_bytes: int) -> str | None:
    if memory_bytes is None:
        return "how much memory it plans to use is not known"
    if memory_bytes <= limit_bytes:
        return None
    return f"it plans to use {in_bytes(memory_bytes)}, more than {in_bytes(limit_bytes)}"


def _pairs(default: CellResult, cell: CellResult) -> tuple[list[float], list[float]]:
    """Values in ms of the same blocks. Where no pair is of good quality all count: it is only for the order,
    and what wins is confirmed.
    """
    good = pairs_of_rounds(default, cell, Phase.SCREEN).good
    both = [(one.value_ms, other.value_ms) for one, other in good]
    if not both:
        before, after = _values(default), _values(cell)
        both = [(before[index], after[index]) for index in sorted(before.keys() & after.keys())]
    known = [(one, other) for one, other in both if one is not None and other is not None]
    return [one for one, _ in known], [other for _, other in known]


def _values(cell: CellResult) -> dict[int, float]:
    """By index of the round."""
    return {
        one.index: one.value_ms
        for one in last_attempts(timed(cell))
        if one.status is RoundStatus.COMPLETED and one.value_ms is not None
    }


# --------------------------------------------------------------------------- how long it took


def took_s(results: Results) -> float:
    """Of a whole run that is on disk; by its rounds where its clock says nothing."""
    try:
        began, ended = (
            datetime.fromisoformat(results.started_at),
            datetime.fromisoformat(results.ended_at or ""),
        )
        seconds = (ended - began).total_seconds()
    except (ValueError, TypeError):
        seconds = 0.0
    return round(max(seconds, _inside_s(results)), 1)


def pace(results: Results, lasted_s: float) -> float:
    """How much longer a run was than its rounds and searches."""
    inside_s = _inside_s(results)
    return max(lasted_s / inside_s, 1.0) if inside_s > 0 else OVERHEAD


def _inside_s(results: Results) -> float:
    rounds = (one for cell in results.cells for one in cell.rounds)
    made = (one.seconds or 0.0 for cell in results.cells for one in cell.preparations if one.from_run is None)
    return sum((one.wall_s or 0.0) + (one.waited_s or 0.0) for one in rounds) + sum(made)


# --------------------------------------------------------------------------- the last run


def confirmation(results: Results, candidate: str, lasted_s: float) -> Confirmation:
    """What the comparison of the last run, which took `lasted_s`, says."""
    one = next((found for found in results.comparisons if not found.is_canary), None)
    if one is None:
        return Confirmation(candidate, "it was not compared", results.run_id, took_s=lasted_s)
    effect = one.effect
    return Confirmation(
        candidate,
        one.sentence,
        results.run_id,
        one.verdict,
        effect.ratio if effect else None,
        effect.low if effect else None,
        effect.high if effect else None,
        effect.n if effect else 0,
        one.baseline_ms,
        one.candidate_ms,
        lasted_s,
    )
