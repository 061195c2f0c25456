"""How much two tensors differ: one pass in chunks, whatever their size. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from farm.analysis.tolerances import kind_of
from farm.analysis.values import BITS, Array, Bits, Values, count_of, stored, ulps, widened
from farm.model.outputs import TensorDifference, Tolerance

CHUNK = 1 << 14
"""Elements at a time: work arrays of 128 KiB each, which stay in the cache of a core. Larger ones are taken
from the system anew each time, page by page, which takes longer than the work.
"""

TOP = 5
MOST_CLASSES = 1 << 17
MOST_ROWS = 1 << 12


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
    if candidate.scale is None or reference.scale is None:  # stored integers, then
        candidate, reference = replace(candidate, scale=None), replace(reference, scale=None)
    with np.errstate(all="ignore"):
        found = replace(found, tolerance=_scaled(tolerance, reference), scale=reference.scale)
        bits = BITS.get(candidate.dtype) if _is_same(candidate, reference) else None
        sums = _Sums(found.tolerance, bits, means_the_same=_means_the_same(candidate, reference))
        for ours, theirs in _parts(candidate, reference):
            sums.add(Part(ours, widened(candidate, ours)), Part(theirs, widened(reference, theirs)))
        return _filled(found, sums, _agreement(candidate, reference))


def _is_same(candidate: Values, reference: Values) -> bool:
    return candidate.dtype == reference.dtype and candidate.flat.dtype == reference.flat.dtype


def _means_the_same(candidate: Values, reference: Values) -> bool:
    """Whether equal stored values are equal values: not where they have scales of their own."""
    ours, theirs = (candidate.scale, candidate.zero_point), (reference.scale, reference.zero_point)
    return _is_same(candidate, reference) and (candidate.scale is None or ours == theirs)


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
    if reference.scale is not None:
        return replace(tolerance, atol=tolerance.atol * reference.scale)
    if kind_of(reference.dtype) != "float" or not tolerance.atol:
        return tolerance
    scale = 1.0
    for part, _ in _parts(reference, reference):
        scale = max(scale, _largest(reference, part))
    return replace(tolerance, atol=tolerance.atol * scale)


def _largest(values: Values, part: Array) -> float:
    """The largest finite size in a part."""
    if values.dtype != "bfloat16":
        largest = max(float(part.max(initial=0)), -float(part.min(initial=0)))
        if math.isfinite(largest):
            return largest
    wide = widened(values, part)
    return float(np.abs(wide[np.isfinite(wide)]).max(initial=0.0))


def _shape(shape: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, shape))})"


def _parts(candidate: Values, reference: Values) -> Iterator[tuple[Array, Array]]:
    """Both as they are stored, but values below a byte one by one."""
    is_alone = candidate is reference
    for start in range(0, count_of(candidate), CHUNK):
        ours = stored(candidate, start, start + CHUNK)
        yield ours, ours if is_alone else stored(reference, start, start + CHUNK)


class Part(NamedTuple):
    """A part of a tensor: as it is stored, and in double precision."""

    stored: Array
    wide: Array


class _Sums:
    """What has been seen so far of two tensors. `bits` is None where there are no ULP between them;
    `means_the_same`: where two are stored alike they are equal.
    """

    def __init__(self, tolerance: Tolerance, bits: Bits | None, *, means_the_same: bool) -> None:
        self._tolerance = tolerance
        self._bits = bits
        self._means_the_same = means_the_same
        self.seen = 0
        self.finite = 0
        self.mismatches = 0
        self.max_abs = -1.0
        self.at = 0
        self.max_rel = -1.0
        self.max_ulp = -1
        self.nans = self.infs = self.reference_nans = self.reference_infs = 0
        self.noise = self.signal = self.own = self.dot = 0.0

    def add(self, candidate: Part, reference: Part) -> None:
        ours, theirs = candidate.wide, reference.wide
        signal, own = _product(theirs, theirs), _product(ours, ours)
        both: NDArray[np.bool_] | None = None  # everywhere: a sum of squares shows it without another pass
        if not math.isfinite(signal + own):
            both = np.isfinite(ours) & np.isfinite(theirs)
            self._not_finite(ours, theirs)
            alike = (np.isnan(ours) & np.isnan(theirs)) | (ours == theirs)
            self.mismatches += int(np.count_nonzero(~both & ~alike))
            ours, theirs = np.where(both, ours, 0), np.where(both, theirs, 0)
            signal, own = _product(theirs, theirs), _product(ours, ours)
        self.signal += signal
        self.own += own
        finite = ours.size if both is None else int(np.count_nonzero(both))
        is_equal = self._means_the_same and np.array_equal(candidate.stored, reference.stored)
        if finite and both is None and is_equal:
            self._equal(theirs, signal)
        elif finite:
            self._apart(candidate, reference, ours, theirs, both)
        self.finite += finite
        self.seen += ours.size

    def _equal(self, theirs: Array, signal: float) -> None:
        self.dot += signal
        if self.max_abs < 0:
            self.max_abs, self.at = 0.0, self.seen
        if self._bits is not None and self.max_ulp < 0 and np.any(theirs):
            self.max_ulp = 0
        if self.max_rel < 0 and np.any(theirs):
            self.max_rel = 0.0

    def _apart(
        self, candidate: Part, reference: Part, ours: Array, theirs: Array, both: NDArray[np.bool_] | None
    ) -> None:
        apart: Array = ours - theirs
        apart = np.abs(apart) if apart.dtype.kind == "c" else np.abs(apart, out=apart)
        size = np.abs(theirs)
        largest = int(np.argmax(apart if both is None else np.where(both, apart, -1.0)))
        if float(apart[largest]) > self.max_abs:
            self.max_abs, self.at = float(apart[largest]), self.seen + largest
        self.noise += _product(apart, apart)
        self.dot += _product(theirs, ours)
        relative = apart / np.where(size == 0, np.inf, size)  # a mask would cost twice as much
        if np.any(size):
            self.max_rel = max(self.max_rel, float(np.max(relative)))
        if not apart[largest] <= self._tolerance.atol:
            size *= self._tolerance.rtol
            size += self._tolerance.atol
            self.mismatches += int(np.count_nonzero(~(apart <= size)))
        if self._bits is not None:
            self._ulp(candidate.stored, reference.stored, relative, self._bits)

    def _ulp(self, ours: Array, theirs: Array, relative: Array, bits: Bits) -> None:
        """Of those values that may have more of them than were seen: n values apart is at least
        n / 2^(mantissa + 2) of the reference's value, or half of it.
        """
        least = min(self.max_ulp / 2.0 ** (bits.mantissa + 2), 0.5)
        places = np.flatnonzero(relative > least) if self.max_ulp >= 0 else slice(None)
        steps = ulps(ours[places], theirs[places], bits)
        self.max_ulp = max(self.max_ulp, int(steps.max(initial=-1)))

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
        max_ulp=sums.max_ulp if sums.max_ulp >= 0 else None,
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
        ours, theirs = (widened(one, stored(one, start, start + classes)) for one in (candidate, reference))
        if not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
            return None, None
        best = int(np.argmax(ours))
        first += best == int(np.argmax(theirs))
        fifth += best in np.argpartition(theirs, -TOP)[-TOP:]
    return first / rows, fifth / rows
