"""What a process of its own is told to compare. Without numpy: who tells it does not need that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from farm.analysis.dumps.layouts import View
from farm.model.outputs import TensorDifference, Tolerance
from farm.run.tensors.source import Source


@dataclass(frozen=True)
class Job:
    """A pair, and how far the two may differ. Where one is stored in a blocked layout, `views` are the ways
    in which the two may be one.
    """

    candidate: Source
    reference: Source
    tolerance: Tolerance
    views: tuple[View, ...] = ()

    @property
    def size_bytes(self) -> int:
        return self.candidate.size_bytes + self.reference.size_bytes


class Found(NamedTuple):
    """What came of a job, and the view of it that was taken."""

    difference: TensorDifference
    view: View | None = None


def compare_batch(jobs: tuple[Job, ...]) -> tuple[Found, ...]:
    """One for each job. Never raises for what is in the files: `problem` says what cannot be compared."""
    from farm.run.tensors.pairs import compared

    return tuple(compared(job) for job in jobs)


def get_ready() -> None:
    """Imports what `compare_batch` needs, so that a process does it while the heads are read."""
    import farm.run.tensors.pairs  # noqa: F401


def failed(job: Job, problem: str) -> Found:
    """A pair that could not be compared."""
    ours, theirs = job.candidate, job.reference
    difference = TensorDifference(
        name=ours.name,
        dtype=ours.dtype,
        shape=ours.shape,
        reference_dtype=theirs.dtype,
        reference_shape=theirs.shape,
        tolerance=job.tolerance,
        problem=problem,
    )
    return Found(difference)
