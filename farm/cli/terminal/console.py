"""Output: results to stdout, progress, notes and errors to stderr."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

from farm.cli.terminal.streams import WIDEST
from farm.cli.typed import hint_line
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
        begins, _, typed = hint_line(error.hint).partition(": ")
        hint = Text(f"{begins}: ", style="bold")
        hint.append_text(plain(typed))
        err.print(hint)
