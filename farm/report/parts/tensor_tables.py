"""Tensors of a run: operators x cells, N devices and variants side by side against their references."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from farm.model.outputs import Against, Divergence, EveryTensor, OutputCheck, TensorNote
from farm.model.run import CellResult, Results
from farm.report.figures.thin import name_of
from farm.report.numerals import count
from farm.report.parts.cell import anchors_of
from farm.report.parts.tensors import LONGEST_NAME, MARKS, command_of, decibels, operator_text
from farm.report.views.common import Fact, Status
from farm.report.views.tensors import OperatorAcross, TensorBox, TensorColumn, Tensors, TensorTable
from farm.visible import one_line

MOST_TABLES = 8
MOST_COLUMNS = 12
MOST_ROWS = 30
MOST_PROBLEMS = 5

SHADES_DB = (40.0, 20.0, 10.0)
"""Beyond the tolerance: below each of these the next shade begins."""

TITLES = {
    Against.BASELINE: "against the baseline",
    Against.VARIANT: "against the first variant of the same device",
    Against.DEVICE: "against the first device with the same variant",
}

EQUAL = Status("equal", "=", "equal")
ALONE = Status("alone", "\N{EN DASH}", "no partner")
ALONE_OR_EQUAL = Status("not-kept", "\N{MIDDLE DOT}", "equal, or no partner")
NOT_KEPT = Status("not-kept", "\N{MIDDLE DOT}", "not kept")


@dataclass(frozen=True)
class _Column:
    """A check whose tensors were compared, of a cell that the run has."""

    check: OutputCheck
    every: EveryTensor
    cell: CellResult


def tensors_of_run(results: Results) -> Tensors | None:
    """None where no tensors were to be compared."""
    checks = [one for one in results.outputs if one.every is not None]
    if not checks:
        return None
    cells = {cell.id: cell for cell in results.cells}
    compared = [one for one in checks if one.every and one.every.problem is None]
    odd = [one for one in compared if one.every and _differs(one.every)]
    groups: dict[tuple[str, Against], list[OutputCheck]] = {}
    for check in odd:
        if check.cell in cells and check.every and check.every.tensors:  # former versions kept none
            groups.setdefault((cells[check.cell].model, check.against), []).append(check)
    tables = (
        _table(results, against, found, cells) for (_, against), found in list(groups.items())[:MOST_TABLES]
    )
    agreeing = f"{len(compared) - len(odd):,} of {count(len(compared), 'comparison')}"
    return Tensors(
        summary=f"{agreeing} found no difference, not in a bit, in any tensor that has a partner.",
        tables=tuple(tables),
        left_out=max(len(groups) - MOST_TABLES, 0),
        problems=_problems(checks),
    )


def _differs(every: EveryTensor) -> bool:
    return bool(every.tensors or every.left_out or every.beyond)


def _problems(checks: Sequence[OutputCheck]) -> tuple[Fact, ...]:
    why = Counter(one.every.problem for one in checks if one.every and one.every.problem)
    return tuple(
        Fact(count(number, "comparison"), one_line(text, 4 * LONGEST_NAME))
        for text, number in why.most_common(MOST_PROBLEMS)
    )


def _table(
    results: Results, against: Against, checks: Sequence[OutputCheck], cells: Mapping[str, CellResult]
) -> TensorTable:
    """Of one model. Those whose tensors diverge have the first columns."""
    order = sorted(checks, key=lambda one: not (one.every and one.every.beyond))[:MOST_COLUMNS]
    columns = [_Column(one, one.every or EveryTensor(), cells[one.cell]) for one in order]
    anchors = anchors_of(results)
    names, left_rows = _operators(columns)
    of_first = (order[0].reference, order[0].baseline_run)
    same = [one.cell for one in order if (one.reference, one.baseline_run) == of_first]
    left = (
        count(len(checks) - len(order), "cell") if len(checks) > len(order) else "",
        count(left_rows, "operator") if left_rows else "",
    )
    return TensorTable(
        title=name_of(f"{columns[0].cell.model} {TITLES.get(against, f'against {against}')}", LONGEST_NAME),
        columns=tuple(
            TensorColumn(
                name_of(f"{one.cell.device} {one.cell.column}"),
                anchors.get(one.check.cell),
                _reference(one, cells),
            )
            for one in columns
        ),
        rows=tuple(
            OperatorAcross(name_of(name, LONGEST_NAME), tuple(_box(one, name) for one in columns))
            for name in names
        ),
        note=f"Not shown: {' and '.join(filter(None, left))}." if any(left) else None,
        command=command_of(results, order[0], *same),
    )


def _reference(one: _Column, cells: Mapping[str, CellResult]) -> str:
    found = cells.get(one.check.reference)
    if one.check.baseline_run or found is None:
        run = f" of run {one.check.baseline_run}" if one.check.baseline_run else ""
        return name_of(f"{one.check.reference}{run}", LONGEST_NAME)
    return name_of(f"{found.device} {found.column}")


def _operators(columns: Sequence[_Column]) -> tuple[list[str], int]:
    """Names of the operators that tell most, in the order of the graph; how many more there are."""
    places: dict[str, int] = {}
    ranks: dict[str, tuple[int, float]] = {}
    for one in columns:
        for number, note in enumerate(one.every.tensors):
            name = _name(note)
            places[name] = min(places.get(name, note.place), note.place)
            rank = _rank(note, is_first=number == one.every.first)
            ranks[name] = min(ranks.get(name, rank), rank)
    chosen = sorted(ranks, key=lambda name: (ranks[name], places[name]))[:MOST_ROWS]
    return sorted(chosen, key=lambda name: places[name]), len(ranks) - len(chosen)


def _name(note: TensorNote) -> str:
    """By the reference's operator: options rename those of a candidate."""
    return note.reference or operator_text(note)


_CLASSES = {Divergence.INTRODUCED: 1, Divergence.RECOVERED: 2, Divergence.INHERITED: 3, None: 4}


def _rank(note: TensorNote, *, is_first: bool) -> tuple[int, float]:
    """The first that diverges, what introduces or recovers, then the noisiest."""
    noise = math.inf if note.snr_db is None else note.snr_db
    return (0 if is_first else _CLASSES.get(note.divergence, 5), noise)


def _box(one: _Column, name: str) -> TensorBox:
    """The worst tensor of an operator in a cell. What is not kept is equal only where all that differ are."""
    found = [(number, note) for number, note in enumerate(one.every.tensors) if _name(note) == name]
    if not found:
        return TensorBox(_absent(one.every, name), "", 0, is_first=False)
    number, note = min(found, key=lambda entry: _rank(entry[1], is_first=entry[0] == one.every.first))
    has_noise = note.snr_db is not None or note.mismatches > 0
    return TensorBox(
        MARKS[note.divergence],
        decibels(note.snr_db) if has_noise else "",
        _shade(note),
        is_first=number == one.every.first,
    )


def _absent(every: EveryTensor, name: str) -> Status:
    if name in every.only_reference or name in every.only_candidate:
        return ALONE
    if every.left_out:
        return NOT_KEPT
    return EQUAL if every.names_all_unmatched else ALONE_OR_EQUAL


def _shade(note: TensorNote) -> int:
    if note.problem or not note.mismatches:
        return 0
    noise = -math.inf if note.snr_db is None else note.snr_db
    return 1 + sum(noise < limit for limit in SHADES_DB)
