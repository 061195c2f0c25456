"""Which versions a release report shows, in which order, and which is compared with which. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.errors import RequestError
from farm.export.cells import safe
from farm.release.nouns import By, RunFacts, version_of
from farm.report.numerals import moment
from farm.suggest import nearest

MOST_VERSIONS = 20


@dataclass(frozen=True)
class Version:
    """`members` are the names of builds, variants or models, or the ids of runs, that are this version."""

    name: str
    members: frozenset[str]


@dataclass(frozen=True)
class Step:
    """What a version is compared with. `is_held`: a run has these comparisons; else two runs are compared
    where they are runs.
    """

    old: Version
    new: Version
    is_held: bool


@dataclass(frozen=True)
class Versions:
    """From the oldest to the newest, with a step for each after the first."""

    by: By
    names: tuple[Version, ...]
    steps: tuple[Step, ...]


Edges = Counter[tuple[str, str]]


def choose(runs: Sequence[RunFacts], asked: Sequence[str], aliases: Mapping[str, str]) -> Versions:
    """`asked` are the versions as the user wrote them, `NAME` or `NAME=MEMBER+MEMBER`, the oldest first;
    none: those that the runs compare, or else the runs themselves in the order in which they began.
    `aliases` are the names by which the user called runs, with their ids.

    Raises RequestError where there are no two versions, or it is not clear which ones are meant.
    """
    held = _held(runs)
    by, versions = _asked(runs, held, asked, aliases) if asked else _found(runs, held)
    if len(versions) > MOST_VERSIONS:
        raise RequestError(
            f"{len(versions)} versions are too many for one report",
            hint=f"--versions OLD,NEW   (at most {MOST_VERSIONS})",
        )
    steps = tuple(_step(versions, place, held[by]) for place in range(1, len(versions)))
    return Versions(by, tuple(versions), steps)


def _held(runs: Sequence[RunFacts]) -> dict[By, Edges]:
    found: dict[By, Edges] = {by: Counter() for by in By}
    for run in runs:
        for one in run.compared:
            found[one.by][one.old, one.new] += 1
    return found


def _step(versions: Sequence[Version], place: int, edges: Edges) -> Step:
    """With the first version or, where no run compared these two, with the nearest one before it that it was
    compared with.
    """
    new = versions[place]
    for old in (versions[0], *versions[place - 1 : 0 : -1]):
        if any(edges[one, other] for one in old.members for other in new.members):
            return Step(old, new, is_held=True)
    return Step(versions[0], new, is_held=False)


# --------------------------------------------------------------------------- as the user says


def _asked(
    runs: Sequence[RunFacts], held: Mapping[By, Edges], asked: Sequence[str], aliases: Mapping[str, str]
) -> tuple[By, list[Version]]:
    wanted = [_parsed(text) for text in asked]
    names = [name for name, _ in wanted]
    if len(wanted) < 2 or len(set(names)) < len(names):
        raise RequestError(
            f"--versions {','.join(asked)} does not name two or more different versions",
            hint="--versions OLD,NEW   (the oldest first)",
        )
    known = _known(runs, held)
    for by in sorted(known, key=lambda one: -held[one].total()):
        found = [_resolved(version, known[by], aliases if by is By.RUN else {}) for version in wanted]
        if all(version.members <= known[by] for version in found):
            return by, found
    everything = set().union(*known.values(), aliases)
    odd = next((member for _, members in wanted for member in members if member not in everything), names[-1])
    told = "; ".join(f"{by}s: {', '.join(sorted(one)[:8])}" for by, one in known.items() if one)
    raise RequestError(
        f"no version {odd!r} in these runs{nearest(odd, everything)}"
        if odd not in everything
        else f"{', '.join(names)} are not versions of one kind",
        hint=f"--versions takes two or more of one line, the oldest first: {told}",
    )


def _parsed(text: str) -> tuple[str, list[str]]:
    name, equals, members = text.partition("=")
    return safe(name.strip()), [safe(one.strip()) for one in (members if equals else name).split("+")]


def _resolved(wanted: tuple[str, list[str]], known: frozenset[str], aliases: Mapping[str, str]) -> Version:
    name, members = wanted
    if name in known and members == name.split("+"):
        return Version(name, frozenset({name}))  # a name that has a plus in it
    return Version(name, frozenset(one if one in known else aliases.get(one, one) for one in members))


def _known(runs: Sequence[RunFacts], held: Mapping[By, Edges]) -> dict[By, frozenset[str]]:
    known = {
        by: {version_of(name, by, run.run_id) for run in runs for name in run.cells}
        for by in (By.BUILD, By.VARIANT, By.MODEL)
    }
    known[By.RUN] = {run.run_id for run in runs} | {old for old, _ in held[By.RUN]}
    return {by: frozenset(known[by]) for by in By}


# --------------------------------------------------------------------------- as the runs say


def _found(runs: Sequence[RunFacts], held: Mapping[By, Edges]) -> tuple[By, list[Version]]:
    by = max(By, key=lambda one: held[one].total())
    if held[by] and by is not By.RUN:
        names = _ordered(held[by], by)
    else:
        by, given = By.RUN, [run.run_id for run in _in_time(runs)]
        names = list(dict.fromkeys([*(old for old, _ in held[by] if old not in given), *given]))
    if len(names) < 2:
        raise RequestError(
            f"run {names[0] if names else ''} compared nothing",
            hint="name a second run, or measure both: farm bench --ab old,new --build old --build new",
        )
    return by, [Version(name, frozenset({name})) for name in names]


def _in_time(runs: Sequence[RunFacts]) -> list[RunFacts]:
    """By their start; where one does not say it (it cannot be read), in the order in which the user named
    them.
    """
    if any(moment(run.started_at) is None for run in runs):
        return list(runs)
    return sorted(runs, key=lambda run: _seconds(run.started_at))


def _seconds(text: str) -> float:
    found = moment(text)
    return found.timestamp() if found else 0.0


def _ordered(edges: Edges, by: By) -> list[str]:
    """Each baseline before what was compared with it, else in the order in which they were met."""
    names = list(dict.fromkeys(name for edge in edges for name in edge))
    told = ", ".join(f"{old} with {new}" for old, new in list(edges)[:4])
    hint = f"--versions {names[0]},{names[-1]}   (the oldest first)"
    if not _is_connected(names, edges):
        raise RequestError(f"these runs compare {by}s that have nothing in common: {told}", hint=hint)
    ordered: list[str] = []
    while len(ordered) < len(names):
        left = [name for name in names if name not in ordered]
        ready = next(
            (name for name in left if not any(old in left for old, new in edges if new == name)), None
        )
        if ready is None:
            raise RequestError(f"these runs compare {by}s in both directions: {told}", hint=hint)
        ordered.append(ready)
    return ordered


def _is_connected(names: Sequence[str], edges: Edges) -> bool:
    met, front = {names[0]}, [names[0]]
    while front:
        here = front.pop()
        for edge in edges:
            if here in edge:
                front += [name for name in edge if name not in met]
                met |= set(edge)
    return len(met) == len(names)
