"""The verdict on all outputs of two sides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from farm.analysis.outputs import compared, pairs
from farm.analysis.values import Values
from farm.model.outputs import Against, OutputVerdict, Tolerance


def out(name: str, *numbers: float, dtype: str = "float32") -> Values:
    array = np.array(numbers, dtype)
    return Values(name, dtype, array.shape, array)


def verdict(ours: list[Values], theirs: list[Values], **more: Any) -> OutputVerdict:
    given = {"against": Against.BASELINE, "is_strict": True, **more}
    return compared(ours, theirs, **given).verdict


def names(found: tuple[tuple[Values | None, Values | None], ...]) -> list[tuple[str | None, str | None]]:
    return [(ours.name if ours else None, theirs.name if theirs else None) for ours, theirs in found]


def test_outputs_are_paired_by_name_and_the_others_by_order() -> None:
    ours = [out("a", 1), out("b", 2), out("new", 3)]
    theirs = [out("old", 3), out("b", 2), out("a", 1)]
    assert names(pairs(ours, theirs)) == [("a", "a"), ("b", "b"), ("new", "old")]
    twice = [out("a", 1), out("a", 2)]
    assert names(pairs(twice, twice)) == [("a", "a"), ("a", "a")]
    assert names(pairs(ours[:2], theirs)) == [("a", "a"), ("b", "b"), (None, "old")]


@pytest.mark.parametrize(
    ("value", "strict", "loose"),
    [
        (1.0, OutputVerdict.EQUAL, OutputVerdict.EQUAL),
        (1.0001, OutputVerdict.WITHIN, OutputVerdict.WITHIN),
        (1.01, OutputVerdict.WRONG, OutputVerdict.FINDING),
        (math.nan, OutputVerdict.WRONG, OutputVerdict.FINDING),
    ],
)
def test_a_difference_is_a_failure_where_the_same_was_promised_and_a_finding_elsewhere(
    value: float, strict: OutputVerdict, loose: OutputVerdict
) -> None:
    ours, theirs = [out("a", value)], [out("a", 1.0)]
    assert verdict(ours, theirs) is strict
    assert verdict(ours, theirs, against=Against.VARIANT, is_strict=False) is loose


def test_beyond_a_stated_tolerance_a_variant_is_wrong_too() -> None:
    ours, theirs = [out("a", 1.01)], [out("a", 1.0)]
    given = {"against": Against.VARIANT, "is_strict": False}
    assert verdict(ours, theirs, stated=[Tolerance("*", 1e-3, 0)], **given) is OutputVerdict.WRONG
    assert verdict(ours, theirs, stated=[Tolerance("*", 1e-1, 0)], **given) is OutputVerdict.WITHIN
    assert verdict(ours, theirs, stated=[Tolerance("int32", 1e-3, 0)], **given) is OutputVerdict.FINDING


def test_the_worst_output_is_the_verdict_and_comes_first() -> None:
    found = compared(
        [out("a", 1), out("b", 5), out("c", 2.001)],
        [out("a", 1), out("b", 2), out("c", 2)],
        against=Against.BASELINE,
        is_strict=True,
    )
    assert [one.name for one in found.tensors] == ["b", "c", "a"]
    assert found.verdict is OutputVerdict.WRONG
    assert found.sentence.startswith(
        "output 'b': 1 of 1 values beyond rtol 0.001, atol 2e-05, largest difference 3"
    )


def test_a_missing_output_is_wrong_of_a_build_and_a_mistake_in_a_golden_file() -> None:
    ours, theirs = [out("a", 1)], [out("a", 1), out("b", 2)]
    assert verdict(ours, theirs) is OutputVerdict.WRONG
    assert verdict(theirs, ours) is OutputVerdict.WRONG
    assert verdict(ours, theirs, against=Against.GOLDEN) is OutputVerdict.NOT_COMPARABLE
    assert verdict(theirs, ours, against=Against.GOLDEN) is OutputVerdict.EQUAL  # it has one of the outputs


def test_no_outputs_at_all_are_not_called_equal() -> None:
    assert verdict([], []) is OutputVerdict.NOT_COMPARABLE


def test_what_equal_outputs_may_hide_is_said() -> None:
    found = compared(
        [out("a", math.nan, 0), out("z", 0, 0)],
        [out("a", math.nan, 0), out("z", 0, 0)],
        against=Against.BASELINE,
        is_strict=True,
    )
    assert found.sentence == (
        "2 outputs are equal; 1 values are NaN on both sides; 'z' is zero everywhere on both sides"
    )


def test_a_golden_file_of_doubles_is_compared_with_floats() -> None:
    assert verdict([out("a", 0.1)], [out("a", 0.1, dtype="float64")]) is OutputVerdict.WITHIN
