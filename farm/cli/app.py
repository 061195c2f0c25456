"""The command `farm` as typer sees it; farm.cli.main runs it."""

from __future__ import annotations

from typing import Annotated

import typer

import farm
from farm.cli.lazy import CONTEXT, LazyGroup

app = typer.Typer(
    name="farm",
    cls=LazyGroup,
    help="Benchmark MegEngine models on many devices over SSH, and compare them in one offline report.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"farm {farm.__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Benchmark MegEngine models on many devices over SSH, and compare them in one offline report.

    Exit codes: 0 success; 1 confirmed regression or wrong outputs; 2 invalid request, no device was
    touched; 3 some cells failed; 4 nothing ran; 5 undecided; 130 interrupted.
    """
