"""The command `farm`: one module per command; errors are printed here and nowhere else."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import farm
from farm.cli import bench, devices, options, plan, report, runs, runtime, schema
from farm.cli.console import say, show_error
from farm.errors import ExitCode, FarmError

app = typer.Typer(
    name="farm",
    help="Benchmark MegEngine models on many devices over SSH, and compare them in one offline report.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("bench", **bench.SETTINGS)(bench.command)
app.command("plan", **plan.SETTINGS)(plan.command)
app.add_typer(devices.app, name="devices")
app.add_typer(runs.app, name="runs")
app.command("report", **report.SETTINGS)(report.command)
app.add_typer(runtime.app, name="runtime")
app.add_typer(options.app, name="options")
app.command("schema", **schema.SETTINGS)(schema.command)


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

    Exit codes: 0 all good; 1 regression found; 2 the request is wrong, no device was touched; 3 some
    cells failed; 4 nothing ran; 130 interrupted.
    """


def main() -> None:
    """Entry point of the command; turns every outcome into an exit code of DESIGN, section 9."""
    try:
        app()
    except FarmError as error:
        show_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("interrupted", "yellow")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(ExitCode.OK)


if __name__ == "__main__":
    main()
