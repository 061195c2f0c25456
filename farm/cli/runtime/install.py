"""`farm runtime install`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli.terminal.console import out, plain
from farm.cli.terminal.progress import Bar
from farm.runtime import install as installing

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm runtime install\n\n  farm runtime install --wheel ./MegEngine-1.13.0-*.whl"
}


def command(
    wheel: Annotated[
        Path | None,
        typer.Option(help="Install from this wheel file instead of the package index.", metavar="FILE"),
    ] = None,
) -> None:
    """Download MegEngine's wheel from your package index and keep the libraries that farm needs.

    Uses pip (or uv) with your index, proxy and cache settings; downloads 937 MB once, keeps 1.6 GB.
    """
    with Bar() as bar:
        runtime = installing.install(bar.update, wheel=wheel)
    out.print(plain(f"MegEngine {runtime.version}: {runtime.root}"))
