"""`farm devices stability --measure`: a bench that compares each device with itself."""

from __future__ import annotations

from pathlib import Path

from farm.cli.bench.bench import is_wheel_of_any_use, measure
from farm.cli.bench.finish import say_failures, write_report
from farm.cli.bench.sampling import comparisons_of
from farm.cli.terminal.console import say
from farm.cli.terminal.progress import Bar
from farm.compare.stability import Question
from farm.model.limits.deadlines import Deadlines
from farm.model.run import Results
from farm.plan.estimate import expected
from farm.plan.prepare import prepare
from farm.plan.request import BUNDLED, Arguments, read_request
from farm.run.context import Around
from farm.store.recent import recent_results
from farm.store.runs import RunDirectory, new_run_id

MODEL = f"{BUNDLED}shufflenet_v2_x0_5"
"""Some milliseconds on most devices: long enough for the clock, short enough for many rounds."""


def measured(
    inventory: Path | None,
    devices: str | None,
    model: str | None,
    question: Question,
    runs_dir: Path,
    wait_s: float,
) -> Results:
    """What a run came to that is made here, in which each device measures one cell twice."""
    request = read_request(
        Arguments(
            inventory=inventory,
            devices=devices,
            models=(model or MODEL,),
            rounds=str(question.pairs),
            minimum_effect=str(question.minimum_effect),
            canary=True,
        )
    )
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    plan = prepared.plan
    for line in comparisons_of(plan):
        say(line)
    if (time_needed := expected(plan, recent_results(runs_dir))) is not None:
        say(f"takes {time_needed.text}")
    directory = RunDirectory.create(runs_dir, new_run_id())

    def finished(results: Results) -> bool:
        report = write_report(directory, results)
        say_failures(results)
        say(f"report:  {report or 'not written'}")
        return report is not None

    around = Around(prepared.inventory, prepared.runtime, Deadlines(lease_wait_s=wait_s))
    return measure(plan, directory, around, finished)[0]
