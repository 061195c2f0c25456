"""Where words go: results to stdout, everything about the work to stderr."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

from farm.errors import FarmError
from farm.visible import visible

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)


def plain(text: str, style: str = "") -> Text:
    """Text that is printed as it is: no markup, no control codes."""
    return Text(visible(text), style=style)


def say(text: str, style: str = "") -> None:
    """A line about the work."""
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
    """Machine-readable output on stdout, nothing else with it."""
    print(json.dumps(value, indent=1, default=str))  # noqa: T201 - rich would wrap it
