"""A step as an ordinary run: measured, or found on disk where it was measured before."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

from farm.cli.bench.bench import Benching, benched
from farm.cli.bench.finish import write_report
from farm.cli.terminal.console import say
from farm.errors import FarmError, RequestError
from farm.model.limits.deadlines import Deadlines
from farm.model.outputs import Check
from farm.model.request import Request
from farm.model.run import Results, RunStatus
from farm.store.runs import RunDirectory, find_run
from farm.tune.nouns import Tune
from farm.tune.outcomes import trouble
from farm.tune.search import LONGEST_ROUND_SHARE, Measured, runtime_of
from farm.tune.state import TuneFolder


@dataclass(frozen=True)
class How:
    """Where a search is kept, and how it is measured and told."""

    folder: TuneFolder
    runs_dir: Path
    deadlines: Deadlines
    output: Path | None
    is_quiet: bool


def require_new(folder: TuneFolder, runs_dir: Path) -> None:
    """Raises RequestError where there is such a search, or runs that it could take for its own."""
    if folder.exists():
        raise RequestError(f"there is a search {folder.id}", hint=f"--resume {folder.id}, or another name")
    taken = next(iter(sorted(one.name for one in runs_dir.glob(f"{folder.id}-*"))), None)
    if taken is not None:
        raise RequestError(
            f"the runs of a search {folder.id} begin with its name, and there is a run {taken}",
            hint="use another --run-id",
        )


def measured(tune: Tune, how: How, request: Request, name: str) -> Measured:
    """A run of the search; one that came to its end is not measured again. Raises as `on_disk` does."""
    run_id, found = on_disk(tune, how.runs_dir, request, name)
    if found is not None:
        say(f"{name}: run {run_id} has it")
        return Measured(found)
    longest_s = max(int(tune.budget_s / LONGEST_ROUND_SHARE), 1)
    deadlines = replace(how.deadlines, round_s=min(how.deadlines.round_s, longest_s))
    began_s = time.monotonic()
    results, _ = benched(request, Benching(how.runs_dir, run_id, deadlines), _reported)
    return Measured(results, time.monotonic() - began_s)


def on_disk(tune: Tune, runs_dir: Path, request: Request, name: str) -> tuple[str, Results | None]:
    """The run that has a step; the name of the next one, and None, where there is none. Raises RequestError
    for a run of that name which is of another request.
    """
    for attempt in count(1):
        run_id = f"{tune.id}-{name}" + (f"-try-{attempt}" if attempt > 1 else "")
        if not (runs_dir / run_id).exists():
            return run_id, None
        found = _finished(runs_dir, run_id, request)
        if found is not None and _may_be_of(tune, found):
            _require_same(tune, request, found)
            return run_id, found
    raise AssertionError("count has no end")


def _finished(runs_dir: Path, run_id: str, request: Request) -> Results | None:
    """A run that has what a step is about; None for one that was interrupted, or has nothing."""
    try:
        results = find_run(runs_dir, run_id).results()
    except FarmError:
        return None
    is_over = results.status not in (RunStatus.RUNNING, RunStatus.INTERRUPTED)
    checks = request.check not in (None, Check.OFF)
    return results if is_over and trouble(results, checks=checks) is None else None


def _may_be_of(tune: Tune, results: Results) -> bool:
    """Whether it ran the search's program: one that ran another was refused then."""
    return None in (tune.runtime_digest, runtime_of(results)) or tune.runtime_digest == runtime_of(results)


def _require_same(tune: Tune, request: Request, results: Results) -> None:
    differing = [
        text
        for text, is_same in (
            (f"seed {results.seed}, not {request.seed}", results.seed == request.seed),
            ("another device", {one.name for one in results.devices} == {tune.device}),
            ("another model", {one.sha256 for one in results.models} == {tune.model_sha256}),
            (
                "other options",
                {one.name: one.digest for one in results.variants}
                == {one.name: one.options.digest for one in request.variants},
            ),
        )
        if not is_same
    ]
    if differing:
        raise RequestError(
            f"run {results.run_id} is no run of this search: {', '.join(differing)}",
            hint="begin a new search under another --run-id",
        )


def _reported(directory: RunDirectory, results: Results) -> bool:
    return write_report(directory, results) is not None
