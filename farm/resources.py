"""Finds asset folders: `agents` and `reports` in a wheel or beside `farm/`, `bundled` in `farm/`."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import platformdirs

from farm.errors import RunError
from farm.files import private_folder, user_path

_PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """The folder `name`. Raises RunError when this installation lacks it."""
    for path in (_PACKAGE / "_data" / name, _PACKAGE / name, _PACKAGE.parent / name):
        if path.is_dir():
            return path
    raise RunError(
        f"this installation of farm is broken: its folder {name}/ is missing", hint="reinstall farm"
    )


def cache_folder() -> Path:
    """Where farm keeps what it can fetch or make again: $FARM_CACHE_DIR, else the user's cache folder.

    Made for its user only where it can be; whoever writes into it meets the error where it cannot.
    """
    chosen = os.environ.get("FARM_CACHE_DIR")
    path = (user_path(chosen) if chosen else platformdirs.user_cache_path("farm")).absolute()
    with contextlib.suppress(OSError):
        private_folder(path)
    return path
