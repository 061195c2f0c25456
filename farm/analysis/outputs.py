"""What the outputs of a cell are, next to those that they should be: pairs, verdict, sentence. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.analysis.tensors import difference
from farm.analysis.tolerances import tolerance_for
from farm.analysis.values import Values
from farm.model.outputs import Against, Compared, OutputVerdict, TensorDifference, Tolerance

MOST_KEPT = 20
"""Outputs of one check that are kept, the worst ones."""

NO_TOLERANCE = Tolerance("", 0.0, 0.0)


def compared(
    candidate: Sequence[Values],
    reference: Sequence[Values],
    *,
    against: Against,
    is_strict: bool,
    stated: Sequence[Tolerance] = (),
) -> Compared:
    """Outputs against outputs. `is_strict`: a difference beyond the tolerances is a failure, also where the
    user did not state them.
    """
    found: list[tuple[TensorDifference, bool]] = []
    for ours, theirs in pairs(candidate, reference):
        if theirs is None and against is Against.GOLDEN:
            continue  # it has some of the outputs only
        if ours is None or theirs is None:
            found.append((_alone(ours, theirs), bool(stated)))
            continue
        tolerance, is_stated = tolerance_for((ours.dtype, theirs.dtype), stated)
        found.append((difference(ours, theirs, tolerance), is_stated))
    found.sort(key=lambda one: _badness(one[0]), reverse=True)
    tensors = tuple(one for one, _ in found)
    verdict = max(
        (_verdict(one, against, is_strict or is_stated) for one, is_stated in found),
        key=list(_ORDER).index,
        default=OutputVerdict.NOT_COMPARABLE,
    )
    return Compared(verdict, _sentence(tensors, verdict), tensors[:MOST_KEPT])


_ORDER = (
    OutputVerdict.EQUAL,
    OutputVerdict.WITHIN,
    OutputVerdict.NOT_COMPARABLE,
    OutputVerdict.FINDING,
    OutputVerdict.WRONG,
)
"""From harmless to bad: the worst output is the verdict."""


def pairs(
    candidate: Sequence[Values], reference: Sequence[Values]
) -> tuple[tuple[Values | None, Values | None], ...]:
    """Outputs of both sides by name; those that are left by their order, if they are as many. Others are
    alone.
    """
    by_name = {one.name: one for one in reference}
    is_unique = len(by_name) == len(reference) and len({one.name for one in candidate}) == len(candidate)
    common = {one.name for one in candidate} & set(by_name) if is_unique else set()
    ours = [one for one in candidate if one.name not in common]
    theirs = [one for one in reference if one.name not in common]
    if len(ours) != len(theirs):
        return (
            *((one, by_name[one.name]) for one in candidate if one.name in common),
            *((one, None) for one in ours),
            *((None, one) for one in theirs),
        )
    rest = iter(theirs)
    return tuple((one, by_name[one.name] if one.name in common else next(rest)) for one in candidate)


def _alone(ours: Values | None, theirs: Values | None) -> TensorDifference:
    one = ours or theirs
    assert one is not None
    return TensorDifference(
        name=one.name,
        dtype=ours.dtype if ours else "",
        shape=ours.shape if ours else (),
        reference_dtype=theirs.dtype if theirs else "",
        reference_shape=theirs.shape if theirs else (),
        tolerance=NO_TOLERANCE,
        problem="it is missing" if ours is None else "there is no such output to compare it with",
    )


def _verdict(one: TensorDifference, against: Against, is_strict: bool) -> OutputVerdict:
    if against is Against.GOLDEN and not one.dtype:  # the model has no such output: a mistake in the file
        return OutputVerdict.NOT_COMPARABLE
    if one.problem is not None or one.mismatches:
        return OutputVerdict.WRONG if is_strict else OutputVerdict.FINDING
    return OutputVerdict.WITHIN if one.max_abs else OutputVerdict.EQUAL


def _badness(one: TensorDifference) -> tuple[bool, float, float]:
    share = one.mismatches / one.elements if one.elements else 0.0
    return one.problem is not None, share, -(math.inf if one.snr_db is None else one.snr_db)


def _sentence(tensors: Sequence[TensorDifference], verdict: OutputVerdict) -> str:
    if not tensors:
        return "there are no outputs"
    worst = tensors[0]
    bad = [one for one in tensors if one.problem is not None or one.mismatches]
    more = f" (and {len(bad) - 1} more outputs)" if len(bad) > 1 else ""
    if verdict is OutputVerdict.EQUAL:
        return f"{_count(tensors)} equal{_oddity(tensors)}"
    if worst.problem is not None:
        return f"output {worst.name!r}: {worst.problem}{more}"
    amount = _amount(worst)
    if not bad:
        return f"{_count(tensors)} within the tolerance; {worst.name!r}{amount}{_oddity(tensors)}"
    limits = f"rtol {worst.tolerance.rtol:g}, atol {worst.tolerance.atol:g}"
    values = f"{worst.mismatches:,} of {worst.elements:,} values beyond {limits}"
    return f"output {worst.name!r}: {values}{amount}{_not_finite(worst)}{more}"


def _count(tensors: Sequence[TensorDifference]) -> str:
    return "the output is" if len(tensors) == 1 else f"{len(tensors)} outputs are"


def _amount(one: TensorDifference) -> str:
    if not one.max_abs:
        return ""
    place = f" at ({', '.join(map(str, one.at))})" if one.at is not None else ""
    signal = "" if one.snr_db is None else f", signal-to-noise ratio {one.snr_db:.1f} dB"
    return f", largest difference {one.max_abs:.3g}{place}{signal}"


def _not_finite(one: TensorDifference) -> str:
    counts = {"NaN": (one.nans, one.reference_nans), "infinite": (one.infs, one.reference_infs)}
    return "".join(
        f"; {ours:,} {word} against {theirs:,}" for word, (ours, theirs) in counts.items() if ours or theirs
    )


def _oddity(tensors: Sequence[TensorDifference]) -> str:
    """What equal outputs may hide."""
    nans = sum(one.nans for one in tensors)
    infs = sum(one.infs for one in tensors)
    parts = [
        f"{count:,} values are {word} on both sides"
        for count, word in ((nans, "NaN"), (infs, "infinite"))
        if count
    ]
    if any(one.elements == 0 and one.problem is None for one in tensors):
        parts.append("an output has no elements")
    zeros = [one for one in tensors if one.is_zero]
    if zeros:
        parts.append(f"{zeros[0].name!r} is zero everywhere on both sides")
    return f"; {'; '.join(parts)}" if parts else ""
