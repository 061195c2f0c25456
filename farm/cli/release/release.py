"""`farm release`: versions side by side, of runs that are there or of builds that it measures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.bench import Benching
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.release.measured import measure_builds, new_name
from farm.cli.release.page import FORMATS, PAGE, Wanted, require_wanted, write
from farm.cli.terminal.console import say, show_error
from farm.errors import ExitCode, RequestError, RunError
from farm.model.limits.deadlines import Deadlines
from farm.plan.request import Arguments

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm release 1.13 1.14 --suite release.yaml --sign ~/.ssh/id_ed25519\n\n"
    "  farm release latest\n\n"
    "  farm release lab-a lab-b --versions 1.13,1.14,1.15 --output release.html\n\n"
    "  farm release old-a old-b new-a new-b --versions 'old=old-a+old-b,new=new-a+new-b'\n\n"
    "  farm release latest --format markdown --check"
}

Names = Annotated[
    list[str],
    typer.Argument(
        help="Runs: ids, folders, tag:NAME or `latest`. With --suite: builds, the oldest first.",
        metavar="RUN|BUILD...",
    ),
]
Suite = Annotated[
    Path | None,
    typer.Option(
        help="Measure the builds on the devices, models and variants of this suite, each in pairs with the "
        "first one.",
        metavar="FILE",
    ),
]
VersionsOption = Annotated[
    str | None,
    typer.Option(
        help="Builds, runs, variants or models, the oldest first: '1.13,1.14', or 'old=a+b,new=c' where "
        "several are one version. Default: those that the runs compare, else the runs themselves.",
        metavar="OLD,...,NEW",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help=f"File to write. Default: {PAGE} beside the first run (with --suite: in its folder); Markdown "
        "goes to stdout.",
        metavar="FILE",
    ),
]
Form = Annotated[str, typer.Option("--format", "-f", help=f"{' or '.join(FORMATS)}.", metavar="FORMAT")]
MaxUndecided = Annotated[
    int | None,
    typer.Option(
        help="How many cells may be undecided before it is no GO. Default: as the runs have it.",
        metavar="N",
        min=0,
    ),
]
Check = Annotated[
    bool,
    typer.Option(
        "--check",
        help="Exit code 1 for a confirmed regression or wrong outputs, 5 for NOT DECIDED; with --suite it is "
        "always so.",
    ),
]
Digests = Annotated[
    bool,
    typer.Option(
        "--digests",
        help="Write FILE.sha256 beside the page: the digests of the page and of all data of its runs. "
        "Always with --suite and --sign.",
    ),
]
Sign = Annotated[
    Path | None,
    typer.Option(
        "--sign",
        help="Sign the digests with this key of OpenSSH, into FILE.sha256.sig.",
        metavar="KEY",
    ),
]
RunId = Annotated[
    str | None,
    typer.Option(help="With --suite: name of the run. Default: `release-` and the time.", metavar="ID"),
]
DeadlineOption = Annotated[
    list[str] | None,
    typer.Option(help="Another limit on a wait, as for farm bench; repeatable.", metavar="NAME=S"),
]


def command(
    *,
    names: Names,
    suite: Suite = None,
    inventory: args.Inventory = None,
    devices: args.Devices = None,
    builds: args.BuildsFile = None,
    rounds: args.Rounds = None,
    budget: args.Budget = None,
    versions: VersionsOption = None,
    output: Output = None,
    form: Form = FORMATS[0],
    max_undecided: MaxUndecided = None,
    check: Check = False,
    digests: Digests = False,
    sign: Sign = None,
    run_id: RunId = None,
    deadline: DeadlineOption = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Write the report of a release: versions side by side on all devices and models.

    With --suite it measures the builds first. Its verdicts are those of the runs and of `farm compare`.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    is_sealed = digests or sign is not None or suite is not None
    wanted = Wanted(form, versions, output, max_undecided, json, is_sealed, sign, deadlines)
    asked = Arguments(
        inventory=inventory,
        devices=devices,
        suite=suite,
        rounds=rounds,
        budget=budget,
        max_undecided=max_undecided,
        ab=",".join(names),
        builds=tuple(names),
        builds_file=builds,
    )
    if suite is not None:
        raise typer.Exit(_measured(asked, wanted, runs_dir, run_id))
    _refuse_without_suite(asked, run_id)
    require_wanted(wanted)
    written = write(runs_dir, names, wanted, None if check else ExitCode.OK)
    raise typer.Exit(written.last.code if check else ExitCode.OK)


def _measured(asked: Arguments, wanted: Wanted, runs_dir: Path, run_id: str | None) -> ExitCode:
    """Measure, and write the page; the exit code is that of `farm bench`."""
    name = run_id or new_name()
    is_beside = wanted.output is None
    wanted = replace(
        wanted,
        output=wanted.output or runs_dir / name / PAGE,
        versions=wanted.versions or ",".join(asked.builds),
    )
    require_wanted(wanted, will_be_there=is_beside)
    where = Benching(runs_dir, name, wanted.deadlines)
    code = measure_builds(asked, where, is_quiet=wanted.json)
    try:
        write(runs_dir, [name], wanted, code)
    except RunError as error:  # what was measured, and its verdict, stay
        show_error(error)
        say(f"  nothing has to be measured again: farm release {name} --digests --output FILE [--sign KEY]")
        return code or ExitCode.CELLS_FAILED
    return code


def _refuse_without_suite(asked: Arguments, run_id: str | None) -> None:
    """Raise RequestError for an option that nothing would heed."""
    names = ("inventory", "devices", "builds_file", "rounds", "budget")
    given = [name for name in names if getattr(asked, name) is not None]
    given += ["run-id"] if run_id is not None else []
    if given:
        option = given[0].removesuffix("_file")
        raise RequestError(
            f"--{option} says how builds are measured, which needs --suite",
            hint="farm release OLD NEW --suite FILE",
        )
