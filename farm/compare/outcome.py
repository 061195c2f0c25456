"""What a run comes to: its counts, the decision, and the exit code. Pure functions of the results."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from farm.analysis.canary import is_out_of_bounds
from farm.compare.words import SYMBOLS
from farm.errors import ExitCode, Fault, Stage
from farm.model.comparison import Comparison, Verdict
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellResult, CellStatus, Results

CHANGED = frozenset({Verdict.FASTER, Verdict.SLOWER})
UNDECIDED = frozenset({Verdict.INCONCLUSIVE, Verdict.INVALID})

ON_THE_DEVICE = frozenset({Stage.DEPLOY, Stage.EXECUTE, Stage.COLLECT})

PROMISES = frozenset({Against.GOLDEN, Against.BASELINE})
"""What outputs are compared with because somebody asked for it."""

MOST_SURE = 1e-12
"""The smallest p that makes a difference in the order of comparisons."""


class Decision(StrEnum):
    GO = "GO"
    NO_GO = "NO-GO"
    UNDECIDED = "NOT DECIDED"


DECISIONS = {
    ExitCode.REGRESSION: Decision.NO_GO,
    ExitCode.UNDECIDED: Decision.UNDECIDED,
    ExitCode.OK: Decision.GO,
}


@dataclass(frozen=True)
class Canaries:
    """The run's own false changes: how many of its A/A comparisons changed, and whether chance explains it.

    Canaries without a verdict are not of the `total`.
    """

    total: int = 0
    changed: int = 0
    is_out_of_bounds: bool = False


def canaries(comparisons: Iterable[Comparison]) -> Canaries:
    judged = [one for one in comparisons if one.is_canary and one.verdict is not Verdict.INVALID]
    return judged_canaries(len(judged), sum(one.verdict in CHANGED for one in judged))


def judged_canaries(total: int, changed: int) -> Canaries:
    """Whether chance explains that so many of them changed."""
    return Canaries(total, changed, bool(total) and is_out_of_bounds(changed, total))


def asked(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """Those that the user asked for: all but the canaries."""
    return tuple(one for one in comparisons if not one.is_canary)


def counts(comparisons: Iterable[Comparison]) -> Mapping[Verdict, int]:
    """Of each verdict, in the order in which they are shown; without the canaries."""
    found = Counter(one.verdict for one in asked(comparisons))
    return {verdict: found[verdict] for verdict in SYMBOLS}


def ranked(comparisons: Iterable[Comparison]) -> tuple[Comparison, ...]:
    """What changed first, within a verdict by significance times size; without the canaries."""
    order = list(SYMBOLS)
    return tuple(sorted(asked(comparisons), key=lambda one: (order.index(one.verdict), -_weight(one))))


def _weight(one: Comparison) -> float:
    """0 for what has no effect."""
    return weight(one.effect.p, one.effect.ratio) if one.effect else 0.0


def weight(p: float, ratio: float) -> float:
    """Significance times size: -log10(p) x |ln ratio|."""
    return -math.log10(min(max(p, MOST_SURE), 1.0)) * abs(math.log(ratio)) if ratio > 0 else 0.0


def decision(results: Results) -> Decision | None:
    """Whether to release, as far as comparisons and outputs of a run say; None where nothing was compared and
    nothing is known against it.
    """
    if wrong_outputs(results):
        return Decision.NO_GO
    code = _compared_code(results)
    return DECISIONS[code] if code is not ExitCode.OK or asked(results.comparisons) else None


def exit_code(results: Results) -> ExitCode:
    """The exit code of DESIGN, section 9: where several hold, 4, 1, 3, 5 in this order."""
    if wrong_outputs(results):
        return ExitCode.REGRESSION  # also where all cells failed by it: that something ran is what they show
    measured = measured_code(results)
    compared = _compared_code(results)
    order = (ExitCode.NOTHING_RAN, ExitCode.REGRESSION, ExitCode.CELLS_FAILED, ExitCode.UNDECIDED)
    return next((code for code in order if code in (measured, compared)), ExitCode.OK)


def _compared_code(results: Results) -> ExitCode:
    most = results.comparing.max_undecided
    return code_of(results.comparisons, most, missing=unknown_outputs(results))


def code_of(comparisons: Sequence[Comparison], max_undecided: int, missing: int = 0) -> ExitCode:
    """Of comparisons alone: 1, 5 or 0. `missing` cells have nothing to be compared with."""
    return code_of_counts(counts(comparisons), canaries(comparisons), max_undecided, missing)


def code_of_counts(
    found: Mapping[Verdict, int], seen: Canaries, max_undecided: int, missing: int = 0
) -> ExitCode:
    """The same of the numbers of verdicts: of comparisons that are too many to be held at once. Where what is
    equal differs too often, no verdict of the run counts, `slower` neither.
    """
    if found.get(Verdict.SLOWER) and not seen.is_out_of_bounds:
        return ExitCode.REGRESSION
    return ExitCode.UNDECIDED if _is_open(found, seen, max_undecided, missing) else ExitCode.OK


def is_undecided(results: Results) -> bool:
    """Whether more of a run is undecided than may be, its other verdicts aside."""
    return is_open(results.comparisons, results.comparing.max_undecided, unknown_outputs(results))


def is_open(comparisons: Sequence[Comparison], max_undecided: int, missing: int = 0) -> bool:
    """Whether more is undecided than may be, or the canaries say that nothing can be decided."""
    return _is_open(counts(comparisons), canaries(comparisons), max_undecided, missing)


def _is_open(found: Mapping[Verdict, int], seen: Canaries, max_undecided: int, missing: int) -> bool:
    undecided = sum(found.get(verdict, 0) for verdict in UNDECIDED) + missing
    return undecided > max_undecided or seen.is_out_of_bounds


def wrong_outputs(results: Results) -> int:
    """How many checks found wrong outputs."""
    return sum(check.verdict is OutputVerdict.WRONG for check in results.outputs)


def unknown_outputs(results: Results) -> int:
    """How many checks that somebody asked for could not be made."""
    return unknown(results.outputs)


def unknown(checks: Iterable[OutputCheck]) -> int:
    return sum(map(is_unknown, checks))


def is_unknown(check: OutputCheck) -> bool:
    """Whether outputs that somebody wanted to be compared could not be."""
    return check.against in PROMISES and check.verdict is OutputVerdict.NOT_COMPARABLE


def measured_code(results: Results) -> ExitCode:
    """Of the cells alone: 0, 3 or 4. What only a device could show to be wrong with the request is a
    failure (3), also where nothing ran: who asked has to change something, as for a part of a run.
    """
    statuses = {cell.status for cell in results.cells}
    if CellStatus.FAILED in statuses:
        told = has_times(results) or any(_is_users_mistake(cell) for cell in results.cells)
        return ExitCode.CELLS_FAILED if told else ExitCode.NOTHING_RAN
    if results.losses and CellStatus.COMPLETED in statuses:
        return ExitCode.CELLS_FAILED  # who reads the run from disk does not find what was measured
    return ExitCode.OK if CellStatus.COMPLETED in statuses else ExitCode.NOTHING_RAN


def _is_users_mistake(cell: CellResult) -> bool:
    failed = cell.status is CellStatus.FAILED
    return failed and cell.fault is Fault.USER and cell.stage in ON_THE_DEVICE


def has_times(results: Results) -> bool:
    return any(cell.summary is not None or cell.status is CellStatus.COMPLETED for cell in results.cells)
