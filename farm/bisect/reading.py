"""From the results of a run to a step: what its comparison says, and who is to blame where there is none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from farm.bisect.nouns import Question, Step
from farm.compare.duels import trouble
from farm.compare.lookup import lookup
from farm.errors import Fault
from farm.model.comparison import Verdict
from farm.model.matrix import RoundKind
from farm.model.run import CellResult, CellStatus, Results

NOT_ITS_OWN = frozenset({Fault.NETWORK, Fault.FARM, Fault.DEVICE})
"""Failures that no build is to blame for."""


@dataclass(frozen=True)
class Failed:
    """A run that answers nothing, through no fault of the candidate: it has to be had again. Why."""

    why: str


def step_of(question: Question, results: Results, names: Sequence[str], took_s: float) -> Step | Failed:
    """What a run of the builds `names`, the baseline's first, comes to.

    A candidate that fails where the baseline is measured cannot be measured, and so one with wrong outputs. A
    run whose rounds do not count (throttled, busy) decides nothing. One that was lost on its way is no
    answer, whatever times there are.
    """
    cells = [next((cell for cell in results.cells if cell.build == name), None) for name in names]
    baseline, candidate = cells
    if baseline is None or candidate is None:
        return Failed("the run has not both builds")
    compared = next((one for one in results.comparisons if not one.is_canary), None)
    step = Step(
        question,
        Verdict.INCONCLUSIVE,
        why=compared.sentence if compared else "nothing was compared",
        run=results.run_id,
        rounds=sum(one.kind is RoundKind.TIMED for cell in (baseline, candidate) for one in cell.rounds),
        took_s=took_s,
        programs=(baseline.runtime_digest, candidate.runtime_digest),
        data=(baseline.model_sha256, baseline.input_sha256),
        cut_after_s=_cut_after_s(results),
    )
    if why := _lost(baseline) or _lost(candidate):
        return Failed(why)
    wrong = lookup(results).wrong
    if why := wrong.get(baseline.id) or trouble(baseline):
        return Failed(why)
    if why := wrong.get(candidate.id):
        return replace(step, verdict=Verdict.INVALID, why=why, has_wrong_outputs=True)
    if why := trouble(candidate):
        return replace(step, verdict=Verdict.INVALID, why=why)
    if compared is None or compared.verdict is Verdict.INVALID:
        return step
    return replace(step, verdict=compared.verdict, effect=compared.effect)


def _lost(cell: CellResult) -> str | None:
    """Why a cell ended through no fault of its build, also after rounds that have times."""
    if cell.status is not CellStatus.FAILED or cell.fault not in NOT_ITS_OWN:
        return None
    return f"{cell.id} failed: {cell.error or cell.cause or cell.fault}"


def _cut_after_s(results: Results) -> float | None:
    """The budget of a run that has fewer fresh pairs for it than were asked for."""
    is_cut = any(
        phase.cut or any(one.rounds < one.wanted for one in phase.allotments) for phase in results.phases
    )
    return results.sampling.budget_s if is_cut and results.sampling is not None else None


def changed(steps: Iterable[Step], new: Step, names: Sequence[str]) -> str | None:
    """What is not what it was in an earlier step: a program, the model. None where all is."""
    known: dict[int, str] = {}
    data: tuple[str | None, ...] = ()
    for step in (*steps, new):
        sides = zip((step.question.baseline, step.question.candidate), step.programs, strict=True)
        for place, digest in sides:
            if digest is not None and known.setdefault(place, digest) != digest:
                return f"the program of {names[place]} has changed since an earlier step"
        if step.run is not None and data and step.data != data:
            return "the model or its input has changed since an earlier step"
        data = data or (step.data if step.run is not None else ())
    return None
