"""How much two tensors differ: one pass in chunks, whatever their size. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.analysis.tolerances import kind_of
from farm.model.outputs import TensorDifference, Tolerance

CHUNK = 1 << 16
"""Elements at a time: work arrays of half a megabyte each, which stay in the cache of a core."""

TOP = 5
MOST_CLASSES = 1 << 17
MOST_ROWS = 1 << 12

Array = NDArray[Any]


@dataclass(frozen=True)
class Values:
    """One output. `flat` has its values in one dimension, as they are stored (bfloat16 as uint16): a memory
    map, or an array. Of types smaller than a byte it has the bytes.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    flat: Array


def difference(candidate: Values, reference: Values, tolerance: Tolerance) -> TensorDifference:
    """All numbers of one output; `problem` is set where the two cannot be compared by value."""
    found = TensorDifference(
        name=candidate.name,
        dtype=candidate.dtype,
        shape=candidate.shape,
        reference_dtype=reference.dtype,
        reference_shape=reference.shape,
        tolerance=tolerance,
        problem=_why_not(candidate, reference),
    )
    if found.problem is not None:
        return found
    with np.errstate(all="ignore"):
        found = replace(found, tolerance=_scaled(tolerance, reference))
        sums = _Sums(found.tolerance)
        for ours, theirs in _chunks(candidate, reference):
            sums.add(ours, theirs)
        return _filled(found, sums, _agreement(candidate, reference))


def _why_not(candidate: Values, reference: Values) -> str | None:
    if candidate.shape != reference.shape:
        return f"shape {_shape(candidate.shape)} instead of {_shape(reference.shape)}"
    if kind_of(candidate.dtype) != kind_of(reference.dtype):
        return f"type {candidate.dtype} instead of {reference.dtype}"
    if candidate.flat.size != reference.flat.size:
        return f"{candidate.flat.size} stored values instead of {reference.flat.size}"
    return None


def _scaled(tolerance: Tolerance, reference: Values) -> Tolerance:
    """As farm.model.outputs.Tolerance says it; another pass over the reference."""
    if kind_of(reference.dtype) != "float" or not tolerance.atol:
        return tolerance
    scale = 1.0
    for _, theirs in _chunks(reference, reference):
        finite = np.abs(theirs[np.isfinite(theirs)])
        scale = max(scale, float(finite.max(initial=0.0)))
    return replace(tolerance, atol=tolerance.atol * scale)


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def _chunks(candidate: Values, reference: Values) -> Iterator[tuple[Array, Array]]:
    for start in range(0, candidate.flat.size, CHUNK):
        yield _wide(candidate, start, start + CHUNK), _wide(reference, start, start + CHUNK)


