"""The plan that confirms what two runs, which are over, leave open: the bytes of both in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from farm.compare.runs import TwoRuns
from farm.errors import RequestError
from farm.model.comparison import Comparing, Comparison, Duel, Earlier, Verdict
from farm.model.device import Device
from farm.model.matrix import Cell, Plan, Sampling
from farm.model.run import CellResult
from farm.plan.baseline import Gone
from farm.run.measure.baseline import Former, earlier_of, old_cells, without_observers
from farm.store.cache.kept import KeptStore


@dataclass(frozen=True)
class Confirming:
    """How a confirmation is measured and decided."""

    sampling: Sampling
    comparing: Comparing
    seed: int


class NothingError(RequestError):
    """Nothing is to be confirmed, or nothing can be: the comparisons stay as they are."""


@dataclass(frozen=True)
class _Pair:
    """Two cells to measure, with what is known of them."""

    duel: Duel
    cells: tuple[Cell, Cell]
    earlier: tuple[Earlier, ...]


def plan_of_confirmation(
    old: Former, new: Former, compared: TwoRuns, devices: Sequence[Device], kept: KeptStore, how: Confirming
) -> Plan:
    """Both runs' bytes in pairs, wherever their rounds do not show that nothing changed.

    There is no screen: the rounds of the two runs were it. What is gone of a cell leaves its comparison as
    it is. Raises NothingError where nothing is to be confirmed, or nothing can be. Reads and hashes files:
    not for the event loop.
    """
    names = f"{old.results.run_id} and {new.results.run_id}"
    undecided = [one for one in compared.comparisons if one.verdict is Verdict.INCONCLUSIVE]
    if not undecided:
        raise NothingError(f"nothing to confirm: no cell differs between {names} that is not decided")
    olds = _Side(old, [one.baseline for one in undecided], devices, kept)
    news = _Side(new, [one.candidate for one in undecided], devices, kept)
    found = [_pair(one, olds, news) for one in undecided]
    pairs = [one for one in found if isinstance(one, _Pair)]
    if not pairs:
        reasons = "; ".join(dict.fromkeys(one for one in found if isinstance(one, str)))
        raise NothingError(
            f"nothing can be confirmed of {names}: {reasons}",
            hint="farm bench --baseline RUN measures what is new against what is left of RUN",
        )
    return _plan(pairs, devices, how)


class _Side:
    """The cells of one run that are to be measured again, by the id that they had."""

    def __init__(self, run: Former, ids: Sequence[str], devices: Sequence[Device], kept: KeptStore) -> None:
        results = {cell.id: cell for cell in run.results.cells}
        self.run = run
        self.was: Mapping[str, CellResult] = {key: results[key] for key in ids if key in results}
        self.now = old_cells(run, list(self.was.values()), devices, kept)


def _pair(one: Comparison, olds: _Side, news: _Side) -> _Pair | str:
    """What is measured of a comparison, or why it cannot be."""
    for side, key in ((olds, one.baseline), (news, one.candidate)):
        found = side.now.get(key)
        if found is None or isinstance(found, Gone):
            return f"{key} of {side.run.results.run_id}: {found.reason if found else 'no such cell'}"
    before, after = olds.now[one.baseline], news.now[one.candidate]
    assert isinstance(before, Cell)
    assert isinstance(after, Cell)
    was, now = olds.was[one.baseline], news.was[one.candidate]
    after = replace(after, build=now.build)
    known = (
        earlier_of(before.id, olds.run.results, was),
        earlier_of(after.id, news.run.results, now),
    )
    return _Pair(
        Duel(before.id, after.id, one.change, since=olds.run.results.run_id),
        (without_observers(before), without_observers(after)),
        tuple(side for side in known if side is not None),
    )


def _plan(pairs: Sequence[_Pair], devices: Sequence[Device], how: Confirming) -> Plan:
    cells = {cell.id: cell for pair in pairs for cell in pair.cells}
    used = {cell.device.name for cell in cells.values()}
    models = {cell.model.name: cell.model for cell in cells.values()}
    variants = {cell.variant.name: cell.variant for cell in cells.values()}
    return Plan(
        tuple(device for device in devices if device.name in used),
        tuple(models.values()),
        tuple(variants.values()),
        tuple(cells.values()),
        (),
        how.sampling.rounds,
        how.seed,
        duels=tuple(pair.duel for pair in pairs),
        comparing=how.comparing,
        sampling=how.sampling,
        earlier=tuple({one.cell: one for pair in pairs for one in pair.earlier}.values()),
    )
