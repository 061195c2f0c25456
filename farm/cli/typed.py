"""The command as it was typed, as it is kept: what is kept is read by others."""

from __future__ import annotations

import re
import sys

_PASSWORD = re.compile(r"(\w://[^\s:/@]*):\S*@")


def without_passwords(text: str) -> str:
    """`scheme://user:password@host` with `***` for the password, wherever it stands."""
    return _PASSWORD.sub(r"\1:***@", text)


def own_command() -> tuple[str, ...]:
    """The words of this process's command."""
    return ("farm", *map(without_passwords, sys.argv[1:]))
