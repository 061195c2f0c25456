"""Where the database is. Apart from it, since SQLAlchemy takes a third of a second to import."""

from __future__ import annotations

import os
from pathlib import Path

from farm.visible import one_line

LONGEST_PATH = 4096
VARIABLE = "FARM_DATABASE"
FILE = "farm.db"
"""The default: this file in the folder of the runs."""


def database_of(runs_dir: Path, named: str | None = None) -> str:
    """A file or a URL: as it is named, else as the environment has it, else in the folder of the runs."""
    return named or os.environ.get(VARIABLE) or str(runs_dir / FILE)


def is_there(where: str) -> bool:
    """Whether there may be a database; of another machine's nobody knows."""
    return "://" in where or Path(where).is_file()


def folder_of(runs_dir: Path) -> str:
    """What a database calls a folder of runs: its real path, as text."""
    return one_line(os.path.realpath(runs_dir), LONGEST_PATH)
