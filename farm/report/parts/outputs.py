"""The outputs of a run as the report and the terminal tell them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from farm.model.outputs import Against, Check, OutputCheck, OutputVerdict, TensorDifference
from farm.model.run import Results
from farm.report.numerals import MISSING
from farm.report.parts.cell import anchor
from farm.report.views.common import Count, Status
from farm.report.views.outputs import OutputRow, Outputs, OutputTensor

VERDICTS: Mapping[OutputVerdict, Status] = {
    OutputVerdict.WRONG: Status("wrong", "\N{BALLOT X}", "wrong"),
    OutputVerdict.FINDING: Status("finding", "\N{WHITE UP-POINTING TRIANGLE}", "finding"),
    OutputVerdict.NOT_COMPARABLE: Status("unknown", "?", "not comparable"),
    OutputVerdict.WITHIN: Status("within", "\N{ALMOST EQUAL TO}", "within tolerance"),
    OutputVerdict.EQUAL: Status("equal", "=", "equal"),
}
"""Worst first, which is the order in the report."""

GOOD = (OutputVerdict.EQUAL, OutputVerdict.WITHIN)
MOST_ROWS = 200


def compose_outputs(results: Results) -> Outputs | None:
    """None for a run without checks."""
    if results.checking.check is Check.OFF and not results.outputs:
        return None
    order = list(VERDICTS)
    rows = sorted(
        (one for one in results.outputs if _is_shown(one)), key=lambda one: order.index(one.verdict)
    )
    anchors = {cell.id: anchor(index) for index, cell in enumerate(results.cells)}
    return Outputs(
        counts=tuple(Count(VERDICTS[verdict], number) for verdict, number in counted(results.outputs)),
        rows=tuple(_row(one, anchors.get(one.cell)) for one in rows[:MOST_ROWS]),
        left_out=max(len(rows) - MOST_ROWS, 0),
        tolerances=_tolerances(results),
    )


def counted(checks: Sequence[OutputCheck]) -> list[tuple[OutputVerdict, int]]:
    """Checks by verdict, worst first."""
    numbers = Counter(one.verdict for one in checks)
    return [(verdict, numbers[verdict]) for verdict in VERDICTS]


def _is_shown(check: OutputCheck) -> bool:
    """That a model gives the same twice is only counted."""
    return check.against is not Against.ITSELF or check.verdict not in GOOD


def _row(check: OutputCheck, cell_anchor: str | None) -> OutputRow:
    worst = check.worst
    return OutputRow(
        verdict=VERDICTS[check.verdict],
        cell=check.cell,
        anchor=cell_anchor,
        against=f"{check.against}: {check.reference}" if check.reference else check.against,
        snr=_decibels(worst),
        largest=MISSING if worst is None or worst.max_abs is None else f"{worst.max_abs:.3g}",
        beyond=MISSING if worst is None or worst.problem else f"{worst.mismatches:,} of {worst.elements:,}",
        sentence=check.sentence,
        tensors=tuple(_tensor(one) for one in check.tensors) if check.verdict not in GOOD else (),
    )


def _decibels(one: TensorDifference | None) -> str:
    return MISSING if one is None or one.snr_db is None else f"{one.snr_db:.1f}"


def _tensor(one: TensorDifference) -> OutputTensor:
    numbers = [
        f"largest difference {_number(one.max_abs)}{f' at {one.at}' if one.at else ''}",
        f"largest relative difference {_number(one.max_rel)}",
        f"cosine {_number(one.cosine, 9)}",
        f"NaN {one.nans:,} against {one.reference_nans:,}",
        f"infinite {one.infs:,} against {one.reference_infs:,}",
        f"rtol {one.tolerance.rtol:g}, atol {one.tolerance.atol:g}",
    ]
    if one.top1 is not None and one.top5 is not None:
        numbers.append(
            f"best class the same in {100 * one.top1:.4g} %, among the best five in {100 * one.top5:.4g} %"
        )
    return OutputTensor(
        name=one.name or MISSING,
        type=f"{one.dtype or MISSING} {one.shape}",
        reference=f"{one.reference_dtype or MISSING} {one.reference_shape}",
        snr=_decibels(one),
        text=one.problem or "; ".join(numbers),
    )


def _number(value: float | None, digits: int = 3) -> str:
    return MISSING if value is None else f"{value:.{digits}g}"


def _tolerances(results: Results) -> str:
    stated = (f"{one.dtype}: rtol {one.rtol:g}, atol {one.atol:g}" for one in results.checking.tolerances)
    return "; ".join(stated)
