"""`farm bisect`: the first slower one of an ordered list of builds."""

from __future__ import annotations

import json as json_text
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.bisect.memory import Memory, State
from farm.bisect.nouns import Question, Step
from farm.bisect.reading import Failed
from farm.bisect.search import ahead, most_steps
from farm.bisect.telling import COLUMNS, Told, as_json, conclusion, markdown, rows
from farm.cli import arguments as args
from farm.cli.bench.bench import Benching
from farm.cli.bench.catalogue_options import normalise
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.bench.request_options import takes_request
from farm.cli.bisect.measuring import Bench
from farm.cli.bisect.order_options import Given, asked_of, builds_of
from farm.cli.runs.output import write_output
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.compare.words import percent
from farm.errors import ExitCode, FarmError, RequestError, RunError
from farm.inventory.values.sampling import budget_s_of
from farm.model.comparison import Verdict
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Request
from farm.store.runs import REPORT, new_run_id

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm bisect v1 v16 --builds builds.yaml --devices arm-1 --model resnet18.mge\n\n"
    "  farm bisect 1.13 1.14 --folders 'out/*/install' -d arm-1 -m resnet18.mge --enable-nchw44\n\n"
    "  git rev-list --reverse 1.13~..1.14 >steps.txt\n\n"
    "  farm bisect 8f3c1d2 b01dfac --command './build.sh {step}' --steps steps.txt -d arm-1 -m a.mge",
}


class StepError(RunError):
    """A step was not measured, through no fault of its build: the device, the network."""

    exit_code = ExitCode.CELLS_FAILED


OF_THE_CELL = frozenset(
    {"inventory", "devices", "model", "input", "variant", "recipe", "builds", "minimum_effect", "seed"}
    | {"check", "golden", "tolerance"}
)
"""The options of `farm bench` that say which cell it is, and how it is judged."""


