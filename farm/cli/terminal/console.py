"""Output: results to stdout, progress, notes and errors to stderr."""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

from farm.cli.terminal.streams import WIDEST
from farm.errors import FarmError
from farm.visible import visible


def _console(stream: TextIO | None, *, stderr: bool) -> Console:
    """Tables are folded at the width of a terminal; where there is none, a row is a line: for scripts."""
    is_terminal = stream is not None and stream.isatty()
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=None if is_terminal else WIDEST)


out = _console(sys.stdout, stderr=False)
err = _console(sys.stderr, stderr=True)


def plain(text: str, style: str = "") -> Text:
    """Text that is printed as it is: no markup, no control codes."""
    return Text(visible(text), style=style)


def say(text: str, style: str = "") -> None:
    """Print a line of progress or a note, on stderr."""
    err.print(plain(text, style))


def show_error(error: FarmError) -> None:
    """What happened, and what to type next. The only place that prints an error."""
    line = Text("error: ", style="bold red")
    line.append_text(plain(str(error)))
    err.print(line)
    if error.hint:
        hint = Text("  try: ", style="bold")
        hint.append_text(plain(error.hint))
        err.print(hint)


def show_json(value: Any) -> None:
    """Print JSON on stdout; a command with --json prints nothing else there."""
    print(json.dumps(value, indent=1, default=_fields))  # noqa: T201 - rich would wrap it


def _fields(value: Any) -> Any:
    """Of a dataclass, not copied as `asdict` would; the text of anything else that JSON does not know."""
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return str(value)
