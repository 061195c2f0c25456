"""What each version comes to: its comparisons, what is wrong or was not measured, the decision. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.means import Mean, geometric_mean
from farm.compare.outcome import (
    DECISIONS,
    Canaries,
    Decision,
    code_of_counts,
    judged_canaries,
    weight,
)
from farm.compare.words import SYMBOLS
from farm.errors import ExitCode
from farm.model.comparison import Verdict
from farm.release.nouns import By, Compared, Key, RunFacts, Unmeasured, Wrong, key_of, version_of
from farm.release.versions import Step, Versions

ORDER = {verdict: place for place, verdict in enumerate(SYMBOLS)}
DECIDED = frozenset({Verdict.SLOWER, Verdict.FASTER, Verdict.UNCHANGED})
UNKNOWN_KIND = "unknown device"


@dataclass(frozen=True)
class Between:
    """What `farm compare` says of the runs of a step: comparisons, cells without a partner, of which
    those `without` a baseline count as undecided, outputs, and runs that could not be compared.
    """

    compared: tuple[Compared, ...] = ()
    alone: tuple[Unmeasured, ...] = ()
    without: int = 0
    wrong: tuple[Wrong, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Column:
    """A version against the one that it is compared with. `cells` has one comparison each, `again` those of
    cells that were measured more than once and came out in another way. `total` is the number of the new
    version's cells, `compared` how many of these have an effect; `missing` could not be compared at all.
    """

    step: Step
    cells: Mapping[Key, Compared]
    again: tuple[tuple[Key, tuple[Compared, ...]], ...]
    counts: Mapping[Verdict, int]
    canaries: Canaries
    wrong: tuple[Wrong, ...]
    missing: int
    max_undecided: int
    minimum_effect: float
    total: int
    compared: int
    code: ExitCode

    @property
    def decision(self) -> Decision:
        return DECISIONS[self.code]

    def ranked(self, *verdicts: Verdict) -> list[tuple[Key, Compared]]:
        """What changed first, within a verdict by significance times size, as `farm compare` has it."""
        chosen = [(key, one) for key, one in self.cells.items() if not verdicts or one.verdict in verdicts]
        return sorted(chosen, key=lambda pair: (ORDER[pair[1].verdict], -_weight(pair[1])))


@dataclass(frozen=True)
class Release:
    """`columns`: one for each version after the first; the last one decides. `wrong` are wrong outputs of
    all its versions, the newest version's first; `findings` are what the reader must know of the runs.
    """

    runs: tuple[RunFacts, ...]
    versions: Versions
    columns: tuple[Column, ...]
    wrong: tuple[Wrong, ...]
    unmeasured: tuple[Unmeasured, ...]
    findings: tuple[str, ...]

    @property
    def last(self) -> Column:
        return self.columns[-1]

    def kind_of(self, device: str) -> str:
        found = (run.devices[device] for run in reversed(self.runs) if device in run.devices)
        return next(found, UNKNOWN_KIND)


def decide(
    runs: Sequence[RunFacts],
    versions: Versions,
    between: Mapping[int, Between],
    max_undecided: int | None = None,
) -> Release:
    """`between` has, by the place of a step that no run holds, what comparing the runs gave.
    `max_undecided` None: as many as the runs of a column allow together.
    """
    found = [
        _column(runs, versions.by, step, between.get(place, Between()), max_undecided)
        for place, step in enumerate(versions.steps)
    ]
    newest = found[-1].step.new.members
    shown = frozenset().union(*(version.members for version in versions.names))
    wrong = [one for run in runs for one in run.wrong if _version(one, versions.by, runs) in shown]
    wrong += [one for part in between.values() for one in part.wrong]
    wrong.sort(key=lambda one: (one.is_unknown, _version(one, versions.by, runs) not in newest))
    last = versions.steps[-1]
    compared = {one.candidate for one in found[-1].cells.values()}
    unmeasured = [
        one
        for run in runs
        for one in run.unmeasured
        if _version(one, versions.by, runs) in last.old.members | newest
    ]
    unmeasured += [
        one for one in between.get(len(versions.steps) - 1, Between()).alone if one.named not in compared
    ]
    return Release(
        tuple(runs),
        versions,
        tuple(found),
        tuple(wrong),
        tuple(unmeasured),
        tuple(_findings(runs, versions, between, found)),
    )


def _version(one: Wrong | Unmeasured, by: By, runs: Sequence[RunFacts]) -> str:
    return version_of(one.named, by, runs[one.run].run_id)


def _column(runs: Sequence[RunFacts], by: By, step: Step, between: Between, most: int | None) -> Column:
    compared = list(_of_step(runs, by, step, between))
    cells, again = _merged(compared, by)
    concerned = {one.run for one in compared}
    parts = [run for run in runs if run.number in concerned]
    seen = judged_canaries(sum(run.canaries for run in parts), sum(run.canaries_changed for run in parts))
    found = Counter(one.verdict for one in cells.values())
    counts = {verdict: found[verdict] for verdict in SYMBOLS}
    checks = [one for run in runs for one in run.wrong if _version(one, by, runs) in step.new.members]
    checks += between.wrong
    wrong = tuple(one for one in checks if not one.is_unknown)
    missing = between.without + (len(checks) - len(wrong)) + sum(run.lost for run in runs)
    allowed = sum(run.max_undecided for run in parts) if most is None else most
    code = code_of_counts(counts, seen, allowed, missing)
    is_blind = not cells or any(run.problem for run in runs) or bool(between.problems)
    if code is ExitCode.OK and is_blind:
        code = ExitCode.UNDECIDED
    measured = {one.candidate for one in cells.values() if one.ratio is not None}
    own = {name for run in runs for name in run.own() if version_of(name, by, run.run_id) in step.new.members}
    return Column(
        step,
        cells,
        again,
        counts,
        seen,
        wrong,
        missing,
        allowed,
        max((run.minimum_effect for run in parts), default=0.03),
        len(own | measured),
        len(measured),
        ExitCode.REGRESSION if wrong else code,
    )


def _of_step(runs: Sequence[RunFacts], by: By, step: Step, between: Between) -> Iterable[Compared]:
    for run in runs:
        for one in run.compared:
            if one.by is by and one.old in step.old.members and one.new in step.new.members:
                yield one
    yield from between.compared


def _merged(
    compared: Iterable[Compared], by: By
) -> tuple[dict[Key, Compared], tuple[tuple[Key, tuple[Compared, ...]], ...]]:
    """One comparison for each cell. Of a cell that was measured more than once, what decides it comes before
    what does not; that it is slower, before all else: measuring again does not undo a confirmed regression.
    Of equal ones the last counts.
    """
    met: dict[Key, Compared] = {}
    twice: defaultdict[Key, list[Compared]] = defaultdict(list)
    for one in compared:
        key = key_of(one.named, by)
        other = met.get(key)
        if other is not None:
            twice[key] = [*(twice[key] or [other]), one]
        if other is None or _strength(one) >= _strength(other):
            met[key] = one
    again = ((key, tuple(ones)) for key, ones in twice.items() if len({one.verdict for one in ones}) > 1)
    return met, tuple(again)


def _strength(one: Compared) -> int:
    if one.verdict is Verdict.SLOWER:
        return 3
    if one.verdict in DECIDED:
        return 2
    return int(one.verdict is Verdict.INCONCLUSIVE)


def _weight(one: Compared) -> float:
    return 0.0 if one.ratio is None else weight(one.p, one.ratio)


def _findings(
    runs: Sequence[RunFacts],
    versions: Versions,
    between: Mapping[int, Between],
    columns: Sequence[Column],
) -> Iterable[str]:
    for run in runs:
        if run.problem:
            yield f"run {run.run_id} cannot be read: {run.problem}"
        for note in run.notes:
            yield f"run {run.run_id}: {note}"
        if run.lost:
            yield f"run {run.run_id}: {run.lost} comparisons name cells that it does not have"
    for part in between.values():
        yield from part.problems
    taken = {one.run for column in columns for one in column.cells.values()}
    taken |= {run.number for run in runs for one in versions.steps if run.run_id in one.old.members}
    for run in runs:
        if not run.problem and run.number not in taken:
            yield f"run {run.run_id} has no comparison of these versions"
    shown = {(step.old.members, step.new.members) for step in versions.steps}
    others = Counter(
        f"{one.by}s {one.old} and {one.new}"
        for run in runs
        for one in run.compared
        if one.by is not versions.by or not any(one.old in old and one.new in new for old, new in shown)
    )
    for what, number in others.most_common(5):
        yield f"not part of this report: {number} comparisons of the {what}"
    for step in versions.steps:
        if not step.is_held and versions.by is not By.RUN:
            yield f"no run compared {step.new.name} with {step.old.name} or another version before it"


# --------------------------------------------------------------------------- groups


@dataclass(frozen=True)
class Group:
    """The cells of a column that share a device, a class of devices or a model."""

    name: str
    counts: Mapping[Verdict, int]
    mean: Mean | None
    cells: int


def groups(column: Column, name_of: Mapping[Key, str], within: str) -> list[Group]:
    """The groups with regressions first. `name_of` has the group of each cell; `within` is the part of a key
    (`model` or `device`) whose cells are related.
    """
    members: defaultdict[str, list[tuple[Key, Compared]]] = defaultdict(list)
    for key, one in column.cells.items():
        members[name_of[key]].append((key, one))
    found = [_group(name, cells, within) for name, cells in members.items()]
    return sorted(found, key=lambda one: [-one.counts[verdict] for verdict in SYMBOLS] + [0])


def _group(name: str, cells: Sequence[tuple[Key, Compared]], within: str) -> Group:
    ratios: defaultdict[str, list[float]] = defaultdict(list)
    for key, one in cells:
        if one.ratio is not None and one.verdict is not Verdict.INVALID:
            ratios[getattr(key, within)].append(one.ratio)
    tally = Counter(one.verdict for _, one in cells)
    counts = {verdict: tally[verdict] for verdict in SYMBOLS}
    return Group(name, counts, geometric_mean(ratios), len(cells))