@partial(takes_request, only=OF_THE_CELL)
def command(
    *,
    request: Request,
    good: Annotated[
        str, typer.Argument(help="A build that is fast: its name, folder or step.", metavar="GOOD")
    ],
    bad: Annotated[str, typer.Argument(help="A build that is slow.", metavar="BAD")],
    order: Annotated[
        str | None,
        typer.Option(
            help="Names of the builds file in order. Default: all, in the order of the file.",
            metavar="A,B,...",
        ),
    ] = None,
    folders: Annotated[
        str | None,
        typer.Option(
            help="Folders with a build each (load_and_run and its libraries, or a builds.yaml with one "
            "build): 'out/*' in natural order, or a file with a folder on each line.",
            metavar="GLOB",
        ),
    ] = None,
    make: Annotated[
        str | None,
        typer.Option(
            "--command",
            help="Makes the build of a step: './build.sh {step}', without a shell. The last line that it "
            "prints is the folder of the build; exit code 125 skips the step.",
            metavar="COMMAND",
        ),
    ] = None,
    steps: Annotated[
        Path | None,
        typer.Option(help="With --command: a file with a step on each line, in order.", metavar="FILE"),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The most time for all runs together: 1h, 90m. Then what is known is told.", metavar="TIME"
        ),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(
            help="Name of the bisect; its runs are ID-step-N. Default: bisect-, time.", metavar="ID"
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with a bisect that was interrupted, asked the same.", metavar="ID"),
    ] = None,
    round_limit: args.RoundLimit = Deadlines.round_s,
    silence_limit: args.SilenceLimit = Deadlines.silence_s,
    wait: args.Wait = 0,
    reconnect: args.Reconnect = Deadlines.reconnect_s,
    deadline: Annotated[
        list[str] | None,
        typer.Option(help="Another limit on a wait, as for farm bench; repeatable.", metavar="NAME=S"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the summary as Markdown, too.", metavar="FILE"),
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Find the first slower one of an ordered list of builds.

    Binary search between GOOD and BAD: each step measures two builds in pairs, in one lease.
    """
    if resume is not None and run_id is not None:
        raise RequestError("--resume and --run-id both name the bisect", hint="--run-id names a new one")
    limits = Deadlines(round_s=round_limit, silence_s=silence_limit, lease_wait_s=wait, reconnect_s=reconnect)
    deadlines = with_deadlines(limits, deadline or ())
    given = Given(good, bad, order, folders, make, steps)
    memory = Memory(runs_dir, resume or run_id or f"bisect-{new_run_id()}")
    builds = builds_of(given, request, memory, deadlines)
    budget_s = _budget_s(budget)
    bench = Bench(request, builds, Benching(runs_dir, deadlines=deadlines), memory.name)
    state = State(asked_of(given, request), builds.order.names, request.seed, texts=builds.order.texts)
    if resume is not None:
        memory.resume(state)
    else:
        memory.refuse_used()
        bench.check(state)
    with memory.alone():  # a request that is refused leaves nothing behind
        if resume is not None:
            state = memory.resume(state)
        else:
            memory.begin(state)
            say(f"bisect {memory.name}: where it is interrupted, --resume {memory.name} goes on")
        told, report = _bisected(bench, memory, state, budget_s)
        _show(told, memory, report, output, json=json)
    raise typer.Exit(told.code)


def _budget_s(text: str | None) -> float | None:
    try:
        return budget_s_of(text) if text is not None else None
    except RequestError as error:
        raise RequestError(f"--budget {error.message}", hint="--budget 1h") from None


def _bisected(bench: Bench, memory: Memory, state: State, budget_s: float | None) -> tuple[Told, str | None]:
    """Measure until it ends: each step is on disk before the next one begins."""
    size, least = len(state.names), bench.request.comparing.minimum_effect
    try:
        while isinstance(asked := ahead(size, least, state.steps, budget_s), Question):
            say(_announced(state, asked, most_steps(size, least, state.steps)))
            left_s = None if budget_s is None else budget_s - sum(one.took_s for one in state.steps)
            step = bench.measured(asked, state, left_s)
            if isinstance(step, Failed):
                raise StepError(f"step {len(state.steps) + 1} was not measured: {step.why}")
            state = replace(state, steps=(*state.steps, step))
            memory.save(state)
            say(f"step {len(state.steps)}: {_answered(step)}")
    except (FarmError, KeyboardInterrupt):
        say(f"{len(state.steps)} steps are done; the same command with --resume {memory.name} goes on")
        raise
    told = Told(memory.name, state.names, state.steps, asked)
    return told, _report(told, bench.how.runs_dir)


def _announced(state: State, asked: Question, most: int) -> str:
    after, before = state.names[asked.candidate], state.names[asked.baseline]
    left = "1 step is" if most == 1 else f"{most} steps are"
    more = "once more" if asked.widened else f"at most {left} left, if each is answered at once"
    return (
        f"step {len(state.steps) + 1}: is {after} slower than {before} by "
        f"{percent(asked.minimum_effect, signed=False)} or more? {asked.pairs} fresh pairs; {more}"
    )


def _answered(step: Step) -> str:
    return f"skipped: {step.why}" if step.verdict is Verdict.INVALID else f"{step.verdict.value}: {step.why}"


def _report(told: Told, runs_dir: Path) -> str | None:
    """Of the step that decided it, else of the last one."""
    step = told.found or next((one for one in reversed(told.steps) if one.run is not None), None)
    path = runs_dir / step.run / REPORT if step is not None and step.run is not None else None
    return str(path) if path is not None and path.is_file() else None


def _show(told: Told, memory: Memory, report: str | None, output: Path | None, *, json: bool) -> None:
    page, record = markdown(told, report), as_json(told, report)
    memory.tell(json_text.dumps(record, indent=1), page)
    if output is not None:
        write_output(output, page)
    if json:
        show_json(record)
        return
    out.print(simple_table(COLUMNS, list(rows(told))))
    for line in conclusion(told):
        out.print(plain(line))
    out.print(plain(f"summary: {memory.folder}"))
    if report is not None:
        out.print(plain(f"report:  {report}"))
