"""Where profiles come from: files, or the profile rounds of a cell of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from farm.dumps.malformed import MalformedError
from farm.dumps.profile import read_profile
from farm.errors import RequestError
from farm.logs.algorithms import MAX_LINE_CHARS, algorithms
from farm.model.artifact import Produced
from farm.model.matrix import RoundKind
from farm.model.operators import Profile
from farm.model.run import CellResult, RoundResult
from farm.store.runs import RunDirectory, find_run
from farm.suggest import nearest
from farm.visible import relative_href

PROFILE, LOG = "profile", "stderr"
"""Roles of files in results.json."""
MAX_LOG_LINES = 1_000_000
MAKE_ONE = "farm bench --variant 'profiled=--profile p.json' makes a profile of every cell"


@dataclass(frozen=True)
class Source:
    """Profiles that belong together: the rounds of a cell, or one file. `end_to_end_ms` is the median of the
    cell's timed rounds; `problems` say which of its profiles cannot be read.
    """

    name: str
    profiles: tuple[Profile, ...]
    end_to_end_ms: float | None = None
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Profiled:
    """A cell of a run and those of its rounds that have a profile."""

    cell: CellResult
    rounds: tuple[RoundResult, ...]


def source(text: str, runs_dir: Path) -> Source:
    """What `FILE`, `RUN:CELL`, or `RUN` of a run with one profiled cell means.

    Raises RequestError for anything else, and for a file that is no profile.
    """
    path = Path(text)
    if is_file(path):
        return Source(text, (read(path),))
    run, _, cell = text.partition(":")
    directory = find_run(runs_dir, run)
    one = choose(profiled(directory), cell or None, run)
    return of_cell(directory, one)


def is_file(path: Path) -> bool:
    """Something to read from, a pipe included."""
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # a name that is too long, or no name at all
        return False


def profiled(directory: RunDirectory) -> tuple[Profiled, ...]:
    """The cells of a run that have profiles, in its order. Raises RequestError when there are none."""
    found = []
    for cell in directory.results().cells:
        rounds = tuple(one for one in cell.rounds if one.kind is RoundKind.PROFILE and _has(one, PROFILE))
        if rounds:
            found.append(Profiled(cell, rounds))
    if not found:
        raise RequestError(f"run {directory.run_id} has no profiles", hint=MAKE_ONE)
    return tuple(found)


def choose(cells: tuple[Profiled, ...], cell: str | None, run: str) -> Profiled:
    """The cell of this id (device/model/variant), or the only one. Raises RequestError."""
    ids = [one.cell.id for one in cells]
    if cell is None and len(cells) == 1:
        return cells[0]
    if cell is None:
        raise RequestError(f"{len(cells)} cells of {run} have profiles", hint=f"add one of them: {ids[0]}")
    for one in cells:
        if one.cell.id == cell:
            return one
    raise RequestError(f"no cell {cell!r} of {run} has a profile", hint=f"{ids[0]}{nearest(cell, ids)}")


def of_cell(directory: RunDirectory, one: Profiled) -> Source:
    """The profiles of a cell that can be read. Raises RequestError where none can."""
    profiles, problems = [], []
    for round_ in one.rounds:
        try:
            path = _path(directory, next(item for item in round_.artifacts if item.role == PROFILE))
            profiles.append(read(path, algorithms(_log_lines(directory, round_))))
        except RequestError as error:
            if len(one.rounds) == 1:
                raise
            problems.append(str(error))
    if not profiles:
        raise RequestError(problems[0], hint="name another cell")
    summary = one.cell.summary
    name = f"{directory.run_id}:{one.cell.id}"
    return Source(name, tuple(profiles), summary.median_ms if summary else None, tuple(problems))


def read(path: Path, known: dict[str, str] | None = None) -> Profile:
    """A profile from a file. Raises RequestError where it is none."""
    try:
        with path.open("rb") as file:
            return read_profile(file, known)
    except MalformedError as error:
        raise RequestError(f"{path}: {error}", hint="name a file that --profile wrote") from error
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", hint="name another file") from error


def _has(one: RoundResult, role: str) -> bool:
    return any(item.role == role for item in one.artifacts)


def _path(directory: RunDirectory, produced: Produced) -> Path:
    """The file of a run; a name that leads out of it, or to something else than a file, is refused."""
    path = directory.path / produced.path
    try:
        usable = relative_href(produced.path) is not None and path.is_file()
    except (OSError, ValueError):
        usable = False
    if not usable:
        raise RequestError(f"{path} is missing", hint="the run is not complete; name another one")
    return path


def _log_lines(directory: RunDirectory, one: RoundResult) -> Iterator[str]:
    """The log of a round; nothing where it is missing: then no algorithm is known."""
    for item in one.artifacts:
        if item.role != LOG:
            continue
        try:
            with _path(directory, item).open("rb") as file:
                for line in islice(iter(lambda: file.readline(MAX_LINE_CHARS), b""), MAX_LOG_LINES):
                    yield line.decode("utf-8", "replace").rstrip("\r\n")
        except (OSError, RequestError):
            continue
