"""`farm runs cancel`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.fleet import store_options as fleet
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.model.limits.deadlines import Deadlines

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm runs cancel nightly-2026-11-23\n\n"
    "  farm runs cancel try-1 --store sqlite:///farm-store.db --json"}  # fmt: skip


def command(
    run: Annotated[str, typer.Argument(help="The id of a run that was submitted.")],
    store: fleet.StoreUrl = None,
    user: fleet.User = None,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Cancel what is left of a run of the fleet, also what runs now.

    What was measured stays; `farm runs fetch` makes a run directory of it. A device is free once its worker
    has seen it.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    with fleet.opened(store, deadlines) as opened:
        from farm.fleet.cancel import cancel

        left = cancel(opened, run, fleet.user_name(user))
    if json:
        show_json({"run": run, "cancelled": [lane.device for lane in left]})
        return
    out.print(plain(f"{run}: {len(left)} lanes cancelled" if left else f"{run}: nothing was left"))
