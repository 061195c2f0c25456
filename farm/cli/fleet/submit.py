"""`farm submit`."""

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
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.progress import Bar
from farm.cli.typed import own_command
from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Request
from farm.plan.prepare import prepare
from farm.run.devices.quarantined import without_quarantined
from farm.store.runs import new_run_id, require_run_id
from farm.suggest import nearest

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm submit --store postgresql://farm@db.lab/farm --suite inventory/nightly.yaml\n\n"
    "  farm submit --devices 'tag:arm64' --model resnet18.mge --priority high --run-id try-1",
}


@takes_request
def command(
    *,
    request: Request,
    store: fleet.StoreUrl = None,
    artifacts: fleet.Artifacts = None,
    runs_dir: args.RunsDir = Path("runs"),
    run_id: Annotated[
        str | None, typer.Option(help="Name of the run. Default: the time and four hex digits.", metavar="ID")
    ] = None,
    priority: Annotated[
        str,
        typer.Option(
            help="high, normal or low; within one, who has fewer lanes waiting comes first.", metavar="WHICH"
        ),
    ] = "normal",
    user: fleet.User = None,
    round_limit: args.RoundLimit = Deadlines.round_s,
    silence_limit: args.SilenceLimit = Deadlines.silence_s,
    wait: args.Wait = 0,
    reconnect: args.Reconnect = Deadlines.reconnect_s,
    deadline: args.Deadline = None,
    json: args.Json = False,
) -> None:
    """Give a run to the fleet: its lanes wait in the store, and workers at their sites run them.

    Takes the same options as `farm bench`, but --baseline. Models, inputs and programs go along; keys and
    addresses of devices are those of the worker. All lanes wait then, or none. `farm runs fetch` makes the
    run directory.
    """
    require_possible(request, priority)
    given = Deadlines(round_s=round_limit, silence_s=silence_limit, lease_wait_s=wait, reconnect_s=reconnect)
    deadlines = with_deadlines(given, deadline or ())
    run = run_id or new_run_id()
    require_run_id(run)
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    plan = without_quarantined(prepared.plan, runs_dir)
    with fleet.opened(store, deadlines, may_make=True) as opened:
        shelf = fleet.shelf_for(opened, artifacts)
        from farm.fleet.bundle import How
        from farm.fleet.database import now
        from farm.fleet.submit import Offer, submit

        how = How(run, fleet.user_name(user), own_command(), now(), deadlines)
        with Bar() as bar:
            told = lambda done, total: bar.update("files", done, total)  # noqa: E731
            submitted = submit(opened, shelf, Offer(plan, how, priority, told))
    if json:
        show_json({"run": submitted.run, "lanes": submitted.lanes, "ahead": submitted.ahead})
        return
    for site, ahead in submitted.ahead.items():
        say(f"site {site}: {ahead} lanes wait there already")
    say(f"farm runs fetch {submitted.run} --wait 3600   when it is done")
    out.print(plain(f"{submitted.run}: {len(submitted.lanes)} lanes wait"))


def require_possible(request: Request, priority: str) -> None:
    """Raises RequestError for what a fleet cannot do."""
    from farm.fleet.nouns import PRIORITIES

    if request.baseline is not None:
        raise RequestError(
            "--baseline is for farm bench: what an earlier run pushed is kept on one machine",
            hint="leave it out, and compare: farm compare RUN --baseline EARLIER",
        )
    if priority not in PRIORITIES:
        raise RequestError(
            f"--priority: {priority!r}{nearest(priority, PRIORITIES)}", hint=f"one of {', '.join(PRIORITIES)}"
        )
