"""The command `farm`: errors are printed here and nowhere else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import farm
from farm.cli.lazy import CONTEXT, LazyGroup
from farm.errors import ExitCode, FarmError

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

    Exit codes: 0 success; 1 regression found; 2 invalid request, no device was touched; 3 some cells
    failed; 4 nothing ran; 130 interrupted.
    """


def main() -> None:
    """Entry point of the command; turns every outcome into an exit code of DESIGN, section 9."""
    try:
        app()
    except FarmError as error:
        from farm.cli.terminal.console import show_error

        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        from farm.cli.terminal.console import say

        say("interrupted", "yellow")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
