"""`farm runs export`: a run as one file that another machine can import."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.progress import Bar
from farm.errors import RequestError
from farm.report.numerals import count, in_bytes
from farm.store.cache.kept import kept_store
from farm.store.moving.pack import pack
from farm.store.runs import find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm runs export latest\n\n"
    "  farm runs export tag:release-1.13 --kept --output /mnt/share/release-1.13.farm.tar.gz"
}
MOST_NAMED = 10


def command(
    run: args.Run,
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write. Default: RUN.farm.tar.gz in this folder.", metavar="FILE"
        ),
    ] = None,
    kept: Annotated[
        bool, typer.Option("--kept", help="With what was pushed: the run can be measured again there.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Write a run as one archive, with the digest of every file; `farm runs import` reads it elsewhere."""
    directory = find_run(runs_dir, run)
    target = output or Path(f"{directory.path.resolve().name}.farm.tar.gz")
    if target.exists() and not force:
        raise RequestError(f"{target} exists", hint="--force, or another --output")
    with Bar() as bar:
        made = pack(directory, target, kept_store() if kept else None, bar.update)
    for line in made.left_out[:MOST_NAMED]:
        say(f"left out: {line}", "yellow")
    if len(made.left_out) > MOST_NAMED:
        say(f"and {len(made.left_out) - MOST_NAMED} more", "yellow")
    if json:
        show_json({"archive": str(target)} | asdict(made))
    else:
        size = f"{count(made.files, 'file')} of {in_bytes(made.size_bytes)}"
        out.print(plain(f"{target}: {size} in {in_bytes(made.archive_bytes)}"))
