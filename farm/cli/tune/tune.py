"""`farm tune`: the fastest valid options of a model on a device."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import normalise, takes_options
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.tune.begin import Begun, begun, build_of, facts_of, new_tune, require_same, target_of
from farm.cli.tune.shown import answer, dropped_lines, table, tell, told_space
from farm.cli.tune.step import How, measured, require_new
from farm.cli.typed import hint_line
from farm.compare.outcome import measured_code
from farm.errors import ExitCode, RequestError
from farm.model.device import Facts
from farm.model.limits.deadlines import Deadlines
from farm.model.options import OptionSet
from farm.store.runs import RunDirectory, new_run_id
from farm.tune.files import read_beside
from farm.tune.nouns import Asked, Tune
from farm.tune.search import BrokenError, World, search
from farm.tune.space import problem
from farm.tune.state import TuneFolder, as_dict, resumed
from farm.tune.variant import command_text, suite_text
from farm.visible import has_controls

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm tune --model bundled:shufflenet_v2_x0_5\n\n"
    "  farm tune --devices arm-1 --model resnet18.mge --budget 1h --memory-limit 200MB --output fast.yaml\n\n"
    "  farm tune --model a.mge --space threads=default,2,4 --space layout=default,nchw44 --iter 50\n\n"
    "  farm tune --resume 20261126-190729-tune",
}


@takes_options
def command(
    *,
    options: OptionSet,
    inventory: args.Inventory = None,
    devices: args.Devices = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model file, or bundled:NAME.", metavar="FILE")
    ] = None,
    input: Annotated[  # noqa: A002 - the option's name
        str | None, typer.Option(help="Input data, as for farm bench.", metavar="SPEC")
    ] = None,
    build: Annotated[
        str | None, typer.Option(help="The build that runs the model, as for farm bench.", metavar="NAME")
    ] = None,
    builds: args.BuildsFile = None,
    budget: Annotated[
        str | None, typer.Option(help="About how long the search may take. Default: 10m.", metavar="TIME")
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(
            help="The most memory that the model may plan to use, weights included: 200MB.", metavar="SIZE"
        ),
    ] = None,
    space: Annotated[
        list[str] | None,
        typer.Option(
            help="What is tried, and nothing else then: threads=default,2,4, or a YAML file of such lists; "
            "repeatable. Default: threads, cores, layout, fast-run, weight-preprocess, record, recipe and "
            "fitting, as the device has them.",
            metavar="NAME=VALUES",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Where the suite with the winner is written. Default: beside tune.json.", metavar="FILE"
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="Go on with a search; what it was asked for it knows.", metavar="ID"),
    ] = None,
    run_id: Annotated[
        str | None,
        typer.Option(help="Name of the search. Default: the time and four hex digits.", metavar="ID"),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Seed of the sample and of the order of rounds. Default: random.", metavar="N"),
    ] = None,
    minimum_effect: args.LeastEffect = None,
    check: Annotated[
        str | None,
        typer.Option(
            help="outputs: those of the winner are those of the default; off. Default: outputs.",
            metavar="WHAT",
        ),
    ] = None,
    golden: Annotated[
        str | None, typer.Option(help="What the outputs should be, as for farm bench.", metavar="MODEL:FILE")
    ] = None,
    tolerance: args.Tolerances = None,
    wait: args.Wait = 0,
    deadline: Annotated[
        list[str] | None,
        typer.Option(help="Another limit on a wait, as for farm bench; repeatable.", metavar="NAME=S"),
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Find the fastest valid options of a model on a device, and confirm them against the default.

    The options that are given are the default, and part of all that is tried. The exit code is 0 with a
    winner, and where no option set is faster; 5 where that stays undecided.
    """
    asked = Asked(
        inventory=str(inventory) if inventory else None,
        devices=devices,
        model=model,
        input=input,
        build=build,
        builds=str(builds) if builds else None,
        budget=budget,
        memory_limit=memory_limit,
        space=tuple(space or ()),
        seed=seed,
        check=check,
        golden=golden,
        tolerance=tuple(tolerance or ()),
        minimum_effect=minimum_effect,
        options=options.as_dict(),
    )
    _require_text(asked)
    if resume is not None and run_id is not None:
        raise RequestError("--resume and --run-id are two names of a search", hint=f"--resume {resume}")
    folder = TuneFolder(runs_dir, resume or run_id or new_run_id())
    limits = with_deadlines(Deadlines(lease_wait_s=wait), deadline or ())
    how = How(folder, runs_dir, limits, output, is_quiet=json)
    code = _resumed(asked, how) if resume is not None else _begun(asked, how)
    raise typer.Exit(code)


def _require_text(asked: Asked) -> None:
    """tune.json keeps what was asked for. Raises RequestError for names that no file of text can have."""
    for name, value in vars(asked).items():
        texts = value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,)
        if any(isinstance(one, str) and has_controls(one) for one in texts):
            raise RequestError(
                f"--{name.replace('_', '-')} has control codes, or bytes that are no UTF-8",
                hint="rename the file, or use a link to it",
            )


def _begun(asked: Asked, how: How) -> ExitCode:
    require_new(how.folder, how.runs_dir)
    begin = begun(asked)
    tune = new_tune(how.folder.id, asked, begin)
    with how.folder.alone():
        require_new(how.folder, how.runs_dir)  # once more: another one may have begun meanwhile
        for line in told_space(tune):
            say(line)
        how.folder.save(tune)
        return _searched(tune, begin, how)


def _resumed(asked: Asked, how: How) -> ExitCode:
    before = how.folder.load()
    begin = begun(resumed(before.asked, asked))
    require_same(before, begin)
    with how.folder.alone():
        return _searched(how.folder.load(), begin, how)


def _searched(tune: Tune, begin: Begun, how: How) -> ExitCode:
    world = World(
        measure=partial(measured, tune, how),
        read=lambda results: read_beside(RunDirectory(how.runs_dir / results.run_id), results),
        save=how.folder.save,
        told=tell,
        why_invalid=partial(_why_invalid, tune, begin),
    )
    try:
        tune = search(tune, begin.request, world)
    except BrokenError as error:
        say(f"{error.message}", "red")
        say(hint_line(error.hint))
        return measured_code(error.results) or ExitCode.CELLS_FAILED
    except KeyboardInterrupt:
        say(f"farm tune --resume {tune.id} goes on with it")
        raise
    _show(tune, begin, how)
    return ExitCode.OK if tune.confirmation and tune.confirmation.is_decided else ExitCode.UNDECIDED


def _why_invalid(tune: Tune, begin: Begun, options: OptionSet) -> str | None:
    """Of options that fitting found on the device: its facts are asked for once more."""
    facts: Facts = facts_of(begin)
    return problem(options, target_of(begin, facts, checks=tune.checks))


# --------------------------------------------------------------------------- the end


def _show(tune: Tune, begin: Begun, how: How) -> None:
    (model,) = begin.request.models
    written = None
    if tune.winner is not None:
        written = how.folder.write_variant(
            suite_text(tune, tune.winner, model, Path.cwd(), build_of(begin)), how.output
        )
    if how.is_quiet:
        show_json(as_dict(tune) | {"output": written and str(written)})
        return
    for line in dropped_lines(tune):
        say(line)
    out.print(table(tune))
    out.print(answer(tune))
    if tune.winner is not None:
        out.print(plain(command_text(tune, tune.winner, model)))
        say(f"suite:    {written}   (farm bench --suite {written})")
    say(f"evidence: {how.folder.state_path}")
