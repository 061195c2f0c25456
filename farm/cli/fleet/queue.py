"""`farm queue`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.fleet import store_options as fleet
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.model.limits.deadlines import Deadlines

if TYPE_CHECKING:
    from farm.fleet.limits import Limits

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm queue\n\n  farm queue --audit\n\n  farm queue --site lab1 --json"
}


def command(
    store: fleet.StoreUrl = None,
    site: Annotated[str | None, typer.Option(help="Only of this site.", metavar="NAME")] = None,
    audit: Annotated[
        bool, typer.Option("--audit", help="Show instead who did what, the newest last.")
    ] = False,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Show who waits for what in the fleet, and why, and which workers there are.

    Lanes are listed in the order in which they are run. A reason says what is to happen first: a worker that
    is missing, or of another version; the run that has the device; the lanes that come before.
    """
    deadlines = with_deadlines(Deadlines(), deadline or ())
    with fleet.opened(store, deadlines) as opened:
        from farm.fleet.nightlies.kept import schedules
        from farm.fleet.nouns import site_name
        from farm.fleet.waiting import queue

        if audit:
            _show_audit(opened.audited(), json=json)
            return
        found = queue(opened, site_name(site) if site is not None else None)
        due = [one for one in schedules(opened) if site is None or site in one.sites]
    if json:
        show_json({
            "lanes": [
                {
                    "run": one.lane.run, "device": one.lane.device, "site": one.lane.site,
                    "user": one.lane.user,
                    "status": "running" if one.lane.is_running else "waiting", "reason": one.reason,
                    "worker": one.lane.worker if one.lane.is_running else None, "attempts": one.lane.attempts,
                }
                for one in found.entries
            ],
            "workers": [
                {
                    "id": one.id, "site": one.site, "host": one.host, "version": one.version,
                    "parallel": one.parallel, "is_alive": one.is_alive, "silent_s": round(one.silent_s, 1),
                }
                for one in found.workers
            ],
            "limits": [asdict(one) for one in found.limits],
            "schedules": [fleet.schedule_json(one) for one in due],
        })  # fmt: skip
        return
    rows = [
        (one.lane.site, one.lane.device, one.lane.run, one.lane.user, one.reason) for one in found.entries
    ]
    if rows:
        out.print(simple_table(("site", "device", "run", "user", "what it waits for"), rows))
    else:
        out.print(plain("nothing waits"))
    for schedule in due:
        what = f"schedule {schedule.name} of {schedule.user}: {len(schedule.lanes)} lanes"
        out.print(plain(f"{what}, next {fleet.next_text(schedule)}"))
    for limit in found.limits:
        out.print(plain(_limit_text(limit)))
    for one in found.workers:
        silent = "" if one.is_alive else f", no sign of life for {one.silent_s:.0f} s"
        out.print(plain(f"worker {one.id}: {one.version}, {one.parallel} at once{silent}"))


def _limit_text(one: Limits) -> str:
    told = [] if one.of_all is None else [f"{one.of_all} lanes"]
    told += [] if one.of_one_user is None else [f"{one.of_one_user} of one user"]
    return f"at {one.site} may wait: {', '.join(told)} (set by farm worker)"


def _show_audit(found: Sequence[Mapping[str, Any]], *, json: bool) -> None:
    if json:
        show_json(list(found))
        return
    if not found:
        out.print(plain("nobody did anything yet"))
        return
    names = ("at", "user", "host", "did", "run", "detail")
    out.print(simple_table(names, [tuple(str(one[name] or "") for name in names) for one in found]))
