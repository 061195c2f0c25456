"""Compare pairs of tensors in a process of its own: numpy, and files of any size."""

from __future__ import annotations

from dataclasses import dataclass

from farm.analysis.tensors import difference
from farm.dumps.malformed import MalformedError
from farm.model.outputs import TensorDifference, Tolerance
from farm.run.tensors.source import Source, opened


@dataclass(frozen=True)
class Job:
    """A pair, and how far the two may differ."""

    candidate: Source
    reference: Source
    tolerance: Tolerance

    @property
    def size_bytes(self) -> int:
        return self.candidate.size_bytes + self.reference.size_bytes


def compare_batch(jobs: tuple[Job, ...]) -> tuple[TensorDifference, ...]:
    """One for each job. Never raises for what is in the files: `problem` says what cannot be compared."""
    return tuple(_compare(job) for job in jobs)


def _compare(job: Job) -> TensorDifference:
    try:
        with opened(job.candidate) as ours, opened(job.reference) as theirs:
            return difference(ours, theirs, job.tolerance)
    except OSError as error:
        return failed(job, f"it cannot be read: {error.strerror}")
    except (ValueError, MemoryError, MalformedError) as error:
        return failed(job, f"it cannot be read: {error}")


def failed(job: Job, problem: str) -> TensorDifference:
    """A pair that could not be compared."""
    ours, theirs = job.candidate, job.reference
    return TensorDifference(
        name=ours.name,
        dtype=ours.dtype,
        shape=ours.shape,
        reference_dtype=theirs.dtype,
        reference_shape=theirs.shape,
        tolerance=job.tolerance,
        problem=problem,
    )
