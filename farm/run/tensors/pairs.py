"""Compare one pair of tensors: numpy, and files of any size."""

from __future__ import annotations

from farm.analysis.dumps.relaid import relaid
from farm.analysis.tensors import difference
from farm.analysis.values import Values
from farm.dumps.malformed import MalformedError
from farm.run.tensors.opened import opened
from farm.run.tensors.work import Found, Job, failed


def compared(job: Job) -> Found:
    """Never raises for what is in the files: `problem` says what cannot be compared."""
    try:
        with opened(job.candidate) as ours, opened(job.reference) as theirs:
            return (
                _by_view(job, ours, theirs) if job.views else Found(difference(ours, theirs, job.tolerance))
            )
    except OSError as error:
        return failed(job, f"it cannot be read: {error.strerror}")
    except (ValueError, MemoryError, MalformedError) as error:
        return failed(job, f"it cannot be read: {error}")


def _by_view(job: Job, ours: Values, theirs: Values) -> Found:
    """In the layout in which most values agree: several may have one shape, and all but one mix values up."""
    best: Found | None = None
    for view in job.views:
        mine, other = relaid(ours, view[0]), relaid(theirs, view[1])
        found = Found(difference(mine, other, job.tolerance), view)
        if best is None or found.difference.mismatches < best.difference.mismatches:
            best = found
        if not found.difference.mismatches:
            break
    assert best is not None
    return best
