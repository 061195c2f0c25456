"""The runs of a release from disk, one at a time; one that cannot be read is a finding."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

from farm.compare.runs import TwoRuns, compare_runs
from farm.errors import FarmError, RequestError
from farm.export.cells import safe
from farm.model.outputs import OutputCheck
from farm.model.run import CellStatus, Results
from farm.release.decide import Between
from farm.release.extract import facts_of, of_two_runs, wrong_of
from farm.release.nouns import NOT_COMPARED, By, Compared, RunFacts, Unmeasured
from farm.release.versions import Step, Versions
from farm.store.guarded import MARKS, UNREADABLE, regular, results_within_bounds
from farm.store.runs import REPORT, RunDirectory, find_run

Told: TypeAlias = Callable[[str, int, int], None]
"""Label, runs that are done, runs of all."""

Outputs: TypeAlias = Callable[[RunDirectory, RunDirectory, TwoRuns], Sequence[OutputCheck]]
"""Compares the outputs of two runs, the old one first."""


def directories(runs_dir: Path, names: Sequence[str]) -> tuple[list[RunDirectory], dict[str, int]]:
    """The runs that were named, each once, and the place of each by what the user called it. Raises
    RequestError where there is no such run, or where two have one name.
    """
    found: list[RunDirectory] = []
    places: dict[str, int] = {}  # by the folder's path
    aliases: dict[str, int] = {}
    for name in names:
        directory = _directory(runs_dir, name)
        real = os.path.realpath(directory.path)
        if real not in places:
            for other in map(Path, places):
                if other.name == Path(real).name:
                    raise RequestError(
                        f"two runs are called {other.name}: {other} and {real}",
                        hint="rename one of the folders",
                    )
            places[real] = len(found)
            found.append(directory)
        aliases[safe(name)] = places[real]
    return found, aliases


def _directory(runs_dir: Path, name: str) -> RunDirectory:
    try:
        return find_run(runs_dir, name)
    except RequestError:
        for path in (runs_dir / name, Path(name)):
            if any(_is_there(path / mark) for mark in MARKS):
                return RunDirectory(path)  # a run, though a broken one
        raise


def _is_there(path: Path) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:
        return False


def read_all(found: Sequence[RunDirectory], told: Told) -> list[RunFacts]:
    """What is kept of each; its results are not."""
    runs: list[RunFacts] = []
    for number, directory in enumerate(found):
        told("reading runs", number, len(found))
        runs.append(_read(directory, number, {run.run_id for run in runs}))
        gc.collect(0)
    told("reading runs", len(found), len(found))
    return runs


def _read(directory: RunDirectory, number: int, taken: set[str]) -> RunFacts:
    folder = directory.path
    name = safe(Path(os.path.realpath(folder)).name)
    try:
        facts = facts_of(results_within_bounds(directory), number, folder)
    except UNREADABLE as error:
        problem = safe(str(error).replace(str(folder), name) or type(error).__name__)
        return RunFacts(number, name, folder, problem=problem, has_report=_has_report(directory))
    if facts.run_id in taken:  # a copy, or a file of another run
        note = f"its results say that they are of run {facts.run_id}, as those of another folder do"
        facts = replace(facts, run_id=name, notes=(*facts.notes, note))
    return replace(facts, has_report=_has_report(directory))


def _has_report(directory: RunDirectory) -> bool:
    return regular(directory.path / REPORT) is not None


def compare_all(
    found: Sequence[RunDirectory],
    runs: Sequence[RunFacts],
    versions: Versions,
    outputs: Outputs,
    told: Told,
) -> dict[int, Between]:
    """By the place of a step: its runs, where no run holds their comparison. Two are in memory at a time."""
    if versions.by is not By.RUN:
        return {}
    made = {}
    for place, step in enumerate(versions.steps):
        told("comparing runs", place, len(versions.steps))
        pairs = list(_pairs(runs, step))
        if pairs or not step.is_held:
            made[place] = _between(found, runs, step, pairs, outputs)
        gc.collect(0)
    told("comparing runs", len(versions.steps), len(versions.steps))
    return made


def _pairs(runs: Sequence[RunFacts], step: Step) -> Iterable[tuple[RunFacts, RunFacts]]:
    """Runs that share a device, those with the same old one together, without those that were compared."""
    for old in _members(runs, step.old.members):
        for new in _members(runs, step.new.members):
            is_held = any(one.by is By.RUN and one.old == old.run_id for one in new.compared)
            if not is_held and {one.device for one in old.cells} & {one.device for one in new.cells}:
                yield old, new


def _between(
    found: Sequence[RunDirectory],
    runs: Sequence[RunFacts],
    step: Step,
    pairs: Sequence[tuple[RunFacts, RunFacts]],
    outputs: Outputs,
) -> Between:
    parts: list[Between] = []
    for old, group in groupby(pairs, key=lambda pair: pair[0]):
        try:
            before = results_within_bounds(found[old.number])
        except UNREADABLE as error:
            parts.append(Between(problems=(f"run {old.run_id} cannot be read: {safe(str(error))}",)))
            continue
        parts.extend(_two(found, pair, before, outputs) for pair in group)
    return _joined(parts, step, runs)


def _members(runs: Iterable[RunFacts], members: frozenset[str]) -> list[RunFacts]:
    return [run for run in runs if run.run_id in members and not run.problem]


def _two(
    found: Sequence[RunDirectory], facts: tuple[RunFacts, RunFacts], before: Results, outputs: Outputs
) -> Between:
    old, new = facts
    try:
        after = results_within_bounds(found[new.number])
        two = compare_runs(before, after, after.comparing)
    except RequestError as error:
        return Between(
            problems=(f"runs {old.run_id} and {new.run_id} cannot be compared: {safe(str(error))}",)
        )
    except UNREADABLE as error:
        return Between(problems=(f"run {new.run_id} cannot be read: {safe(str(error))}",))
    compared, alone = of_two_runs(two, before, after, facts)
    problems: tuple[str, ...] = ()
    checks: Sequence[OutputCheck] = ()
    if old.has_checks and new.has_checks:
        try:
            checks = outputs(found[old.number], found[new.number], two)
        except FarmError as error:
            problems = (
                f"outputs of runs {old.run_id} and {new.run_id} cannot be compared: {safe(str(error))}",
            )
    places = {cell.id: place for place, cell in enumerate(after.cells)}
    wrong = wrong_of(checks, list(new.cells), places, new.number)
    return Between(tuple(compared), tuple(alone), 0, wrong, problems)


def _is_of(one: Compared, step: Step) -> bool:
    return one.by is By.RUN and one.old in step.old.members


def _joined(parts: Sequence[Between], step: Step, runs: Sequence[RunFacts]) -> Between:
    """A cell that one of several runs has a partner for is not alone; one on a device that no older run has,
    is. What a run compared by itself is its own business.
    """
    newer = _members(runs, step.new.members)
    held = [one for run in newer for one in run.compared if _is_of(one, step)]
    compared = tuple(one for part in parts for one in part.compared)
    met = {name for one in (*compared, *held) for name in (one.named, one.candidate)}
    themselves = {one.run for one in held}
    alone = {one.named: one for part in parts for one in part.alone if one.named not in met}
    without = 0
    for run in (one for one in newer if one.number not in themselves):
        skipped = {one.named for one in run.unmeasured if one.what == CellStatus.SKIPPED}
        for place, name in enumerate(run.cells):
            if name in met or name in skipped or place in run.doubles:
                continue
            reason = f"{step.old.name} has no such cell"
            alone[name] = Unmeasured(name, run.number, place, NOT_COMPARED, reason)
            without += 1
    problems = tuple(problem for part in parts for problem in part.problems)
    if not parts and not step.is_held:
        problems = (f"{step.new.name} and {step.old.name} share no device",)
    return Between(
        compared,
        tuple(alone.values()),
        without,
        tuple(one for part in parts for one in part.wrong),
        problems,
    )
