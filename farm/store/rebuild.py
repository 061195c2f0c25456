"""The results of a run whose controller was killed, or still goes on: from its plan and its journal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from farm.model.run import Results, RunStatus
from farm.store.codec import results_from_json
from farm.store.journal import JOURNAL, has_writer, read_journal
from farm.store.progress import Progress

PLAN = "run.json"
"""The results of a run of which nothing was run yet, in the shape of results.json."""

GONE = "its controller ended without a word (killed, power lost, disk full); this is what it had measured"


@dataclass(frozen=True)
class Replayed:
    """What the plan and the journal of a run come to; `losses` say what of them could not be read."""

    progress: Progress
    losses: tuple[str, ...]


def replayed(folder: Path) -> Replayed:
    """Every event that can be read, in order, on the plan of the run.

    Raises RequestError when the plan or the journal is no such file or of an unknown version, OSError when
    one cannot be read. A damaged line is a loss.
    """
    plan = folder / PLAN
    progress = Progress(results_from_json(plan.read_bytes(), str(plan)))
    read = read_journal(folder / JOURNAL)
    strangers = 0
    for event in read.events:
        try:
            progress.apply(event)
        except KeyError:
            strangers += 1
    losses = read.losses
    if strangers:
        losses += (f"{strangers} lines of {JOURNAL} name cells or devices that are not in the plan",)
    return Replayed(progress, losses)


def rebuilt(folder: Path) -> Results:
    """What was measured so far. Status `running` only while the controller lives, else `interrupted`.

    Raises RequestError when the plan or the journal is no such file or of an unknown version, OSError when
    one cannot be read. A damaged line is a loss.
    """
    goes_on = has_writer(folder / JOURNAL)  # asked first: what it writes from now on may be missed
    made = replayed(folder)
    progress, losses = made.progress, made.losses
    results = progress.results()
    if results.status is RunStatus.RUNNING and not goes_on:
        results = replace(progress.over(RunStatus.INTERRUPTED), losses=(GONE, *losses))
    return replace(results, losses=results.losses or losses)
