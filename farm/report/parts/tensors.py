"""Tensors of a run: of each cell against its reference, for its details."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence

from farm.model.outputs import Divergence, EveryTensor, OutputCheck, TensorDifference, TensorNote
from farm.model.run import Results
from farm.report.demand import Found, OnDemand
from farm.report.figures.thin import name_of
from farm.report.numerals import MISSING
from farm.report.parts.cell import anchors_of
from farm.report.views.common import Fact, Status
from farm.report.views.tensors import TensorRow, TensorsAgainst
from farm.visible import cleaned, one_line, visible

MOST_REFERENCES = 4
MOST_ROWS = 20
LONGEST_NAME = 120

MARKS: Mapping[Divergence | None, Status] = {
    Divergence.INTRODUCED: Status("introduced", "\N{BLACK UP-POINTING TRIANGLE}", "introduced"),
    Divergence.INHERITED: Status("inherited", "\N{DOWNWARDS ARROW WITH TIP RIGHTWARDS}", "inherited"),
    Divergence.RECOVERED: Status("recovered", "\N{CHECK MARK}", "recovered"),
    Divergence.AGREES: Status("agrees", "\N{ALMOST EQUAL TO}", "within tolerance"),
    None: Status("unknown", "?", "not comparable"),
}


def tensors_of_cells(results: Results) -> Mapping[str, Found]:
    """The section `tensors` of each cell whose tensors were to be compared."""
    by_cell: dict[str, list[OutputCheck]] = defaultdict(list)
    for check in results.outputs:
        if check.every is not None:
            by_cell[check.cell].append(check)
    anchors = anchors_of(results)

    def make(cell: str) -> Found:
        return {"tensors": tuple(_against(one, results, anchors) for one in by_cell[cell][:MOST_REFERENCES])}

    return OnDemand(list(by_cell), make)


def command_of(results: Results, check: OutputCheck, *cells: str) -> str:
    """What shows every tensor of cells of this run that have the same reference. Made visible: to be read."""
    reference = f"{check.baseline_run or results.run_id}:{check.reference}"
    named = (f"{results.run_id}:{one}" for one in cells)
    return visible(shlex.join(("farm", "dumps", "compare", reference, *named, "--all")))


def operator_text(note: TensorNote) -> str:
    """`conv1 (ConvolutionForward)`; the tensor's name where the dump has no operators."""
    if not note.operator_type:
        return note.operator or note.tensor or MISSING
    return f"{note.operator} ({note.operator_type})"


def decibels(snr_db: float | None) -> str:
    return MISSING if snr_db is None else f"{snr_db:.1f}"


def _against(check: OutputCheck, results: Results, anchors: Mapping[str, str]) -> TensorsAgainst:
    said = cleaned(check)
    every = said.every or EveryTensor()
    is_here = check.baseline_run is None
    name = said.reference if is_here else f"{said.reference} of run {said.baseline_run}"
    shown = [_row(one, is_first=place == every.first) for place, one in _telling(every)]
    more = len(every.tensors) - len(shown) + every.left_out
    return TensorsAgainst(
        against=f"{said.against} {name}",
        anchor=anchors.get(check.reference) if is_here else None,
        sentence=every.problem or every.sentence,
        counts=() if every.problem else _counts(every),
        rows=tuple(shown),
        left=f"and {more:,} more that are not the same bit for bit" if more else None,
        unmatched=_unmatched(every),
        findings=every.findings,
        command=None if every.problem else command_of(results, check, check.cell),
    )


def _telling(every: EveryTensor) -> list[tuple[int, TensorNote]]:
    """The first that diverges, the worst, then those with another class than the one before, in the order of
    the graph. All others are in the table of the run.
    """
    kinds = (Divergence.INTRODUCED, Divergence.RECOVERED, None)
    numbered = list(enumerate(every.tensors))
    worst = [(place, one) for place, one in numbered if place == every.first or one.difference]
    others = [entry for entry in numbered if entry not in worst and entry[1].divergence in kinds]
    return sorted([*worst, *others][:MOST_ROWS], key=lambda entry: entry[0])


def _counts(every: EveryTensor) -> tuple[Fact, ...]:
    return (
        Fact("compared", f"{every.compared:,}"),
        Fact("beyond the tolerance", f"{every.beyond:,}"),
        Fact("introduced", f"{every.introduced:,}"),
        Fact("inherited", f"{every.inherited:,}"),
        Fact("recovered", f"{every.recovered:,}"),
        Fact("without a partner", f"{every.unmatched:,}"),
    )


def _unmatched(every: EveryTensor) -> tuple[Fact, ...]:
    named = (("only in this cell", every.only_candidate), ("only in the reference", every.only_reference))
    found = [
        Fact(label, ", ".join(name_of(one, LONGEST_NAME) for one in names)) for label, names in named if names
    ]
    more = every.unmatched - len(every.only_candidate) - len(every.only_reference)
    return (
        (*found, Fact("without a partner, and not named here", f"{more:,} more"))
        if found and more > 0
        else tuple(found)
    )


def _row(note: TensorNote, *, is_first: bool) -> TensorRow:
    found = note.difference
    return TensorRow(
        is_first=is_first,
        operator=name_of(operator_text(note), LONGEST_NAME),
        tensor=one_line(note.problem, LONGEST_NAME) if note.problem else name_of(note.tensor, LONGEST_NAME),
        mark=MARKS[note.divergence],
        beyond=MISSING if note.problem else f"{note.mismatches:,} of {note.elements:,}",
        largest=_largest(found),
        relative=_number(found.max_rel if found else None, 3),
        snr=decibels(note.snr_db),
        cosine=_number(found.cosine if found else None, 6),
        ulp=MISSING if found is None or found.max_ulp is None else f"{found.max_ulp:,}",
        not_finite=_not_finite(found),
    )


def _largest(found: TensorDifference | None) -> str:
    if found is None or found.max_abs is None:
        return MISSING
    place = f" at {', '.join(map(str, found.at))}" if found.at and found.max_abs else ""
    return f"{found.max_abs:.3g}{place}"


def _number(value: float | None, digits: int) -> str:
    return MISSING if value is None else f"{value:.{digits}g}"


def _not_finite(found: TensorDifference | None) -> str:
    """`3 NaN, 1 infinite (reference: 0, 0)`; nothing where all values are numbers."""
    if found is None:
        return MISSING
    counts: Sequence[int] = (found.nans, found.infs, found.reference_nans, found.reference_infs)
    if not any(counts):
        return "none"
    return f"{counts[0]:,} NaN, {counts[1]:,} infinite (reference: {counts[2]:,}, {counts[3]:,})"
