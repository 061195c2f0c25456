"""One pass in chunks gives what plain numpy gives of the whole."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from farm.analysis import tensors
from farm.analysis.tensors import difference
from farm.analysis.tolerances import tolerance_for
from farm.analysis.values import Values
from farm.model.outputs import TensorDifference, Tolerance

LOOSE = Tolerance("float32", 1e-3, 1e-5)
EXACT = Tolerance("exact", 0.0, 0.0)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "CHUNK", 4)


def values(array: NDArray[Any], dtype: str | None = None, name: str = "out") -> Values:
    return Values(name, dtype or array.dtype.name, array.shape, array.reshape(-1))


def of(
    candidate: Any, reference: Any, dtype: str = "float32", tolerance: Tolerance = LOOSE
) -> TensorDifference:
    ours, theirs = np.asarray(candidate, dtype), np.asarray(reference, dtype)
    return difference(values(ours), values(theirs), tolerance)


SHAPES = hnp.array_shapes(min_dims=1, max_dims=3, max_side=5)
FLOATS = st.floats(width=32, allow_nan=True, allow_infinity=True)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    shape = draw(SHAPES)
    reference = draw(hnp.arrays(np.float32, shape, elements=FLOATS))
    other = draw(hnp.arrays(np.float32, shape, elements=FLOATS))
    return np.where(draw(hnp.arrays(np.bool_, shape)), other, reference), reference


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_the_numbers_of_chunks_are_those_of_the_whole(
    pair: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    ours, theirs = (one.astype(np.float64) for one in pair)
    found = of(*pair)
    both = np.isfinite(ours) & np.isfinite(theirs)
    with np.errstate(all="ignore"):
        apart = np.abs(ours - theirs)
        scale = np.abs(theirs[np.isfinite(theirs)]).max(initial=1.0)
        close = np.isclose(ours, theirs, rtol=1e-3, atol=1e-5 * scale, equal_nan=True)
    assert found.elements == ours.size
    assert found.mismatches == np.count_nonzero(~close)
    assert found.nans == np.count_nonzero(np.isnan(ours))
    assert found.reference_infs == np.count_nonzero(np.isinf(theirs))
    if not both.any():
        assert (found.max_abs, found.at, found.snr_db) == (None, None, None)
        return
    assert found.max_abs == apart[both].max()
    assert found.at is not None
    assert apart[found.at] == found.max_abs
    signal, noise = np.sum(theirs[both] ** 2), np.sum(apart[both] ** 2)
    if signal and noise:
        assert found.snr_db == pytest.approx(10 * math.log10(signal / noise), abs=1e-6)
    else:
        assert found.snr_db is None


def test_nan_on_both_sides_is_equal_and_counted() -> None:
    found = of([math.nan, math.inf, 1], [math.nan, math.inf, 1])
    assert (found.mismatches, found.max_abs, found.nans, found.reference_nans) == (0, 0, 1, 1)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_finite_on_one_side_only_is_a_mismatch(odd: float) -> None:
    assert of([odd, 1], [2, 1]).mismatches == 1
    assert of([2, 1], [odd, 1]).mismatches == 1
    assert of([-odd, 1], [odd, 1]).mismatches == (0 if math.isnan(odd) else 1)


def test_zeros_on_both_sides_are_equal_and_said_to_be_zeros() -> None:
    found = of([0, 0, 0, 0, 0], [0, 0, 0, -0.0, 0])
    assert (found.mismatches, found.is_zero, found.snr_db, found.cosine) == (0, True, None, None)
    assert not of([0, 0], [0, 1]).is_zero


def test_a_tensor_without_elements_is_equal_to_another_one() -> None:
    found = of(np.empty((2, 0, 3)), np.empty((2, 0, 3)))
    assert (found.elements, found.mismatches, found.max_abs, found.problem) == (0, 0, None, None)
    assert not found.is_zero


def test_the_largest_numbers_do_not_overflow_into_a_wrong_verdict() -> None:
    found = of([3e38, -3e38], [3e38, 3e38])
    assert found.mismatches == 1
    assert found.max_abs == pytest.approx(6e38)
    assert of([1e308], [-1e308], "float64").mismatches == 1


def test_a_small_value_among_large_ones_has_the_error_of_these() -> None:
    assert of([0.005, 500], [0.001, 500]).mismatches == 0
    assert of([0.007, 500], [0.001, 500]).mismatches == 1
    assert of([0.005, 0.5], [0.001, 0.5]).mismatches == 1
    assert of([0.005, 500], [0.001, 500]).tolerance.atol == pytest.approx(5e-3)


def test_bfloat16_is_compared_as_numbers() -> None:
    ours, theirs = (np.array([word, 0x3F80], np.uint16) for word in (0x4000, 0x3F80))  # 2 and 1
    found = difference(values(ours, "bfloat16"), values(theirs, "bfloat16"), LOOSE)
    assert (found.max_abs, found.mismatches) == (1.0, 1)


@pytest.mark.parametrize(("dtype", "step", "mismatches"), [("qint8", 1, 0), ("qint8", 2, 1), ("int32", 1, 1)])
def test_quantised_values_may_differ_by_one_step_and_integers_by_none(
    dtype: str, step: int, mismatches: int
) -> None:
    ours, theirs = np.array([5 + step, 7], np.int8), np.array([5, 7], np.int8)
    tolerance, is_stated = tolerance_for((dtype, dtype))
    assert difference(values(ours, dtype), values(theirs, dtype), tolerance).mismatches == mismatches
    assert not is_stated


def test_of_two_types_the_wider_tolerance_counts_and_a_stated_one_before_all() -> None:
    assert tolerance_for(("float32", "float16"))[0].rtol == 1e-2
    stated = (Tolerance("*", 0.5, 0.0), Tolerance("float32", 0.1, 0.0))
    assert tolerance_for(("float32", "float32"), stated) == (stated[1], True)
    assert tolerance_for(("float16", "float16"), stated) == (stated[0], True)


@pytest.mark.parametrize(
    ("ours", "theirs", "problem"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), "shape (2, 3) instead of (3, 2)"),
        (np.zeros(2, np.float32), np.zeros(2, np.int32), "type float32 instead of int32"),
    ],
)
def test_what_cannot_be_compared_by_value_is_a_problem(
    ours: NDArray[Any], theirs: NDArray[Any], problem: str
) -> None:
    assert difference(values(ours), values(theirs), LOOSE).problem == problem


def test_rows_of_classes_tell_how_often_the_best_class_is_the_same() -> None:
    theirs = np.arange(30, dtype=np.float32).reshape(3, 10)
    ours = theirs.copy()
    ours[0, 8] = 100  # second best before
    ours[1, 0] = 100  # worst before
    found = of(ours, theirs)
    assert found.top1 == pytest.approx(1 / 3)
    assert found.top5 == pytest.approx(2 / 3)


class Watched(np.ndarray[Any, Any]):
    """Tells how much of it is taken at once."""

    longest = 0

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        Watched.longest = max(Watched.longest, found.size)
        return np.asarray(found)


def test_no_more_than_a_chunk_is_in_memory_at_a_time() -> None:
    flat = np.zeros(1000, np.float32).view(Watched)
    assert (
        difference(
            Values("a", "float32", (1000,), flat), Values("a", "float32", (1000,), flat), LOOSE
        ).elements
        == 1000
    )
    assert Watched.longest == 4


def test_values_of_less_than_a_byte_are_compared_one_by_one() -> None:
    ours, theirs = np.array([1, 2], "u1"), np.array([1, 3], "u1")
    tolerance, _ = tolerance_for(("qint4", "qint4"))
    found = difference(Values("a", "qint4", (4,), ours), Values("a", "qint4", (4,), theirs), tolerance)
    assert (found.elements, found.mismatches, found.at, found.problem) == (4, 1, (2,), None)


@pytest.mark.parametrize(("scale", "zero_point"), [(0.2, 0), (0.1, 3)])
def test_values_that_are_stored_alike_and_mean_others_differ(scale: float, zero_point: int) -> None:
    array = np.arange(1, 9, dtype=np.int8)
    theirs = replace(values(array, "qint8"), scale=0.1, zero_point=0)
    found = difference(replace(theirs, scale=scale, zero_point=zero_point), theirs, EXACT)
    assert found.mismatches == 8
    assert found.max_abs == pytest.approx(max(abs((q - zero_point) * scale - q * 0.1) for q in range(1, 9)))
    assert difference(theirs, theirs, EXACT).mismatches == 0


def test_the_bits_of_a_bfloat16_are_no_number_of_another_type() -> None:
    bits = np.array([0x3F80, 0x4000], np.uint16)  # 1 and 2
    found = difference(values(bits, "bfloat16"), values(bits.astype(np.float32), "float32"), EXACT)
    assert found.mismatches == 2
