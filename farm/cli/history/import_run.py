"""`farm runs import`: a run of another machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.progress import Bar
from farm.report.numerals import count, in_bytes
from farm.store.cache.kept import kept_store
from farm.store.moving.unpack import unpack

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm runs import nightly-2026-11-25.farm.tar.gz\n\n"
    "  farm runs import lab.farm.tar.gz --as lab-2026-11-25 --runs-dir /data/runs"
}


def command(
    archive: Annotated[Path, typer.Argument(help="What `farm runs export` wrote.", metavar="FILE")],
    *,
    name: Annotated[
        str | None, typer.Option("--as", help="The name of the run here. Default: its own.", metavar="NAME")
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Make a run of an archive, once the digest of every file is right: the whole run, or nothing of it."""
    with Bar() as bar:
        made = unpack(archive, runs_dir, name, kept_store(), bar.update)
    if made.not_kept:
        say(f"what was pushed for it is not kept, it cannot be measured again: {made.not_kept}", "yellow")
    if json:
        show_json(
            {
                "run": made.directory.run_id,
                "path": str(made.directory.path),
                "files": made.files,
                "size_bytes": made.size_bytes,
                "not_kept": made.not_kept,
            }
        )
    else:
        size = f"{count(made.files, 'file')} of {in_bytes(made.size_bytes)}"
        out.print(plain(f"{made.directory.path}: {size}, every digest is right"))
