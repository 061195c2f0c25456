"""All runs of a folder: one reader for all pages, which reads what changed."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from farm.compare.outcome import decision
from farm.report.numerals import moment
from farm.serve.files import is_regular, run_folder
from farm.serve.follow import Follower
from farm.serve.nouns import Brief, RunNow, ShelfNow
from farm.store.guarded import UNREADABLE, results_within_bounds
from farm.store.journal import JOURNAL
from farm.store.rebuild import PLAN
from farm.store.runs import REPORT, RESULTS, RUN_ID, RunDirectory
from farm.visible import one_line, visible

MOST_FOLDERS = 10_000
"""That are looked at."""
MOST_SHOWN = 500
"""Runs that are over, in the list."""
MOST_FOLLOWED = 64
"""Journals at a time; of further runs that go on the list has the names."""
MOST_RESULTS_BYTES = 32 << 20
"""Of a results.json that is read for the list: about 50,000 rounds."""
READ_S = 0.5
"""For results that are new to the list, in one look: then it shows what it has."""
FOLLOW_S = 2.0
"""For journals, in one look."""
MOST_NAMES = 50
LONGEST = 300


_Stamps = tuple[tuple[int, int] | None, tuple[int, int] | None]
"""Of the journal and of the plan."""


class _Entry(NamedTuple):
    """A run's folder. `began_ns`: when run.json was written; `stamp` changes with results.json, None where
    there is none.
    """

    began_ns: int
    run_id: str
    stamp: tuple[int, int] | None


class Shelf:
    """For several threads: one at a time looks."""

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        self._guard = threading.Lock()
        self._naming = threading.Lock()
        self._looked: tuple[float, ShelfNow] | None = None
        self._followers: OrderedDict[str, Follower] = OrderedDict()
        self._briefs: dict[str, tuple[tuple[int, int], Brief]] = {}
        self._over: dict[str, tuple[_Stamps, Brief]] = {}

    def run(self, run_id: str) -> RunNow | None:
        """One run, from its journal; None where there is no such run."""
        folder = run_folder(self.runs_dir, run_id)
        if folder is None or not (is_regular(folder / JOURNAL) or is_regular(folder / RESULTS)):
            return None
        follower = self._follower(run_id)
        has_report = is_regular(folder / REPORT)
        if not is_regular(folder / JOURNAL):
            return RunNow(run_id, "ended", goes_on=False, problem="it has no journal", has_report=has_report)
        return replace(follower.look(), has_report=has_report)

    def recent(self, age_s: float) -> ShelfNow:
        """All runs as they were looked at last, where that is no longer ago."""
        looked = self._looked
        if looked is not None and time.monotonic() - looked[0] < age_s:
            return looked[1]
        return self.look()

    def look(self) -> ShelfNow:
        """All runs. Never raises for what the folder holds."""
        with self._guard:
            now = self._look()
            self._looked = (time.monotonic(), now)
            return now

    def _look(self) -> ShelfNow:
        try:
            entries, links = _entries(self.runs_dir)
        except FileNotFoundError:
            return ShelfNow()
        except OSError as error:
            return ShelfNow(problem=f"cannot read {self.runs_dir.name}: {error.strerror}")
        self._forget({one.run_id for one in entries})
        running, over, not_followed = self._running(one for one in entries if one.stamp is None)
        ended = [one for one in entries if one.stamp is not None]
        until = time.monotonic() + READ_S
        others = [*over, *(self._brief(one, until) for one in ended[:MOST_SHOWN])]
        others.sort(key=lambda one: (one.began_s, one.run_id), reverse=True)
        older = len(ended) - MOST_SHOWN
        return ShelfNow(tuple(running), tuple(others), max(0, older), links, not_followed)

    def _forget(self, known: set[str]) -> None:
        with self._naming:
            for kept in (self._followers, self._briefs, self._over):
                for name in [name for name in kept if name not in known]:
                    del kept[name]

    def _follower(self, run_id: str) -> Follower:
        with self._naming:
            follower = self._followers.get(run_id) or Follower(self.runs_dir / run_id)
            self._followers[run_id] = follower
            self._followers.move_to_end(run_id)
            while len(self._followers) > MOST_FOLLOWED:
                self._followers.popitem(last=False)
            return follower

    def _running(self, entries: Iterable[_Entry]) -> tuple[list[RunNow], list[Brief], int]:
        """Runs without results: those that go on, and those that a kill cut short, which are read once."""
        running: list[RunNow] = []
        over: list[Brief] = []
        rest = 0
        until = time.monotonic() + FOLLOW_S
        for entry in entries:
            folder = self.runs_dir / entry.run_id
            stamp = (_stamp(folder / JOURNAL), _stamp(folder / PLAN))
            kept = self._over.get(entry.run_id)
            if kept is not None and kept[0] == stamp:
                over.append(kept[1])
                continue
            if len(running) >= MOST_FOLLOWED - 8:  # the rest are for pages of single runs
                rest += 1
                continue
            if time.monotonic() >= until:  # those before are read to their end first
                over.append(Brief(entry.run_id, entry.began_ns / 1e9))
                continue
            now = self._follower(entry.run_id).look()
            if now.goes_on or now.behind_bytes:
                running.append(now)
                continue
            brief = _brief_of(now, entry, is_regular(folder / REPORT))
            over.append(brief)
            self._over[entry.run_id] = (stamp, brief)
        running.sort(key=lambda one: one.started_at, reverse=True)
        return running, over, rest

    def _brief(self, entry: _Entry, until: float) -> Brief:
        assert entry.stamp is not None, "only runs with results"
        kept = self._briefs.get(entry.run_id)
        if kept is not None and kept[0] == entry.stamp:
            return kept[1]
        if time.monotonic() >= until:
            return kept[1] if kept else Brief(entry.run_id, entry.began_ns / 1e9)
        brief = _read(self.runs_dir / entry.run_id, entry)
        self._briefs[entry.run_id] = (entry.stamp, brief)
        return brief


def _entries(runs_dir: Path) -> tuple[list[_Entry], int]:
    """The newest first, and how many links are left out. Raises OSError."""
    found: list[_Entry] = []
    links = 0
    with os.scandir(runs_dir) as entries:
        for _, entry in zip(range(MOST_FOLDERS), entries, strict=False):
            if not RUN_ID.match(entry.name):
                continue
            if entry.is_symlink():
                links += 1
                continue
            if not entry.is_dir(follow_symlinks=False):
                continue
            folder = Path(entry.path)
            stamp = _stamp(folder / RESULTS)
            began = _stamp(folder / PLAN) or stamp
            if stamp is not None or _stamp(folder / JOURNAL) is not None:
                found.append(_Entry(began[0] if began else 0, entry.name, stamp))
    return sorted(found, reverse=True), links


def _stamp(path: Path) -> tuple[int, int] | None:
    """Of a file, and no link to one."""
    try:
        found = path.lstat()
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size) if is_regular(path) else None


def _read(folder: Path, entry: _Entry) -> Brief:
    """Never raises for what a folder holds."""
    brief = Brief(entry.run_id, entry.began_ns / 1e9, "unreadable", has_report=is_regular(folder / REPORT))
    if entry.stamp and entry.stamp[1] > MOST_RESULTS_BYTES:
        problem = f"{RESULTS} has more than {MOST_RESULTS_BYTES >> 20} MiB; its report has all of it"
        return replace(brief, status="ended", problem=problem)
    try:
        results = results_within_bounds(RunDirectory(folder))
        decided = decision(results)
    except UNREADABLE as error:
        return replace(brief, problem=one_line(str(error).replace(str(folder), folder.name), LONGEST))
    began = moment(results.started_at)
    return replace(
        brief,
        began_s=began.timestamp() if began else brief.began_s,
        status=str(results.status),
        decision=str(decided) if decided else None,
        cells=dict(Counter(str(cell.status) for cell in results.cells)),
        devices=_names(one.name for one in results.devices),
        models=_names(one.name for one in results.models),
    )


def _brief_of(now: RunNow, entry: _Entry, has_report: bool) -> Brief:
    began = moment(now.started_at)
    return Brief(
        now.run_id,
        began.timestamp() if began else entry.began_ns / 1e9,
        now.status,
        cells=dict(Counter(cell.state for cell in now.cells)),
        devices=_names(one.name for one in now.devices),
        models=_names(cell.model for cell in now.cells),
        problem=now.problem,
        has_report=has_report,
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(visible(name) for name in list(dict.fromkeys(names))[:MOST_NAMES])
