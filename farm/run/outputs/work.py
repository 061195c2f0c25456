"""Compare the outputs of two runs of a model, away from the event loop."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from farm.model.limits.deadlines import Deadlines
from farm.model.outputs import Against, Compared, OutputVerdict, Tolerance
from farm.run.outputs.files import Run, are_small
from farm.worker import LateError, WorkerError, in_worker


async def compare_runs(
    candidate: Run,
    reference: Run,
    against: Against,
    *,
    is_strict: bool,
    stated: tuple[Tolerance, ...],
    deadlines: Deadlines,
) -> Compared:
    """In a thread where they are small, else in a process of its own; what takes too long is not compared."""
    arguments = candidate, reference, against, is_strict, stated
    if are_small((*candidate, *reference)):
        return await asyncio.to_thread(_compare, *arguments)
    try:
        return await in_worker(deadlines.compare_outputs_s, _compare, *arguments)
    except LateError:
        why = f"it was not done {deadlines.ran_out('compare-outputs')}"
    except WorkerError as error:
        why = str(error)
    return Compared(OutputVerdict.NOT_COMPARABLE, f"the outputs were not compared: {why}")


def _compare(
    candidate: Run,
    reference: Run,
    against: Against,
    is_strict: bool,
    stated: tuple[Tolerance, ...],
) -> Compared:
    from farm.run.outputs.compare import compare_files  # numpy: not for runs without checks

    return compare_files(candidate, reference, against, is_strict, stated)


def said_of(label: str, outcome: Compared) -> Compared:
    """With the name of what it was compared with."""
    return replace(outcome, sentence=f"against {label}: {outcome.sentence}")
