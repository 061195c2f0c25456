"""Compare the outputs of two runs that are on disk: the same cell on the same device, another night."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from farm.model.limits.deadlines import Deadlines
from farm.model.outputs import Against, Check, Compared, OutputCheck, OutputVerdict, Tolerance
from farm.model.run import CellResult, ModelRecord, Results
from farm.run.outputs.every import compare_every, tensors_of, with_every
from farm.run.outputs.files import Outputs, outputs_of
from farm.run.outputs.work import compare_runs, said_of

Kept = tuple[Results, Path]
"""The results of a run, and its directory."""


async def compare_with_run(
    run: Kept,
    baseline: Kept,
    pairs: Sequence[tuple[CellResult, CellResult]],
    *,
    is_strict: bool = True,
    stated: tuple[Tolerance, ...] = (),
    deadlines: Deadlines,
) -> tuple[OutputCheck, ...]:
    """One check for each (candidate, baseline) pair of cells, in order. `is_strict`: a difference is a
    failure, as it is where both should compute the same.

    Never raises for what the two runs hold: a file that is gone or damaged is `not-comparable`.
    """
    (results, folder), (former, former_folder) = run, baseline
    found = []
    for cell, reference in pairs:
        ours, theirs = outputs_of(cell.rounds, folder), outputs_of(reference.rounds, former_folder)
        problem = _problem(ours, theirs) or _other_inputs(results, former, cell, reference)
        outcome = (
            Compared(OutputVerdict.NOT_COMPARABLE, problem)
            if problem
            else await compare_runs(
                ours.runs[0], theirs.runs[0], Against.BASELINE,
                is_strict=is_strict, stated=stated, deadlines=deadlines,
            )
        )  # fmt: skip
        outcome = said_of(f"the run {former.run_id}", outcome)
        check = OutputCheck(
            cell.device, cell.id, Against.BASELINE, reference.id, outcome.verdict, outcome.sentence,
            outcome.tensors, baseline_run=former.run_id,
        )  # fmt: skip
        if not problem and Check.ALL is results.checking.check is former.checking.check:
            dumped = tensors_of(cell.rounds, folder), tensors_of(reference.rounds, former_folder)
            check = with_every(check, await compare_every(*dumped, stated, deadlines))
        found.append(check)
    return tuple(found)


def _problem(ours: Outputs, theirs: Outputs) -> str | None:
    if ours.problem is not None:
        return ours.problem
    return None if theirs.problem is None else f"the baseline: {theirs.problem}"


def _other_inputs(ours: Results, theirs: Results, cell: CellResult, reference: CellResult) -> str | None:
    """Outputs for other inputs say nothing about each other."""
    mine, other = _inputs(ours, cell), _inputs(theirs, reference)
    if mine == other:
        return None
    names = sorted({name or "numbers in --input" for name, _ in mine ^ other})
    return f"the inputs differ ({', '.join(names)})"


def _inputs(results: Results, cell: CellResult) -> set[tuple[str, str]]:
    record: ModelRecord | None = next((one for one in results.models if one.name == cell.model), None)
    return {(one.tensor, one.sha256) for one in record.check_inputs} if record else set()
