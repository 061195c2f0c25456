"""What is kept of a comparison of dumps in the results of a run: the tensors that tell most. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from farm.analysis.dumps.diverged import operator_of, sentence
from farm.model.dumps import DumpedTensor, Side, TensorPair
from farm.model.outputs import Divergence, EveryTensor, TensorNote

MOST_TENSORS = 60
"""Of two cells: about 20 kB in results.json."""

MOST_WORST = 12
"""Of these: with all their numbers."""

MOST_UNMATCHED = 12
"""Of each side: by name."""


def told(side: Side, findings: Sequence[str] = ()) -> EveryTensor:
    """The counts, and the first diverging tensor, those that introduce a difference or recover from one, and
    the noisiest of the others. `findings` are the reference's.
    """
    first = side.first_diverging
    classes = Counter(one.divergence for one in side.pairs)
    odd = sorted((one for one in side.pairs if not _is_equal(one)), key=lambda one: _rank(one, first))
    kept = sorted(odd[:MOST_TENSORS], key=lambda one: one.order)
    worst = {id(one) for one in sorted(odd[:MOST_TENSORS], key=_badness)[:MOST_WORST]} | {id(first)}
    return EveryTensor(
        compared=side.compared,
        beyond=side.beyond,
        unmatched=len(side.only_candidate) + len(side.only_reference),
        operator=first.candidate.operator or first.candidate.name if first else None,
        operator_type=first.candidate.operator_type if first else None,
        sentence=sentence(side),
        findings=(*findings, *side.findings),
        introduced=classes[Divergence.INTRODUCED],
        inherited=classes[Divergence.INHERITED],
        recovered=classes[Divergence.RECOVERED],
        tensors=tuple(_note(one, whole=id(one) in worst) for one in kept),
        first=next((place for place, one in enumerate(kept) if one is first), None),
        left_out=len(odd) - len(kept),
        only_candidate=_names(side.only_candidate),
        only_reference=_names(side.only_reference),
    )


def _is_equal(one: TensorPair) -> bool:
    """Bit for bit, or as good as: no difference at all, and no class but that it agrees."""
    found = one.difference
    return one.divergence is Divergence.AGREES and not found.max_abs and not found.mismatches


_ORDER = {Divergence.INTRODUCED: 1, Divergence.RECOVERED: 2, None: 3, Divergence.INHERITED: 4}


def _rank(one: TensorPair, first: TensorPair | None) -> tuple[int, float, int]:
    return (0 if one is first else _ORDER.get(one.divergence, 5), _snr(one), one.order)


def _badness(one: TensorPair) -> tuple[bool, bool, float, int]:
    """Beyond the tolerance first, then the noisiest; those that could not be compared have no numbers."""
    return (one.difference.problem is not None, not one.is_beyond, _snr(one), one.order)


def _snr(one: TensorPair) -> float:
    """Without a ratio a tensor beyond the tolerance is all noise, any other one has none."""
    if one.difference.snr_db is not None:
        return one.difference.snr_db
    return -math.inf if one.is_beyond else math.inf


def _note(one: TensorPair, *, whole: bool) -> TensorNote:
    found, reference = one.difference, operator_of(one.reference)
    is_compared = found.problem is None
    return TensorNote(
        place=one.order,
        tensor=one.candidate.name,
        operator=one.candidate.operator or one.candidate.name,
        operator_type=one.candidate.operator_type,
        reference=reference if reference != operator_of(one.candidate) else "",
        divergence=one.divergence,
        elements=found.elements if is_compared else 0,
        mismatches=found.mismatches if is_compared else 0,
        snr_db=found.snr_db if is_compared else None,
        problem=found.problem,
        difference=found if whole and is_compared else None,
    )


def _names(tensors: Sequence[DumpedTensor]) -> tuple[str, ...]:
    return tuple(operator_of(one) for one in tensors[:MOST_UNMATCHED])
