"""`farm schedule add`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.bench import is_wheel_of_any_use
from farm.cli.bench.catalogue_options import normalise
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.bench.request_options import takes_request
from farm.cli.fleet import store_options as fleet
from farm.cli.fleet.submit import require_possible
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.progress import Bar
from farm.cli.typed import own_command
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Request
from farm.plan.prepare import prepare
from farm.run.devices.quarantined import without_quarantined
from farm.store.runs import require_run_id

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm schedule add nightly --cron '0 2 * * *' --timezone Europe/Berlin --suite nightly.yaml\n\n"
    "  farm schedule add hourly --cron '0 * * * *' --devices 'tag:arm64' --model resnet18.mge --replace",
}


@takes_request
def command(
    *,
    request: Request,
    name: Annotated[str, typer.Argument(help="Its runs are called NAME and the time, in UTC.")],
    cron: Annotated[
        str,
        typer.Option(help="Minute, hour, day of month, month, day of week: '0 2 * * *'.", metavar="EXPR"),
    ],
    timezone: Annotated[
        str, typer.Option(help="In which --cron is meant, as Europe/Berlin.", metavar="NAME")
    ] = "UTC",
    replace: Annotated[bool, typer.Option("--replace", help="In the place of one of that name.")] = False,
    store: fleet.StoreUrl = None,
    artifacts: fleet.Artifacts = None,
    runs_dir: args.RunsDir = Path("runs"),
    priority: Annotated[
        str, typer.Option(help="high, normal or low, as of farm submit.", metavar="WHICH")
    ] = "normal",
    user: fleet.User = None,
    round_limit: args.RoundLimit = Deadlines.round_s,
    silence_limit: args.SilenceLimit = Deadlines.silence_s,
    wait: args.Wait = 0,
    reconnect: args.Reconnect = Deadlines.reconnect_s,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Have the fleet begin a run at set times: what is planned now, with the files as they are now.

    Takes the same options as `farm submit`. One of the workers begins it, and only one. Times at which no
    worker was there are made up for once; a time that comes while the run before goes on is left out.
    """
    require_possible(request, priority)
    given = Deadlines(round_s=round_limit, silence_s=silence_limit, lease_wait_s=wait, reconnect_s=reconnect)
    deadlines = with_deadlines(given, deadline or ())
    require_run_id(name)
    fleet.require_times(cron, timezone)
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    plan = without_quarantined(prepared.plan, runs_dir)
    with fleet.opened(store, deadlines, may_make=True) as opened:
        shelf = fleet.shelf_for(opened, artifacts)
        from farm.fleet.bundle import How
        from farm.fleet.database import now
        from farm.fleet.nightlies.kept import Schedule, add, require_short
        from farm.fleet.nouns import VERSION
        from farm.fleet.submit import Offer, stored

        how = How(name, fleet.user_name(user), own_command(), now(), deadlines)
        require_short(name, [device.name for device in plan.devices])
        with Bar() as bar:
            told = lambda done, total: bar.update("files", done, total)  # noqa: E731
            batch = stored(shelf, Offer(plan, how, priority, told))
        wanted = Schedule(
            name, batch.user, cron, timezone, priority, VERSION, batch.lanes, batch.head, next_s=0
        )
        kept = add(opened, wanted, may_replace=replace)
    if json:
        show_json({"name": name, "lanes": len(kept.lanes), "next": fleet.moment(kept.next_s, timezone)})
        return
    out.print(plain(f"{name}: {len(kept.lanes)} lanes, next {fleet.moment(kept.next_s, timezone)}"))
