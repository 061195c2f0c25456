"""`farm runs kept`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import RunError
from farm.store.cache.kept import KeptStore, kept_store

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm runs kept\n\n  farm runs kept --clean --json"}


def command(
    clean: Annotated[bool, typer.Option("--clean", help="Remove what no run refers to.")] = False,
    json: args.Json = False,
) -> None:
    """Show what is kept of runs to measure them again, and which run refers to how much."""
    store = kept_store()
    try:
        freed_bytes = store.clean() if clean else 0
        told = _told(store) | {"freed_bytes": freed_bytes}
    except OSError as error:
        raise RunError(f"cannot read {error.filename or store.root}: {error.strerror or error}") from error
    if json:
        show_json(told)
        return
    for run in told["runs"]:
        run["bytes"] = _size(run["bytes"])
    if told["runs"]:
        rows = [tuple(map(str, run.values())) for run in told["runs"]]
        out.print(simple_table(("run", "files", "holds"), rows))
    free = f"{_size(told['unused_bytes'])} of it no run's" if told["unused_bytes"] else "all of runs"
    out.print(
        plain(f"{store.root}: {_size(told['held_bytes'])} of at most {_size(told['limit_bytes'])}, {free}")
    )
    if clean:
        out.print(plain(f"removed: {_size(freed_bytes)}"))


def _told(store: KeptStore) -> dict[str, Any]:
    stored = {one.path.name: one.size_bytes for one in store.stored()}
    runs = store.references()
    referred = frozenset[str]().union(*(one.digests for one in runs))
    return {
        "folder": str(store.root),
        "limit_bytes": store.limit_bytes(),
        "held_bytes": sum(stored.values()),
        "unused_bytes": sum(size for name, size in stored.items() if name not in referred),
        "runs": [
            {
                "run": str(one.manifest.parent),
                "files": len(one.digests & stored.keys()),
                "bytes": sum(stored.get(name, 0) for name in one.digests),
            }
            for one in runs
        ],
    }


def _size(count: int) -> str:
    from humanize import naturalsize

    return naturalsize(count)
