"""Why a tensor has no partner, as far as the other dump tells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from farm.model.dumps import DumpedTensor

LAYOUT_OPERATORS = frozenset({"RelayoutFormat", "Dimshuffle", "Reshape"})
"""What passes that change layouts put between operators."""


def with_reasons(tensors: Sequence[DumpedTensor], others: Sequence[DumpedTensor]) -> tuple[DumpedTensor, ...]:
    """Tensors without a partner among all tensors of the other side, each with its reason."""
    makes = {one.operator: one.name for one in others if one.operator and one.inputs}
    return tuple(replace(one, reason=_reason(one, makes)) for one in tensors)


def _reason(one: DumpedTensor, makes: dict[str, str]) -> str:
    made = makes.get(one.operator)
    if one.inputs and made is not None and made != one.name:
        return f"this operator makes {made!r} on the other side"
    if one.operator_type in LAYOUT_OPERATORS and one.inputs:
        return "a change of shape or layout that only this side has"
    if not one.inputs:
        return "a constant: none of its name, and no single one like it has the same reader"
    return "none of its name, or of its operator's type, shape and dtype"
