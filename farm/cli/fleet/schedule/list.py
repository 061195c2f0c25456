"""`farm schedule list`."""

from __future__ import annotations

from typing import Any

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.fleet import store_options as fleet
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.model.limits.deadlines import Deadlines

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm schedule list\n\n  farm schedule list --json"}


def command(store: fleet.StoreUrl = None, deadline: args.Deadline = None, json: args.Json = False) -> None:
    """Show what the fleet begins by itself, when next, and what became of the last time."""
    with fleet.opened(store, with_deadlines(Deadlines(), deadline or ())) as opened:
        from farm.fleet.nightlies.kept import schedules

        found = schedules(opened)
    if json:
        show_json([fleet.schedule_json(one) for one in found])
        return
    if not found:
        out.print(plain("nothing is begun by itself"))
        return
    rows = [
        (one.name, one.user, one.cron, fleet.next_text(one), str(len(one.lanes)), one.last_how or "")
        for one in found
    ]
    out.print(simple_table(("name", "user", "cron", "next", "lanes", "last time"), rows))
