"""Which cell of a run is compared with which of its baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from farm.compare.fingerprint import Side, changes, fingerprint
from farm.model.comparison import Change
from farm.model.run import CellResult, CellStatus, Results

Key = Callable[[CellResult], Hashable]

REST: dict[Change, Key] = {
    Change.BUILD: lambda cell: (cell.device, cell.model, cell.variant),
    Change.MODEL: lambda cell: (cell.device, cell.variant, cell.build),
    Change.VARIANT: lambda cell: (cell.device, cell.model, cell.build),
}
"""What two cells must share when one thing changes."""


@dataclass(frozen=True)
class Match:
    """`pairs` of a baseline's and a run's cells; the ids of those that have no partner."""

    pairs: tuple[tuple[CellResult, CellResult], ...]
    without_baseline: tuple[str, ...]
    not_in_run: tuple[str, ...]


def match(baseline: Results, run: Results, change: Change) -> Match:
    """Cells of the same name; then, of what is left, the only one on each side that shares all but what
    changes. Cells that neither run was to measure (skipped on both sides) are left out.
    """
    before, after = _own(baseline), _own(run)
    pairs = [(before[name], cell) for name, cell in after.items() if name in before]
    if change in REST:
        left = [cell for name, cell in before.items() if name not in after]
        right = [cell for name, cell in after.items() if name not in before]
        pairs += _single(left, right, REST[change])
    return Match(
        tuple(pair for pair in pairs if any(map(_was_meant, pair))),
        _alone(after.values(), {one.id for _, one in pairs}),
        _alone(before.values(), {one.id for one, _ in pairs}),
    )


def _own(results: Results) -> dict[str, CellResult]:
    """Cells by id, without those that have another run's bytes and those that are a cell's second name."""
    borrowed = {duel.baseline for duel in results.duels if duel.since is not None}
    doubles = {duel.candidate for duel in results.duels if duel.is_canary} - {
        duel.baseline for duel in results.duels if duel.is_canary
    }
    return {cell.id: cell for cell in results.cells if cell.id not in borrowed | doubles}


def _single(
    left: Sequence[CellResult], right: Sequence[CellResult], key: Key
) -> list[tuple[CellResult, CellResult]]:
    groups: defaultdict[Hashable, tuple[list[CellResult], list[CellResult]]] = defaultdict(lambda: ([], []))
    for side, cells in enumerate((left, right)):
        for cell in cells:
            groups[key(cell)][side].append(cell)
    return [(ones[0], others[0]) for ones, others in groups.values() if len(ones) == len(others) == 1]


def _alone(cells: Iterable[CellResult], met: set[str]) -> tuple[str, ...]:
    return tuple(cell.id for cell in cells if cell.id not in met and _was_meant(cell))


def _was_meant(cell: CellResult) -> bool:
    return cell.status is not CellStatus.SKIPPED


def found_change(baseline: Results, run: Results) -> Change:
    """What changed between two runs, found from what differs: the one change that explains the most cells.

    Where cells share their names, what their fingerprints say (bytes of the build, bytes of the model,
    options); else the change under which most cells find a partner. Of two that explain as many, build comes
    before model before variant.
    """
    same_names = match(baseline, run, Change.NOTHING).pairs
    if same_names:
        seen = Counter(
            change
            for before, after in same_names
            for change in changes(fingerprint(Side(baseline, before)), fingerprint(Side(run, after)))
        )
        return max(REST, key=lambda change: seen[change]) if seen else Change.NOTHING
    return max(REST, key=lambda change: len(match(baseline, run, change).pairs))
