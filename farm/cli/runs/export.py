"""`farm export`: a run in the formats of other tools."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.runs.output import write_output
from farm.cli.terminal.console import out, plain
from farm.errors import RequestError, RunError
from farm.export.formats import FORMATS
from farm.export.markdown import markdown
from farm.model.run import Results
from farm.store.runs import find_run
from farm.suggest import nearest

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm export latest --format junit --output farm.xml\n\n"
    "  farm export latest --format github\n\n"
    "  farm export nightly-2026-11-23 --format markdown"
}

NAMES = tuple(one.name for one in FORMATS)


def command(
    run: args.Run,
    format: Annotated[  # noqa: A002 - the option's name
        str, typer.Option("--format", "-f", help=f"One of {', '.join(NAMES)}.", metavar="FORMAT")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: stdout.", metavar="FILE")
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
) -> None:
    """Write what a run came to for other tools: JUnit, GitHub, Markdown.

    The exit code is 0 whatever the run came to. In a step of GitHub Actions, `github` also appends the
    Markdown to the step's summary.
    """
    chosen = next((one for one in FORMATS if one.name == format), None)
    if chosen is None:
        hint = f"--format {' or '.join(NAMES)}{nearest(format, NAMES)}"
        raise RequestError(f"there is no format {format!r}", hint=hint)
    results = find_run(runs_dir, run).results()
    text = chosen.text(results)
    if output is None:
        print(text, end="")  # noqa: T201 - rich would wrap it
    else:
        write_output(output, text)
        out.print(plain(str(output)))
    if chosen.summary_in and (place := os.environ.get(chosen.summary_in)):
        _append(Path(place), results)


def _append(path: Path, results: Results) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown(results))
    except OSError as error:
        raise RunError(
            f"cannot write the step's summary, {path}: {error.strerror}", hint="unset GITHUB_STEP_SUMMARY"
        ) from error
