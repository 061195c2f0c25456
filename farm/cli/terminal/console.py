"""Where words go: results to stdout, everything about the work to stderr."""

from __future__ import annotations

import json
import re
from typing import Any

from rich.console import Console
from rich.text import Text

from farm.errors import FarmError

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def clean(text: str) -> str:
    """Text from a device or a file, made harmless for a terminal: no escape or control codes."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def plain(text: str, style: str = "") -> Text:
    """Text that is printed as it is: no markup, no control codes."""
    return Text(clean(text), style=style)


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
