"""The command as it was typed: as it is kept, which others read, and in what is to be typed next."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from itertools import pairwise

TAKE = {
    "--inventory": (
        "bench", "bisect", "compare", "devices check", "devices clean", "devices discover", "devices list",
        "devices power", "devices provision", "devices quarantine", "devices release", "devices stability",
        "devices trust", "nightly", "plan", "release", "schedule add", "serve", "submit", "tune", "worker",
    ),
    "--runs-dir": (
        "bench", "bisect", "compare", "devices check", "devices quarantine", "devices restore",
        "devices stability", "dumps compare", "export", "history", "nightly", "plan", "profiles compare",
        "profiles show", "release", "report", "runs export", "runs fetch", "runs gc", "runs import",
        "runs index", "runs list", "runs resume", "runs show", "runs tag", "schedule add", "serve", "site",
        "submit", "tune",
    ),
}  # fmt: skip
"""The commands that take an option which says where things are. A test compares."""
_SHORT = {"--inventory": "-i"}
_PASSWORD = re.compile(r"(\w://[^\s:/]*):[^\n]*@")
"""As SQLAlchemy takes a URL apart: a user may have an `@`, a password a blank."""


def without_passwords(text: str) -> str:
    """`scheme://user:password@host` with `***` for the password, wherever it stands."""
    return _PASSWORD.sub(r"\1:***@", text)


def own_command() -> tuple[str, ...]:
    """The words of this process's command."""
    return ("farm", *map(without_passwords, sys.argv[1:]))


def hint_line(hint: str | None) -> str:
    """What to type next, with the places that this command was given: without them it would be of others."""
    text = hint or ""
    for option, commands in TAKE.items():
        value = _given(option)
        if value is not None:
            text = _with_option(text, commands, option, value)
    return f"  try: {text}"


def _with_option(text: str, commands: Sequence[str], option: str, value: str) -> str:
    """With the option behind each of the commands in a text that does not have it."""
    named = "|".join(map(re.escape, sorted(commands, key=len, reverse=True)))
    pattern = rf"\bfarm (?:{named})\b(?![^;(]*{option})"
    return re.sub(pattern, lambda at: f"{at[0]} {option} {shlex.quote(value)}", text)


def _given(option: str) -> str | None:
    short = _SHORT.get(option)
    words = [*sys.argv[1:], ""]
    for word, following in pairwise(words):
        if word in (option, short):
            return following or None
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
        if short and word.startswith(short) and len(word) > len(short):
            return word.removeprefix(short)
    return None
