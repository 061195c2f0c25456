"""From the options of `farm bisect` to the builds in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from farm.bisect.builds import Builds, of_command, of_file, of_folders
from farm.bisect.command import Maker
from farm.bisect.memory import Memory
from farm.bisect.order import order_of_folders, order_of_names, order_of_steps
from farm.errors import RequestError
from farm.inventory import read_devices
from farm.model.build import INVENTORY_BUILD
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Request
from farm.options import words
from farm.plan.builds import builds_path, read_builds

SOURCES = "--folders 'out/*', --command './build.sh {step}' --steps FILE, or --builds FILE"


@dataclass(frozen=True)
class Given:
    """What says which builds there are, as it was typed."""

    good: str
    bad: str
    order: str | None = None
    folders: str | None = None
    command: str | None = None
    steps: Path | None = None


def builds_of(given: Given, request: Request, memory: Memory, deadlines: Deadlines) -> Builds:
    """The builds from GOOD to BAD. Raises RequestError, before anything is made or measured."""
    sources = {"--folders": given.folders, "--command": given.command, "--builds": request.builds_file}
    named = [name for name, value in sources.items() if value is not None]
    if len(named) > 1:
        raise RequestError(f"{' and '.join(named)} are two sources of builds", hint="use one of them")
    if (given.command is None) != (given.steps is None):
        raise RequestError("--command and --steps belong together", hint=SOURCES)
    if given.order is not None and named not in ([], ["--builds"]):
        raise RequestError(f"--order is for a builds file, not for {named[0]}", hint="leave it out")
    if given.folders is not None:
        return of_folders(order_of_folders(given.folders).between(given.good, given.bad))
    if given.command is not None and given.steps is not None:
        maker = Maker(given.command, memory.logs, deadlines)
        maker.words("")
        return of_command(order_of_steps(given.steps).between(given.good, given.bad), maker, memory.builds)
    return _of_file(given, request)


def _of_file(given: Given, request: Request) -> Builds:
    from farm.inventory import builds as door

    inventory, _ = read_devices(request.inventory, request.devices)
    path = builds_path(request, inventory)
    if given.order is not None:
        names = [name.strip() for name in given.order.split(",") if name.strip()]
    elif path is not None:
        names = [build.name for build in door.load(path)]
        if INVENTORY_BUILD.name in (given.good, given.bad):
            raise RequestError("where is the build inventory in the order?", hint="say it with --order")
    else:
        raise RequestError("nothing says which builds there are", hint=SOURCES)
    order = order_of_names(names).between(given.good, given.bad)
    return of_file(order, read_builds(replace(request, builds=order.names), inventory))


def asked_of(given: Given, request: Request) -> Mapping[str, str]:
    """What a bisect is about, by the names of the options: one that goes on has to be asked the same."""
    columns = [f"{one.name}={' '.join(words(one.options))}" for one in request.variants]
    models = [str(one.file or one.bundled) for one in request.models]
    return {
        "GOOD": given.good,
        "BAD": given.bad,
        "--command": given.command or "",
        "--inventory": str(request.inventory or ""),
        "--devices": request.devices,
        "--model": " ".join(models),
        "--input": " ".join(one.input or "" for one in request.models),
        "options": " ".join(columns),
        "--minimum-effect": f"{request.comparing.minimum_effect:g}",
        "--check": request.check.value if request.check else "",
        "--golden": " ".join(request.goldens),
        "--tolerance": " ".join(map(str, request.tolerances)),
    }