def _wide(values: Values, start: int, stop: int) -> Array:
    """A part of the values in double precision."""
    part: Array = values.flat[start:stop]
    if values.dtype == "bfloat16" and part.dtype == np.uint16:
        return (part.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return part.astype(np.complex128 if part.dtype.kind == "c" else np.float64)


class _Sums:
    """What has been seen so far of two tensors."""

    def __init__(self, tolerance: Tolerance) -> None:
        self._tolerance = tolerance
        self.seen = 0
        self.finite = 0
        self.mismatches = 0
        self.max_abs = -1.0
        self.at = 0
        self.max_rel = -1.0
        self.nans = self.infs = self.reference_nans = self.reference_infs = 0
        self.noise = self.signal = self.own = self.dot = 0.0

    def add(self, ours: Array, theirs: Array) -> None:
        both = np.isfinite(ours) & np.isfinite(theirs)
        finite = int(np.count_nonzero(both))
        if finite < both.size:
            self._not_finite(ours, theirs)
            alike = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
            self.mismatches += int(np.count_nonzero(~both & ~alike))
            ours, theirs = np.where(both, ours, 0), np.where(both, theirs, 0)
        apart, size = np.abs(ours - theirs), np.abs(theirs)
        beyond = ~(apart <= self._tolerance.atol + self._tolerance.rtol * size)
        self.mismatches += int(np.count_nonzero(beyond))
        if finite:
            self._extremes(apart, size, both if finite < both.size else None)
        self.noise += _product(apart, apart)
        self.signal += _product(size, size)
        self.own += _product(ours, ours)
        self.dot += _product(theirs, ours)
        self.finite += finite
        self.seen += ours.size

    def _extremes(self, apart: Array, size: Array, both: NDArray[np.bool_] | None) -> None:
        """`both` says where both are finite, None: everywhere."""
        largest = int(np.argmax(apart if both is None else np.where(both, apart, -1.0)))
        if float(apart[largest]) > self.max_abs:
            self.max_abs, self.at = float(apart[largest]), self.seen + largest
        relative = np.divide(apart, size, out=np.full(apart.shape, -1.0), where=size > 0)
        self.max_rel = max(self.max_rel, float(np.max(relative)))

    def _not_finite(self, ours: Array, theirs: Array) -> None:
        self.nans += int(np.count_nonzero(np.isnan(ours)))
        self.infs += int(np.count_nonzero(np.isinf(ours)))
        self.reference_nans += int(np.count_nonzero(np.isnan(theirs)))
        self.reference_infs += int(np.count_nonzero(np.isinf(theirs)))


def _product(one: Array, other: Array) -> float:
    """Real part of the inner product. Not np.vdot: BLAS starts a thread on every core for it, and these wait
    for each other in busy loops, ten times as long as the work takes on a machine that is not idle.
    """
    return float(np.einsum("i,i->", one.conj(), other).real)


def _filled(
    found: TensorDifference, sums: _Sums, agreement: tuple[float | None, float | None]
) -> TensorDifference:
    is_by_element = sums.seen == math.prod(found.shape)
    return replace(
        found,
        elements=sums.seen,
        mismatches=sums.mismatches,
        max_abs=sums.max_abs if sums.finite else None,
        at=_index(sums.at, found.shape) if sums.finite and is_by_element else None,
        max_rel=sums.max_rel if sums.max_rel >= 0 else None,
        snr_db=_decibels(sums.signal, sums.noise),
        cosine=_cosine(sums),
        nans=sums.nans,
        infs=sums.infs,
        reference_nans=sums.reference_nans,
        reference_infs=sums.reference_infs,
        top1=agreement[0],
        top5=agreement[1],
        is_zero=0 < sums.finite == sums.seen and sums.own == sums.signal == 0,
    )


def _index(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(place) for place in np.unravel_index(flat, shape))


def _decibels(signal: float, noise: float) -> float | None:
    """None without noise (infinite), without signal, or where a square is beyond double precision."""
    if not (0 < signal < math.inf and 0 < noise < math.inf):
        return None
    return 10 * math.log10(signal / noise) if signal / noise > 0 else None


def _cosine(sums: _Sums) -> float | None:
    lengths = math.sqrt(sums.own) * math.sqrt(sums.signal)
    return max(-1.0, min(1.0, sums.dot / lengths)) if 0 < lengths < math.inf else None


def _agreement(candidate: Values, reference: Values) -> tuple[float | None, float | None]:
    """Of rows of classes: the fraction whose largest value is at the same place, and at one of the
    reference's five largest. Information only.
    """
    shape = candidate.shape
    if len(shape) != 2 or kind_of(candidate.dtype) != "float":
        return None, None
    rows, classes = shape
    if not (0 < rows <= MOST_ROWS and TOP < classes <= MOST_CLASSES):
        return None, None
    first = fifth = 0
    for row in range(rows):
        start = row * classes
        ours, theirs = _wide(candidate, start, start + classes), _wide(reference, start, start + classes)
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            return None, None
        best = int(np.argmax(ours))
        first += best == int(np.argmax(theirs))
        fifth += best in np.argpartition(theirs, -TOP)[-TOP:]
    return first / rows, fifth / rows
