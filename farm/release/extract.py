"""Results -> what a release report keeps of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from sys import intern

from farm.compare.outcome import asked, canaries, decision, is_unknown
from farm.compare.runs import TwoRuns
from farm.export.cells import safe
from farm.model.build import CANARY, INVENTORY_BUILD
from farm.model.comparison import Change, Comparison, Verdict
from farm.model.device import Facts
from farm.model.matrix import RoundKind
from farm.model.outputs import OutputCheck, OutputVerdict
from farm.model.run import CellResult, CellStatus, DeviceRecord, Results, RunStatus
from farm.release.nouns import NOT_COMPARED, By, Compared, Name, RunFacts, Unmeasured, Wrong
from farm.report.compose import is_large
from farm.report.parts.environment import in_short
from farm.visible import one_line

CHANGES = {Change.BUILD: By.BUILD, Change.VARIANT: By.VARIANT, Change.MODEL: By.MODEL}
LONGEST = 600
"""Characters of a sentence or a reason."""

DIGITS = 12
MOST_PROGRAMS = 20

UNFINISHED = {
    RunStatus.RUNNING: "it was still going when this report was written",
    RunStatus.INTERRUPTED: "it was interrupted",
}


def facts_of(results: Results, number: int, folder: Path) -> RunFacts:
    """Never raises for what a file may hold."""
    names = [_name(cell) for cell in results.cells]
    places = {cell.id: place for place, cell in enumerate(results.cells)}
    seen = canaries(results.comparisons)
    run_id = safe(results.run_id)
    held = [_held(one, names, places, number, run_id) for one in asked(results.comparisons)]
    decided = decision(results)
    return RunFacts(
        number,
        run_id,
        folder,
        notes=_notes(results),
        status=str(results.status),
        started_at=safe(results.started_at),
        farm_version=safe(results.farm_version),
        decision=None if decided is None else str(decided),
        max_undecided=results.comparing.max_undecided,
        minimum_effect=results.comparing.minimum_effect,
        is_large=is_large(results),
        has_checks=any(one.kind is RoundKind.CHECK for cell in results.cells for one in cell.rounds),
        cells=tuple(names),
        doubles=_doubles(results, places),
        compared=tuple(one for one in held if isinstance(one, Compared)),
        canaries=seen.total,
        canaries_changed=seen.changed,
        wrong=wrong_of(results.outputs, names, places, number),
        unmeasured=tuple(_unmeasured(results, names, number)),
        devices={safe(one.name): _kind(one.facts) for one in results.devices},
        environment={safe(one.name): _environment(one) for one in results.devices},
        programs=_programs(results),
        lost=sum(one == _LOST for one in held),
        other=sum(one == _OTHER for one in held),
    )


def _environment(device: DeviceRecord) -> tuple[tuple[str, str], ...]:
    return tuple((intern(label), intern(one_line(safe(text), LONGEST))) for label, text in in_short(device))


_LOST, _OTHER = "lost", "other"


def _name(cell: CellResult) -> Name:
    return Name(*(intern(safe(text)) for text in (cell.device, cell.model, cell.variant, cell.build)))


def _held(
    one: Comparison, names: list[Name], places: Mapping[str, int], number: int, run_id: str
) -> Compared | str:
    after, before = places.get(one.candidate), places.get(one.baseline)
    if after is None or (before is None and one.baseline_run is None):
        return _LOST
    if one.baseline_run is not None:
        made = _compared(one, names[after], names[after], number, after)
        return replace(made, by=By.RUN, old=intern(safe(one.baseline_run)), new=intern(run_id))
    by = CHANGES.get(one.change)
    if by is None or before is None:
        return _OTHER
    made = _compared(one, names[before], names[after], number, after)
    place = {By.BUILD: 3, By.VARIANT: 2, By.MODEL: 1}[by]
    return replace(made, by=by, old=names[before][place], new=names[after][place])


def _compared(one: Comparison, named: Name, candidate: Name, number: int, place: int) -> Compared:
    effect = one.effect
    is_told = one.verdict is not Verdict.UNCHANGED
    made = Compared(
        named,
        candidate,
        By.RUN,
        "",
        "",
        one.verdict,
        number,
        place,
        is_fresh=one.confirm is not None,
        old_ms=one.baseline_ms,
        new_ms=one.candidate_ms,
        sentence=intern(one_line(one.sentence, LONGEST)) if is_told else "",
        differences=tuple(intern(one_line(text, LONGEST)) for text in one.differences),
    )
    if effect is None:
        return made
    return replace(
        made,
        ratio=effect.ratio,
        low=effect.low,
        high=effect.high,
        p=effect.p,
        n=effect.n,
        is_paired=effect.is_paired,
    )


def _doubles(results: Results, places: Mapping[str, int]) -> frozenset[int]:
    """Cells that have another run's bytes, and those that are another cell's second name."""
    borrowed = {duel.baseline for duel in results.duels if duel.since is not None}
    second = {duel.candidate for duel in results.duels if duel.is_canary}
    second -= {duel.baseline for duel in results.duels}
    return frozenset(places[name] for name in borrowed | second if name in places)


def _unmeasured(results: Results, names: list[Name], number: int) -> Iterable[Unmeasured]:
    for place, cell in enumerate(results.cells):
        if cell.status is not CellStatus.COMPLETED and cell.build != CANARY:
            reason = cell.error or cell.reason or cell.cause or ""
            yield Unmeasured(names[place], number, place, str(cell.status), intern(one_line(reason, LONGEST)))


def _notes(results: Results) -> tuple[str, ...]:
    said = [UNFINISHED[results.status]] if results.status in UNFINISHED else []
    return (*said, *(f"not all is here: {one_line(loss, LONGEST)}" for loss in results.losses[:5]))


def _kind(facts: Facts | None) -> str:
    """`aarch64`, `x86_64`; with its GPU where it has one."""
    known = facts or Facts()
    gpus = sorted({gpu.name for gpu in known.gpus})
    return intern(safe(" + ".join((known.architecture or "unknown architecture", *gpus))))


def _programs(results: Results) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    devices = {one.name: one for one in results.devices}
    for cell in results.cells:
        engine = next((one.engine for one in cell.rounds if one.engine), None)
        if engine is None and cell.device in devices and cell.build == INVENTORY_BUILD.name:
            engine = devices[cell.device].engine
        parts = (engine or "", f"files {cell.runtime_digest[:DIGITS]}" if cell.runtime_digest else "")
        if text := ", ".join(filter(None, parts)):
            found.setdefault(intern(safe(cell.build)), {})[safe(text)] = None
    return {build: tuple(texts)[:MOST_PROGRAMS] for build, texts in found.items()}


def wrong_of(
    checks: Iterable[OutputCheck],
    names: list[Name],
    places: Mapping[str, int],
    number: int,
    version: Callable[[Name], Name] = lambda name: name,
) -> tuple[Wrong, ...]:
    """Outputs that are wrong, and those that could not be compared though somebody asked for it."""
    found = []
    for one in checks:
        is_open = is_unknown(one)
        if one.verdict is not OutputVerdict.WRONG and not is_open:
            continue
        place = places.get(one.cell)
        named = names[place] if place is not None else Name(safe(one.device), safe(one.cell), "", "")
        against = f"{one.against} {one.reference}" if one.reference else str(one.against)
        found.append(
            Wrong(version(named), number, place, safe(against), one_line(one.sentence, LONGEST), is_open)
        )
    return tuple(found)


def of_two_runs(
    two: TwoRuns, old: Results, new: Results, facts: tuple[RunFacts, RunFacts]
) -> tuple[list[Compared], list[Unmeasured]]:
    """What `farm compare` says of two runs, `facts` being theirs: the old one's, the new one's. And the cells
    of the old one that the new one does not have.
    """
    before, after = ({cell.id: place for place, cell in enumerate(one.cells)} for one in (old, new))
    then, now = facts
    compared = []
    for one in two.comparisons:
        here, there = after.get(one.candidate), before.get(one.baseline)
        if here is None:
            continue
        candidate = now.cells[here]
        named = then.cells[there] if there is not None else candidate
        made = _compared(one, named, candidate, now.number, here)
        compared.append(replace(made, by=By.RUN, old=then.run_id, new=now.run_id))
    reason = intern(f"run {now.run_id} has no such cell")
    alone = [
        Unmeasured(then.cells[place], then.number, place, NOT_COMPARED, reason)
        for name in two.not_in_run
        if (place := before.get(name)) is not None
    ]
    return compared, alone
