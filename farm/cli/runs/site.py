"""`farm site`: all runs as a folder of static pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out as stdout
from farm.cli.terminal.console import plain, say
from farm.cli.terminal.progress import Bar
from farm.errors import RequestError
from farm.report.numerals import count
from farm.site.build import Built, build

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm site --out public\n\n"
    "  farm site latest --out public\n\n"
    "  farm site --out public --prune"
}


def command(
    runs: Annotated[
        list[str] | None, typer.Argument(help="Ids, folders, or `latest`. Default: all runs.")
    ] = None,
    *,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="Folder of the site; made if it is not there.", metavar="FOLDER"),
    ],
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove from the site the runs that are not among these.")
    ] = False,
    runs_dir: args.RunsDir = Path("runs"),
) -> None:
    """Write a folder of static pages about all runs: index, trends, reports, digests.

    A second call only writes what changed. The exit code is 0 whatever the runs came to.
    """
    if out.resolve() == runs_dir.resolve():
        raise RequestError("--out and --runs-dir are the same folder", hint="use another --out")
    with Bar() as bar:
        built = build(out, runs_dir, runs or (), prune=prune, told=bar.update)
    for line in _lines(built):
        say(line)
    stdout.print(plain(str(built.index)))


def _lines(built: Built) -> list[str]:
    lines = [
        f"{count(built.runs, 'run')}, {built.read} of them read now; {count(built.written, 'file')} written"
    ]
    if built.unreadable:
        lines.append(f"{count(built.unreadable, 'run')} cannot be read: the index says why")
    if built.removed:
        lines.append(f"{count(built.removed, 'file')} removed")
    if built.left:
        lines.append(f"{count(built.left, 'file')} of no run any more; --prune removes them")
    return lines
