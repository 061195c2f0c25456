"""What a run with a baseline means for a test. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from farm.compare.outcome import UNDECIDED, asked, canaries, exit_code, is_unknown, ranked
from farm.compare.words import SYMBOLS
from farm.errors import ExitCode
from farm.model.comparison import Comparison, Verdict
from farm.model.outputs import OutputVerdict
from farm.model.run import CellStatus, Results
from farm.visible import visible

MOST_LINES = 20


class Outcome(StrEnum):
    NOT_SLOWER = "not slower"
    SLOWER = "slower, or wrong outputs"
    FAILED = "not measured"
    UNDECIDED = "undecided"


OUTCOMES = {
    ExitCode.OK: Outcome.NOT_SLOWER,
    ExitCode.REGRESSION: Outcome.SLOWER,
    ExitCode.UNDECIDED: Outcome.UNDECIDED,
}
"""By the exit code that `farm bench` would have; all others: cells failed."""


def judged(results: Results) -> tuple[Outcome, str]:
    """What it comes to, and a text that says why: a line for each cell that is to blame."""
    outcome = OUTCOMES.get(exit_code(results), Outcome.FAILED)
    lines = [visible(line) for line in _TELLERS[outcome](results)]
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return outcome, "\n  ".join([f"{outcome}:", *lines[:MOST_LINES], *more])


def unmeasured(results: Results) -> str | None:
    """Why a run cannot be a baseline: the cells that have no times; None where all have."""
    lines = [visible(line) for line in _failed(results)]
    return "\n  ".join([f"{Outcome.FAILED}:", *lines[:MOST_LINES]]) if lines else None


def _slower(results: Results) -> Iterator[str]:
    for check in results.outputs:
        if check.verdict is OutputVerdict.WRONG:
            yield f"{check.cell}: wrong outputs: {check.sentence}"
    yield from map(_line, _of(results, {Verdict.SLOWER}))


def _undecided(results: Results) -> Iterator[str]:
    found = _of(results, UNDECIDED)
    yield from map(_line, found)
    for check in results.outputs:
        if is_unknown(check):
            yield f"{check.cell}: outputs: {check.sentence}"
    seen = canaries(results.comparisons)
    if seen.is_out_of_bounds:
        yield f"canaries: {seen.changed} of {seen.total} cells differed from themselves"
    wanted = [one.pairs_wanted for one in found if one.pairs_wanted]
    if wanted:
        yield f"more rounds would decide: rounds={max(wanted)}"


def _failed(results: Results) -> Iterator[str]:
    for cell in results.cells:
        if cell.status is not CellStatus.COMPLETED:
            why = cell.error or cell.reason or "no reason was kept"
            yield f"{cell.id}: {cell.status}: {why}" + (f"; try: {cell.hint}" if cell.hint else "")
    for device in results.devices:
        if device.error and not any(cell.device == device.name for cell in results.cells):
            yield f"{device.name}: {device.error}"
    yield from results.losses
    if not results.cells:
        yield "there are no cells"


def _of(results: Results, verdicts: set[Verdict] | frozenset[Verdict]) -> list[Comparison]:
    return [one for one in ranked(asked(results.comparisons)) if one.verdict in verdicts]


def _line(one: Comparison) -> str:
    return f"{SYMBOLS[one.verdict]} {one.candidate}: {one.sentence}"


def _nothing(_: Results) -> Iterator[str]:
    yield from ()


_TELLERS = {
    Outcome.NOT_SLOWER: _nothing,
    Outcome.SLOWER: _slower,
    Outcome.FAILED: _failed,
    Outcome.UNDECIDED: _undecided,
}
