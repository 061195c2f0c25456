"""Profiles of a run: those of the profile rounds of its cells, with the algorithms that their logs tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from farm.analysis.operators.ceilings import ceilings_of
from farm.dumps.malformed import MalformedError
from farm.dumps.profile import read_profile
from farm.errors import RequestError
from farm.logs.algorithms import MAX_LINE_CHARS, algorithms
from farm.model.matrix import RoundKind
from farm.model.operators import Ceilings, Profile
from farm.model.run import CellResult, Results, RoundResult, RoundStatus
from farm.store.runs import RunDirectory, file_of

PROFILE, LOG = "profile", "stderr"
"""Roles of files in results.json."""
MAX_LOG_LINES = 1_000_000


@dataclass(frozen=True)
class Source:
    """Profiles that belong together: the rounds of a cell, or one file. `end_to_end_ms` is the median of the
    cell's timed rounds; `problems` say which of its profiles cannot be read. `ceilings` are those of the run
    for what the cell computes with.
    """

    name: str
    profiles: tuple[Profile, ...]
    end_to_end_ms: float | None = None
    problems: tuple[str, ...] = ()
    ceilings: Ceilings | None = None


@dataclass(frozen=True)
class Profiled:
    """A cell of a run, those of its rounds that have a profile, and the ceilings that the run has for it."""

    cell: CellResult
    rounds: tuple[RoundResult, ...]
    ceilings: Ceilings | None = None


def profiled_cells(results: Results) -> tuple[Profiled, ...]:
    """The cells of a run that have profiles, in its order."""
    found = []
    for cell in results.cells:
        rounds = tuple(one for one in cell.rounds if one.kind is RoundKind.PROFILE and _has(one, PROFILE))
        if rounds:
            found.append(Profiled(cell, rounds, ceilings_of(results, cell)))
    return tuple(found)


def of_cell(directory: RunDirectory, one: Profiled) -> Source:
    """The profiles of a cell that can be read. Raises RequestError where none can."""
    profiles, problems = [], []
    told = _told_apart(directory, one.cell)
    for round_ in one.rounds:
        try:
            path = file_of(directory, next(item for item in round_.artifacts if item.role == PROFILE))
            profiles.append(read(path, told | algorithms(_log_lines(directory, round_))))
        except RequestError as error:
            if len(one.rounds) == 1:
                raise
            problems.append(str(error))
    if not profiles:
        raise RequestError(problems[0], hint="name another cell")
    summary = one.cell.summary
    name = f"{directory.run_id}:{one.cell.id}"
    end_to_end_ms = summary.median_ms if summary else None
    return Source(name, tuple(profiles), end_to_end_ms, tuple(problems), one.ceilings)


def size_of(directory: RunDirectory, one: Profiled) -> int:
    """Bytes of the profiles of a cell that are there."""
    size_bytes = 0
    for item in (item for round_ in one.rounds for item in round_.artifacts if item.role == PROFILE):
        with suppress(RequestError, OSError):
            size_bytes += file_of(directory, item).stat().st_size
    return size_bytes


def read(path: Path, known: dict[str, str] | None = None) -> Profile:
    """A profile from a file. Raises RequestError where it is none."""
    try:
        with path.open("rb") as file:
            return read_profile(file, known)
    except MalformedError as error:
        raise RequestError(f"{path}: {error}", hint="name a file that --profile wrote") from error
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", hint="name another file") from error


def _told_apart(directory: RunDirectory, cell: CellResult) -> dict[str, str]:
    """The algorithms that the log of a round with `--verbose` tells: that is a round of its own, which has
    the options of the profiled ones.
    """
    found: dict[str, str] = {}
    for one in cell.rounds:
        if one.kind is RoundKind.INFO and one.status is RoundStatus.COMPLETED:
            found |= algorithms(_log_lines(directory, one))
    return found


def _has(one: RoundResult, role: str) -> bool:
    return any(item.role == role for item in one.artifacts)


def _log_lines(directory: RunDirectory, one: RoundResult) -> Iterator[str]:
    """The log of a round; nothing where it is missing: then no algorithm is known."""
    for item in one.artifacts:
        if item.role != LOG:
            continue
        try:
            with file_of(directory, item).open("rb") as file:
                for line in islice(iter(lambda: file.readline(MAX_LINE_CHARS), b""), MAX_LOG_LINES):
                    yield line.decode("utf-8", "replace").rstrip("\r\n")
        except (OSError, RequestError):
            continue
