"""What a comparison of dumps came to, in plain words. Pure."""

from __future__ import annotations

from farm.model.dumps import DumpedTensor, Side, TensorPair
from farm.model.outputs import Divergence


def sentence(side: Side) -> str:
    """One line without the names of the two dumps."""
    unmatched = len(side.only_candidate) + len(side.only_reference)
    apart = f"; {unmatched:,} without a partner" if unmatched else ""
    unlike = len(side.pairs) - side.compared
    apart += f"; {unlike:,} not comparable" if unlike else ""
    first = side.first_diverging
    if not side.compared:
        return f"no tensor could be compared{apart}"
    if first is None:
        return f"all {side.compared:,} tensors agree{apart}"
    number = f"{side.beyond:,} of {side.compared:,} tensors beyond the tolerance{apart}"
    return f"first diverging operator: {first_words(side, first)}; {number}"


def first_words(side: Side, first: TensorPair) -> str:
    """The first diverging operator, and why it is that one."""
    own = {one.candidate.variable: one for one in side.pairs if one.is_beyond and not one.candidate.inputs}
    read = [own[number].candidate for number in first.candidate.inputs if number in own]
    found = first.difference
    largest = "" if found.max_abs is None else f", largest difference {found.max_abs:.3g}"
    why = f"; it reads {read[0].name!r}, which differs itself" if read else ""
    return f"{operator_of(first.candidate)}: {found.mismatches:,} of {found.elements:,} values{largest}{why}"


def operator_of(tensor: DumpedTensor) -> str:
    """`conv1 (ConvolutionForward)`; the name of the tensor, where the dump has no operators."""
    if not tensor.operator_type:
        return tensor.name or tensor.file
    return f"{tensor.operator} ({tensor.operator_type})"


def noteworthy(side: Side) -> tuple[TensorPair, ...]:
    """Pairs that do not simply agree, in the order of the graph."""
    return tuple(one for one in side.pairs if one.divergence is not Divergence.AGREES)
