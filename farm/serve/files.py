"""Files of a run, for who may be anybody: no name and no link leads out of the run's folder."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

from farm.store.runs import RUN_ID

MOST_PARTS = 40
SHOWN_BYTES = 64 << 20
"""Of text that a browser shows; of a larger file there is a download."""
PAGES = re.compile(r"report\.html|cells/[^/]+\.html")
STYLES = re.compile(r"cells/[^/]+\.css")
TEXTS = (".txt", ".log", ".json", ".jsonl", ".csv", ".yaml")
NAMED_TEXTS = frozenset({"stdout", "stderr", "telemetry"})


@dataclass(frozen=True)
class Opened:
    """A file that is open for reading: who has it closes it."""

    file: FileIO
    size_bytes: int
    media_type: str
    is_page: bool


def run_folder(runs_dir: Path, run_id: str) -> Path | None:
    """The folder of a run of this name; None where there is none, or a link."""
    if not RUN_ID.match(run_id):
        return None
    path = runs_dir / run_id
    return path if is_folder(path) else None


def is_folder(path: Path) -> bool:
    """Whether it is a folder itself, and no link to one."""
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def is_regular(path: Path) -> bool:
    """Whether it is a file itself, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def open_file(folder: Path, name: str) -> Opened | None:
    """A file of a run; links are followed inside of the folder only. None where there is no such file."""
    parts = name.split("/")
    if len(parts) > MOST_PARTS or {"", ".", ".."} & set(parts) or "\0" in name:
        return None
    try:
        root = Path(os.path.realpath(folder))
        inside = Path(os.path.realpath(folder / name)).relative_to(root).parts
        handle = _opened(root, inside)
    except (OSError, ValueError):
        return None
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        return None
    media_type, is_page = _media_type(name, found.st_size)
    return Opened(FileIO(handle), found.st_size, media_type, is_page)


def _opened(root: Path, parts: tuple[str, ...]) -> int:
    """Part by part, none of which is a link any more. Raises OSError."""
    *folders, name = parts
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    with _folder(os.open(root, flags | os.O_DIRECTORY)) as handle:
        for one in folders:
            deeper = os.open(one, flags | os.O_DIRECTORY, dir_fd=handle[0])
            os.close(handle[0])
            handle[0] = deeper
        return os.open(name, flags | os.O_NONBLOCK, dir_fd=handle[0])


@contextmanager
def _folder(first: int) -> Iterator[list[int]]:
    handle = [first]
    try:
        yield handle
    finally:
        os.close(handle[0])


def _media_type(name: str, size_bytes: int) -> tuple[str, bool]:
    """Markup only where farm writes some; what a device wrote is text, or a download."""
    if PAGES.fullmatch(name):
        return "text/html; charset=utf-8", True
    if STYLES.fullmatch(name):
        return "text/css; charset=utf-8", False
    last = name.rpartition("/")[2]
    if size_bytes <= SHOWN_BYTES and (last.endswith(TEXTS) or last in NAMED_TEXTS):
        return "text/plain; charset=utf-8", False
    return "application/octet-stream", False
