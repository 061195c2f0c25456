"""`farm nightly`: one command for a scheduler."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.nightly.measured import Measured, Tonight, measured
from farm.cli.nightly.telling import Room, told
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.errors import ExitCode, FarmError
from farm.inventory import acknowledged
from farm.inventory import suite as suites
from farm.model.limits.deadlines import Deadlines
from farm.nightly.notify import as_json, as_text, not_installed
from farm.nightly.nouns import Finding, Kind, Message, Night
from farm.nightly.state import Nights
from farm.plan.request import Arguments, read_request

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm nightly nightly.yaml\n\n"
    "  farm nightly nightly.yaml --inventory lab.yaml --runs-dir /data/runs --json\n\n"
    "  0 2 * * *  cd /srv/farm && farm nightly nightly.yaml   (a line of a crontab)"
}


def command(
    suite: Annotated[Path, typer.Argument(help="The suite file; its `nightly` says how.", metavar="SUITE")],
    *,
    inventory: args.Inventory = None,
    devices: args.Devices = None,
    run_id: Annotated[
        str | None,
        typer.Option(help="Name of the run. Default: the suite's name and the time.", metavar="ID"),
    ] = None,
    deadline: Annotated[
        list[str] | None,
        typer.Option(help="Another limit on a wait, as for farm bench; repeatable.", metavar="NAME=S"),
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Measure a suite, compare it with the last good night, and tell people what is new.

    The exit code is 1 while a regression is open that nobody accepted, 3 where too little was measured,
    5 where more is undecided than may be.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    nights = Nights(runs_dir, suite.stem)
    with nights.alone():
        try:
            loaded = suites.load(suite)
            request = read_request(Arguments(suite=suite, inventory=inventory, devices=devices))
            for line in not_installed(loaded.nightly.notices):
                say(line, "yellow")
            known = acknowledged.load(loaded.nightly.acknowledged) if loaded.nightly.acknowledged else ()
            night = measured(
                Tonight(request, loaded.nightly, nights, runs_dir, run_id, known, deadlines, json)
            )
        except FarmError as error:
            _tell_that_it_did_not_run(suite, Room(nights, runs_dir, deadlines), error)
            raise
        message = told(night, loaded, Room(nights, runs_dir, deadlines))
    _show(message, json=json)
    raise typer.Exit(ExitCode(message.exit_code))


def _tell_that_it_did_not_run(suite: Path, room: Room, error: FarmError) -> None:
    """News, too, as far as the suite can be read to know whom to tell."""
    try:
        loaded = suites.load(suite)
    except FarmError:
        return
    finding = Finding(Kind.NOT_RUN, "", "", f"the night did not run: {error}")
    night = Night(f"{datetime.now(UTC):%Y-%m-%d}", (finding,))
    told(Measured(night, error.exit_code), loaded, room, error.exit_code)


def _show(message: Message, *, json: bool) -> None:
    if json:
        show_json(as_json(message))
        return
    for line in ("" if message.news else "nothing new", *as_text(message).splitlines()[1:]):
        if line:
            out.print(plain(line))
