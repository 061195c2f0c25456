"""`farm runtime`: MegEngine's libraries on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from farm.cli import arguments as args
from farm.cli.console import out, plain, show_json
from farm.cli.matrix import simple_table
from farm.cli.progress import Bar
from farm.runtime import install as installing

app = typer.Typer(help="Install and list the wheel runtime.", no_args_is_help=True)


@app.command(
    "install",
    epilog="Examples:\n\n  farm runtime install\n\n  farm runtime install --wheel ./MegEngine-1.13.0-*.whl",
)
def install(
    wheel: Annotated[
        Path | None,
        typer.Option(help="A wheel file that you have, instead of your package index.", metavar="FILE"),
    ] = None,
) -> None:
    """Get MegEngine's wheel from your package index and keep the libraries that farm needs.

    Uses pip (or uv) with your index, proxy and cache settings; 937 MB travel once, 1.6 GB stay.
    """
    with Bar() as bar:
        runtime = installing.install(bar.update, wheel=wheel)
    out.print(plain(f"MegEngine {runtime.version}: {runtime.root}"))


@app.command("list", epilog="Examples:\n\n  farm runtime list --json")
def list_runtimes(json: args.Json = False) -> None:
    """List what is installed here."""
    found = installing.list_installed()
    if json:
        show_json([{"version": one.version, "root": str(one.root)} for one in found])
    elif found:
        out.print(simple_table(("version", "where"), [(one.version, str(one.root)) for one in found]))
    else:
        out.print(plain("no runtime installed; `farm runtime install` gets it (a bench does so by itself)"))
