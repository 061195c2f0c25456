"""`farm export`: a run in the formats of other tools."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.runs.output import write_output
from farm.cli.terminal.console import out, plain
from farm.errors import RequestError, RunError
from farm.export.formats import FORMATS, Format
from farm.export.markdown import markdown
from farm.files import digest_path
from farm.model.artifact import Produced
from farm.model.run import Results
from farm.plugins.find import NAME, Group, nothing_on_stdout, plugins
from farm.store.runs import RunDirectory, find_run
from farm.suggest import nearest

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm export latest --format junit --output farm.xml\n\n"
    "  farm export latest --format github\n\n"
    "  farm export nightly-2026-11-23 --format markdown\n\n"
    "  farm export latest --format chrome-trace --output trace.json"
}

MOST_FILE_BYTES = 64 << 20
"""Of a file that a format reads, as a profile: a larger one is left out."""

_DIGEST = re.compile(r"[0-9a-f]{64}")

OWN = tuple(one.name for one in FORMATS)
ADDED = tuple(
    one for one in plugins(Group.EXPORTERS, OWN) if one.name not in OWN and NAME.fullmatch(one.name)
)
"""Formats of plugins. This module is imported where a run is exported, and not before."""

NAMES = tuple(dict.fromkeys((*OWN, *(one.name for one in ADDED))))


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
    """Write a run for other tools: CI systems, dashboards, trace viewers, spreadsheets.

    The exit code is 0 whatever the run came to. In a step of GitHub Actions, `github` also appends the
    Markdown to the step's summary.
    """
    if format not in NAMES:
        hint = f"--format {' or '.join(NAMES)}{nearest(format, NAMES)}"
        raise RequestError(f"there is no format {format!r}", hint=hint)
    directory = find_run(runs_dir, run)
    results = directory.results()
    own = next((one for one in FORMATS if one.name == format), None)
    data, is_text = _own(own, directory, results) if own else _of_plugin(format, results)
    if output is not None:
        write_output(output, data)
        out.print(plain(str(output)))
    elif is_text or not sys.stdout.isatty():
        _print(data, is_text=is_text)
    else:
        raise RequestError(f"{format} is no text to be shown", hint=f"--output run.{format}")
    if own and own.summary_in and (place := os.environ.get(own.summary_in)):
        _append(Path(place), results)


def _own(own: Format, directory: RunDirectory, results: Results) -> tuple[bytes, bool]:
    """The bytes of the file, and whether they are text."""
    return own.content(results, lambda produced: _text_of(directory.path, produced)), own.is_text


def _of_plugin(name: str, results: Results) -> tuple[bytes, bool]:
    """The same. Raises RunError for a plugin that cannot be used, or fails."""
    chosen = next(one for one in ADDED if one.name == name)
    with nothing_on_stdout():
        made = chosen.call(results)
    if not isinstance(made, str | bytes):
        raise chosen.refuse(made, "str or bytes")
    is_text = isinstance(made, str)
    return made.encode("utf-8", "backslashreplace") if isinstance(made, str) else made, is_text


def _text_of(folder: Path, produced: Produced) -> str | None:
    """The text of a file of the run, by its digest: nothing outside of the run is read, whatever its results
    say.
    """
    if not _DIGEST.fullmatch(produced.sha256):
        return None
    try:
        with digest_path(folder / "artifacts", produced.sha256).open("rb") as stream:
            data = stream.read(MOST_FILE_BYTES + 1)
    except OSError:
        return None
    return data.decode("utf-8", "replace") if len(data) <= MOST_FILE_BYTES else None


def _print(data: bytes, *, is_text: bool) -> None:
    if is_text:
        print(data.decode(), end="")  # noqa: T201 - rich would wrap it
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)


def _append(path: Path, results: Results) -> None:
    try:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(markdown(results))
    except OSError as error:
        raise RunError(
            f"cannot write the step's summary, {path}: {error.strerror}", hint="unset GITHUB_STEP_SUMMARY"
        ) from error
