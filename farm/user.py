"""Who runs this process."""

from __future__ import annotations

import getpass
import os
from pathlib import Path


def own_user() -> str:
    """The login name, any text; in a container a user may have a number and no name: `uid-12345`."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def own_home() -> Path:
    """The home folder; the root where a user without a name has none."""
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")
