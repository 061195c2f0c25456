"""`farm schedule run`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.fleet import store_options as fleet
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.model.limits.deadlines import Deadlines

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm schedule run nightly\n\n"
    "  farm schedule run nightly --store sqlite:///farm-store.db --json"}  # fmt: skip


def command(
    name: Annotated[str, typer.Argument(help="The name of a schedule.")],
    store: fleet.StoreUrl = None,
    user: fleet.User = None,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Begin a schedule once now: some worker does within seconds. Its times stay as they are."""
    with fleet.opened(store, with_deadlines(Deadlines(), deadline or ())) as opened:
        from farm.fleet.nightlies.kept import run_now

        found = run_now(opened, name, fleet.user_name(user))
    if json:
        show_json(fleet.schedule_json(found))
        return
    out.print(
        plain(f"{found.name}: due now; a worker of {found.version} begins it, unless its last run goes on")
    )
