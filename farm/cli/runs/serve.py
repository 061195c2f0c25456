"""`farm serve`: live pages of runs and devices."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli import failure
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.errors import RequestError
from farm.inventory import read_devices
from farm.inventory.values.sampling import budget_s_of
from farm.model.device import ALL_DEVICES
from farm.model.limits.deadlines import Deadlines

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm serve\n\n"
    "  farm serve --runs-dir nightly/runs --inventory lab.yaml --port 0\n\n"
    "  umask 077; openssl rand -hex 32 > token; farm serve --token-file token     # with actions\n\n"
    "  ssh -L 8421:127.0.0.1:8421 controller     # from another machine, then http://127.0.0.1:8421/"
}
PORT = 8421


def command(
    devices: args.Devices = None,
    *,
    inventory: args.Inventory = None,
    runs_dir: args.RunsDir = Path("runs"),
    host: Annotated[
        str,
        typer.Option(help="Where to listen. One that is not loopback needs --token-file.", metavar="HOST"),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0: a free one.", metavar="N", min=0, max=65_535)] = PORT,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="Another name under which browsers may ask for it, as behind a proxy; repeatable. "
            "Addresses, localhost and this machine's name need none.",
            metavar="NAME",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            help="A file with a token, which nobody else can read: who has it may end leases and cancel "
            "runs. Without: pages can be read only.",
            metavar="FILE",
        ),
    ] = None,
    lasts: Annotated[
        str | None, typer.Option("--for", help="End after so long: 60s, 10m. Default: never.", metavar="TIME")
    ] = None,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Serve live pages: runs as they grow, devices now, finished reports.

    Prints its address, and serves until Ctrl-C. Takes no lease; devices are asked only while the page of the
    fleet is open, and not while a run of this machine measures them.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    lasts_s = budget_s_of(lasts) if lasts is not None else float("inf")
    try:
        from farm.serve.guard import read_token
        from farm.serve.server import Wanted, serve
    except ImportError as error:
        raise RequestError(
            f"farm serve needs {error.name}, which is not installed",
            hint="pip install 'megengine-farm[serve]'",
        ) from error
    token = read_token(token_file) if token_file is not None else None
    loaded, chosen = read_devices(inventory, devices or ALL_DEVICES)
    wanted = Wanted(runs_dir, loaded, chosen, host, port, tuple(name or ()), token, deadlines)

    def started(address: str) -> None:
        if json:
            show_json({"address": address, "pid": os.getpid()})
        else:
            out.print(plain(address))
        sys.stdout.flush()  # whoever waits for it in a pipe gets it at once
        say("Ctrl-C ends it" + ("" if token else "; pages can be read only"))

    run(serve(wanted, started, failure.note, lasts_s))
