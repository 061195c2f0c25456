"""Every tensor of two cells: where their outputs part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import RoundKind
from farm.model.outputs import EveryTensor, OutputCheck, OutputVerdict, Tolerance
from farm.model.run import RoundResult, RoundStatus
from farm.options import TENSOR_DUMP
from farm.run.tensors.compare import How, compare_dumps

NO_ROUND = "there was no round for every tensor, or it wrote none"

Dumped = tuple[Path, ...] | str
"""The files of every tensor; a text: why there are none."""


def tensors_of(rounds: Sequence[RoundResult], run_folder: Path) -> Dumped:
    """What the round for every tensor among these left in the run directory."""
    mine = [one for one in rounds if one.kind is RoundKind.TENSORS]
    failed = next((one for one in mine if one.status is RoundStatus.FAILED), None)
    if failed is not None:
        return f"its round for every tensor failed: {failed.error}"
    paths = [run_folder / file.path for one in mine for file in one.artifacts if file.role == TENSOR_DUMP]
    return tuple(paths) or NO_ROUND


async def compare_every(
    candidate: Dumped, reference: Dumped, stated: tuple[Tolerance, ...], deadlines: Deadlines
) -> EveryTensor:
    """The candidate's tensors against the reference's, by one worker: the devices need the other cores."""
    for dumped, whose in ((candidate, ""), (reference, "the other side: ")):
        if isinstance(dumped, str):
            return EveryTensor(problem=f"{whose}{dumped}")
    assert not isinstance(candidate, str)
    assert not isinstance(reference, str)
    from farm.analysis.dumps.told import told  # numpy: not for runs without checks

    how = How(stated, deadlines=deadlines)
    found = await compare_dumps(("reference", reference), [("candidate", candidate)], how)
    return told(found.sides[0], found.findings)


def with_every(check: OutputCheck, every: EveryTensor) -> OutputCheck:
    """The check with what came of every tensor. Where tensors inside differ and outputs agree, it is told."""
    if every.problem is not None:
        return replace(check, every=every, sentence=f"{check.sentence}; tensors: {every.problem}")
    if check.verdict in (OutputVerdict.EQUAL, OutputVerdict.WITHIN) and every.beyond:
        check = replace(check, verdict=OutputVerdict.FINDING)
    return replace(check, every=every, sentence=f"{check.sentence}; {every.sentence}")
