"""Compare one pair of tensors: numpy, and files of any size."""

from __future__ import annotations

from farm.analysis.tensors import difference
from farm.dumps.malformed import MalformedError
from farm.model.outputs import TensorDifference
from farm.run.tensors.opened import opened
from farm.run.tensors.work import Job, failed


def compared(job: Job) -> TensorDifference:
    """Never raises for what is in the files: `problem` says what cannot be compared."""
    try:
        with opened(job.candidate) as ours, opened(job.reference) as theirs:
            return difference(ours, theirs, job.tolerance)
    except OSError as error:
        return failed(job, f"it cannot be read: {error.strerror}")
    except (ValueError, MemoryError, MalformedError) as error:
        return failed(job, f"it cannot be read: {error}")
