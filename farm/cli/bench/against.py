"""`--baseline`: the plan with an earlier run, read before any device is touched."""

from __future__ import annotations

from pathlib import Path

from farm.model.matrix import Plan
from farm.model.request import Request


def against(plan: Plan, request: Request, runs_dir: Path) -> Plan:
    """The plan with the duels that a request's baseline asks for. Raises RequestError where there is no such
    run, it cannot be read, or it has no cell in common with the plan.
    """
    if request.baseline is None:
        return plan
    from farm.run.measure.baseline import Former, with_baseline  # what a plan alone does not need
    from farm.store.kept import kept_store
    from farm.store.runs import find_run

    run = find_run(runs_dir, request.baseline)
    return with_baseline(plan, Former(run, run.results()), kept_store())
