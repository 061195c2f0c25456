"""`farm runs gc`: what of which runs may go, and its removal. What cannot be judged stays."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.errors import FarmError
from farm.files import private_folder
from farm.store.guarded import UNREADABLE, results_within_bounds
from farm.store.journal import JOURNAL, has_writer
from farm.store.manifest import MANIFEST
from farm.store.notes.tags import all_tags
from farm.store.retention.rules import Rules, kept
from farm.store.runs import RESULTS, RunDirectory
from farm.store.sources import Source, started_s

GONE = ".gone"
"""A folder for what is being removed, beside it: a farm that was killed meanwhile leaves it to the next."""

LARGE = ("cells", "artifacts", JOURNAL, MANIFEST)
"""What goes of an expired run: logs, profiles, dumps, and what refers to kept files. Results and report
stay, so that the history has it for ever.
"""


@dataclass(frozen=True)
class Judged:
    """A run: `reason` says why it stays (None: it is expired), `size_bytes` is what its removal frees."""

    directory: RunDirectory
    reason: str | None
    size_bytes: int = 0

    @property
    def is_expired(self) -> bool:
        return self.reason is None


def judged(
    runs_dir: Path, found: Sequence[Source], rules: Rules, now_s: float, *, whole: bool
) -> list[Judged]:
    """Each run of a folder, the oldest first. Tagged runs, and those that go on, always stay.

    Raises RequestError where a tag cannot be read.
    """
    tags = {tag.run: tag.name for tag in reversed(all_tags(runs_dir))}
    started = {one.key: started_s(one.directory) for one in found}
    stay = kept(list(started.items()), rules, now_s)
    return [
        _judged(one, tags.get(one.directory.run_id), stay.get(one.key), whole=whole)
        for one in sorted(found, key=lambda one: started[one.key])
    ]


def _judged(source: Source, tag: str | None, rule: str | None, *, whole: bool) -> Judged:
    directory = source.directory
    reason = f"tagged {tag}" if tag else rule
    if reason is None and has_writer(directory.path / JOURNAL):
        reason = "it goes on"
    if reason is None and directory.path.is_symlink():
        reason = "a link to another place"
    if reason is not None:
        return Judged(directory, reason)
    size_bytes = sum(map(_size, [directory.path] if whole else list(_large(directory.path))))
    if not whole and not any(True for _ in _large(directory.path)):
        return Judged(directory, "nothing of it is large")
    return Judged(directory, None, size_bytes)


def remove(directory: RunDirectory, *, whole: bool) -> None:
    """All of a run, or what is large of it. Results that are only in the journal are written first.

    Raises FarmError where its results cannot be read (whole runs are not looked at), OSError.
    """
    if whole:
        _remove(directory.path, directory.path.parent)
        return
    try:
        results = results_within_bounds(directory)
    except UNREADABLE as error:
        raise FarmError(f"its results cannot be read: {error}", hint="--whole removes all of it") from error
    if results.losses or not (directory.path / RESULTS).is_file():
        directory.write_results(results)  # the journal may be all that has them
    for path in _large(directory.path):
        _remove(path, directory.path)


def remove_leftovers(runs_dir: Path) -> None:
    """What a farm that was killed had begun to remove whole."""
    shutil.rmtree(runs_dir / GONE, ignore_errors=True)


def _large(folder: Path) -> Iterator[Path]:
    return (path for name in (*LARGE, GONE) if os.path.lexists(path := folder / name))


def _remove(path: Path, folder: Path) -> None:
    """In one step for who looks; a link itself, never what it leads to."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    if path.name != GONE:
        private_folder(folder / GONE)
        path.rename(folder / GONE / secrets.token_hex(8))
    shutil.rmtree(folder / GONE)


def _size(path: Path) -> int:
    """Of a file, or of all files of a folder, without following links."""
    if path.is_symlink() or not path.is_dir():
        return _bytes(path)
    folders = os.walk(path)
    return sum(_bytes(Path(folder, name)) for folder, _, names in folders for name in names)


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
