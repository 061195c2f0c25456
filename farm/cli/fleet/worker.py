"""`farm worker`."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path
from typing import Annotated, Any

import typer

from farm import resources
from farm.cli import arguments as args
from farm.cli.apart import apart
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.fleet import store_options as fleet
from farm.cli.terminal.console import say
from farm.cli.terminal.loop import run
from farm.files import ascii_name
from farm.inventory import read_devices
from farm.model.device import DEFAULT_SITE
from farm.model.limits.deadlines import Deadlines
from farm.run.events import Event, Kind

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm worker --site lab1 --store postgresql://farm@db.lab/farm --inventory inventory/\n\n"
    "  farm worker --store sqlite:///farm-store.db --drain"
}
SHORTEST_TTL_S = 3.0
TOLD = frozenset({Kind.NOTE, Kind.FAILED, Kind.ROUND})


def command(
    site: fleet.Site = DEFAULT_SITE,
    store: fleet.StoreUrl = None,
    artifacts: fleet.Artifacts = None,
    inventory: args.Inventory = None,
    parallel: Annotated[
        int,
        typer.Option(help="Devices at once; keep it near devices / workers.", metavar="N", min=1, max=1000),
    ] = 8,
    ttl: Annotated[
        float,
        typer.Option(
            help="Seconds without a sign of life after which others of the site take over.",
            metavar="S",
            min=SHORTEST_TTL_S,
            callback=args.finite,
        ),
    ] = 30.0,
    allow_user: Annotated[
        list[str] | None,
        typer.Option(
            help="Run lanes of this user only, those of others fail; repeatable. Default: everybody's.",
            metavar="NAME",
        ),
    ] = None,
    most_waiting: Annotated[
        int | None,
        typer.Option(
            help="How many lanes may wait at the site; submitting more is refused. Default: as it was; at "
            "first no limit.",
            metavar="N",
            min=0,
            max=999_999_999,
        ),
    ] = None,
    most_waiting_per_user: Annotated[
        int | None,
        typer.Option(help="The same, for the lanes of one user.", metavar="N", min=0, max=999_999_999),
    ] = None,
    deadline: args.Deadline = None,
    drain: Annotated[bool, typer.Option("--drain", help="End when no lane is left at the site.")] = False,
) -> None:
    """Run what was submitted for the devices of a site, until Ctrl-C or SIGTERM.

    Several workers may serve a site: when one dies, the others go on with its lanes, and no finished round is
    run again. A worker that ends gives its devices and its lanes back. The devices are those of its
    inventory, with its keys.
    """  # fmt: skip
    deadlines = with_deadlines(Deadlines(), deadline or ())
    read = apart(lambda: read_devices(inventory, "*")[0])()
    with fleet.opened(store, deadlines, may_make=True) as opened:
        shelf = fleet.shelf_for(opened, artifacts)
        from farm.fleet.duty import Worker
        from farm.fleet.limits import limit_key, user_limit_key
        from farm.fleet.nouns import Site, site_name
        from farm.fleet.worker import own_folder, work

        mine = [device for device in read.devices if device.site == site_name(site)]
        host = ascii_name(socket.gethostname())[:40]
        worker = Worker(f"{site}-{host}-{secrets.token_hex(4)}", site, host, parallel, ttl)
        for key, most in (
            (limit_key(site), most_waiting),
            (user_limit_key(site), most_waiting_per_user),
        ):
            if most is not None:
                opened.replace(key, str(most))
        with own_folder(Path(resources.cache_folder()) / "fleet", worker.id) as folder:
            here = Site(site, read, shelf, folder, frozenset(allow_user or ()), deadlines, say, _tell)
            say(f"worker {worker.id}: {len(mine)} devices, {parallel} at once, store {opened.url}")
            if not mine:
                others = ", ".join(sorted({device.site for device in read.devices if device.site}))
                say(f"no device of the inventory is of site {site}; it has {others or 'no sites'}", "yellow")
            run(work(opened, worker, here, is_drain=drain))


def _tell(event: Event) -> None:
    if event.kind in TOLD:
        say(f"{event.device}: {event.text}", "red" if event.kind is Kind.FAILED else "dim")
