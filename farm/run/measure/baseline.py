"""Old and new bytes in one lease: the plan of a bench with a baseline.

The old side comes from what was kept of its run (farm.plan.baseline); what of it is gone is a skipped cell
with the reason, and its comparison stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from farm.compare.fingerprint import Side, fingerprint
from farm.compare.match import match
from farm.compare.rounds import values_ms
from farm.errors import RequestError
from farm.model.build import BASELINE, INVENTORY_BUILD
from farm.model.comparison import Change, Duel, Earlier
from farm.model.device import Device
from farm.model.matrix import Cell, Plan, RoundKind, Skip
from farm.model.run import CellResult, Results
from farm.plan.baseline import Gone, baseline_cells
from farm.plan.checks.apply import checked_as
from farm.run.planned import Origin, planned_results
from farm.store.cache.kept import KeptStore
from farm.store.runs import RunDirectory

AGAIN = frozenset({RoundKind.TIMED, RoundKind.SETUP})


@dataclass(frozen=True)
class Former:
    """A run that is on disk."""

    directory: RunDirectory
    results: Results


def with_baseline(plan: Plan, former: Former, kept: KeptStore) -> Plan:
    """The plan with a duel of each of its cells against the same one of an earlier run.

    The old cells are measured only where the screen does not show that nothing changed. Raises RequestError
    where the two have no cell in common. Reads and hashes files: not for the event loop.
    """
    results = former.results
    twins = {duel.candidate for duel in plan.duels if duel.is_canary}
    cells = [cell for cell in plan.cells if cell.id not in twins]
    planned = planned_results("", replace(plan, cells=tuple(cells), skips=()), Origin("", (), ""))
    partners = {after.id: before for before, after in match(results, planned, Change.BUILD).pairs}
    if not partners:
        raise RequestError(
            f"no common cell: run {results.run_id} has none of the devices, models and variants of this plan",
            hint=f"farm runs show {results.run_id}",
        )
    olds = old_cells(former, list(partners.values()), plan.devices, kept)
    sides = [_side(cell, partners.get(cell.id), olds, former) for cell in cells]
    return _with(plan, sides)


@dataclass(frozen=True)
class OldSide:
    """The old side of a duel: a cell to measure or the reason why there is none, and its earlier rounds."""

    old: Cell | Skip
    duel: Duel
    earlier: Earlier | None = None


def old_cells(
    former: Former, wanted: Sequence[CellResult], devices: Sequence[Device], kept: KeptStore
) -> Mapping[str, Cell | Gone]:
    """By the id that a cell had then."""
    results = replace(former.results, cells=tuple(wanted))
    found = baseline_cells(former.directory, results, devices, kept)
    return {was.id: one for was, one in zip(wanted, found, strict=True)}


def _side(cell: Cell, was: CellResult | None, olds: Mapping[str, Cell | Gone], former: Former) -> OldSide:
    run = former.results.run_id
    if was is None:
        skip = Skip(
            cell.device, cell.model, cell.variant, f"run {run} has no such cell", old_name(cell.build)
        )
        return OldSide(skip, Duel(skip.id, cell.id, Change.BUILD, since=run))
    found = olds[was.id]
    old: Cell | Skip
    if isinstance(found, Gone):
        old = Skip(cell.device, cell.model, cell.variant, found.reason, old_name(was.build))
    else:
        old = checked_as(without_observers(found), cell)
    duel = Duel(old.id, cell.id, _changed(cell, was, former.results), since=run)
    return OldSide(old, duel, earlier_of(old.id, former.results, was))


def without_observers(cell: Cell) -> Cell:
    """An old cell with the rounds that it has once more: no profiles, no dumps."""
    return replace(cell, rounds=tuple(one for one in cell.rounds if one.kind in AGAIN))


def old_name(build: str) -> str:
    """The build of a cell with the bytes of another run, as farm.plan.baseline has it."""
    return BASELINE if build == INVENTORY_BUILD.name else f"{BASELINE}-{build}"


def _changed(cell: Cell, was: CellResult, results: Results) -> Change:
    """What a comparison is about: the model or the options where they are others, else the build."""
    models = {model.name: model.sha256 for model in results.models}
    if models.get(was.model) != cell.model.artifact.sha256:
        return Change.MODEL
    return Change.BUILD if was.options == cell.variant.options.as_dict() else Change.VARIANT


def earlier_of(cell: str, results: Results, was: CellResult) -> Earlier | None:
    """What a run has of one of its cells, under the id that it gets; None where no round counts."""
    values = values_ms(was).values
    known = tuple(fingerprint(Side(results, was)).items())
    return Earlier(cell, results.run_id, values, known) if values else None


def _with(plan: Plan, sides: Iterable[OldSide]) -> Plan:
    """The plan with these, each old cell beside its new one."""
    old = {side.duel.candidate: side for side in sides}
    cells: list[Cell] = []
    for cell in plan.cells:
        side = old.get(cell.id)
        cells += [side.old, cell] if side and isinstance(side.old, Cell) else [cell]
    return replace(
        plan,
        cells=tuple(cells),
        skips=(*plan.skips, *(side.old for side in old.values() if isinstance(side.old, Skip))),
        duels=(*plan.duels, *(side.duel for side in old.values())),
        earlier=(*plan.earlier, *(side.earlier for side in old.values() if side.earlier is not None)),
    )
