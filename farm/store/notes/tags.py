"""Tags: names that people give to runs, as `release-1.13`. A file each in `.tags/` of the folder of the runs,
so that they go where the runs go; a tagged run is never expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from farm.errors import RequestError
from farm.store.notes.files import LONGEST_TEXT, Notes, is_name
from farm.suggest import nearest
from farm.visible import one_line

FOLDER = ".tags"
PREFIX = "tag:"
"""What a tag is written with where a run is asked for: `tag:release-1.13`."""


@dataclass(frozen=True)
class Tag:
    """`run` is the name of the run's folder, `at` when it got the tag (ISO 8601, UTC)."""

    name: str
    run: str
    at: str
    note: str = ""


def _notes(runs_dir: Path) -> Notes:
    return Notes(runs_dir / FOLDER, "the tag", ("run", "at", "note"), "farm runs tag RUN {name} --move")


def all_tags(runs_dir: Path) -> tuple[Tag, ...]:
    """By name. Raises RequestError for one that cannot be read: what it protects is not known then."""
    notes = _notes(runs_dir)
    return tuple(Tag(name, **notes.read(name)) for name in notes.names())


def has_tag(runs_dir: Path, name: str) -> bool:
    """Whether there is such a tag, readable or not."""
    return _notes(runs_dir).has(name)


def tagged(runs_dir: Path, name: str) -> Tag:
    """Raises RequestError where there is no such tag, or it cannot be read."""
    notes = _notes(runs_dir)
    if not notes.has(name):
        raise RequestError(
            f"no tag {name!r} in {runs_dir}{nearest(name, notes.names())}",
            hint="farm runs tag lists them; farm runs tag RUN NAME makes one",
        )
    return Tag(name, **notes.read(name))


def set_tag(runs_dir: Path, name: str, run: str, note: str = "", *, is_moved: bool = False) -> Tag:
    """Give a run a tag. Raises RequestError for a name that cannot be one, or that another run has already
    and that is not to be moved; RunError for disk errors.
    """
    notes = _notes(runs_dir)
    if not is_name(name):
        raise RequestError(
            f"invalid tag {name!r}", hint="use letters, digits, dot, dash, plus and underscore"
        )
    if one_line(run, LONGEST_TEXT) != run:
        raise RequestError(
            f"the run {one_line(run, 100)} cannot have a tag: its name is no plain text",
            hint="rename its folder",
        )
    if notes.has(name) and not is_moved:
        other = notes.read(name)["run"]
        if other != run:
            raise RequestError(
                f"{name} is a tag of the run {other}", hint="--move, or another name; nothing was changed"
            )
    at = datetime.now(UTC).isoformat(timespec="seconds")
    return Tag(name, **notes.write(name, {"run": run, "at": at, "note": note}))


def remove_tag(runs_dir: Path, name: str) -> Tag:
    """Raises RequestError where there is no such tag, RunError for disk errors."""
    tag = tagged(runs_dir, name)
    _notes(runs_dir).remove(name)
    return tag
