"""From values to positions on an axis, and round numbers to mark on it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from farm.report.figures.view import Axis, Tick

LARGEST = 1e300
"""Values beyond are drawn here, so that the length of an axis is still a number."""

SMALLEST = 1e-290
"""Values that are all smaller than this are drawn as 0: there are hardly any numbers between them."""

SHORTEST = 1e-9
"""An axis is at least this part of its values long: rounding would eat the ticks of a shorter one."""

TICKS = 5


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high` (`low < high`; with `is_log` both above 0), in the unit of its values."""

    low: float
    high: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The position of a value, 0 to 1; what is beyond an end stands at that end."""
        if self.is_log:
            low, high = math.log(self.low), math.log(self.high)
            found = (math.log(value) - low) / (high - low) if value > 0 else 0.0
        else:
            found = (limited(value) - self.low) / (self.high - self.low)
        return min(max(found, 0.0), 1.0)


def limited(value: float) -> float:
    return min(max(value, -LARGEST), LARGEST)


def finite(values: Iterable[float | None]) -> list[float]:
    """Those that are numbers, neither NaN nor infinite."""
    return [limited(float(value)) for value in values if value is not None and math.isfinite(value)]


def linear(values: Sequence[float], *, from_zero: bool = False, margin: float = 0.0) -> Scale:
    """An axis that has all `values` in it, which are finite; `margin`: the part of it to leave at each end.

    Values that are all the same get an axis around them, and none at all one from 0 to 1.
    """
    low, high = min(values, default=0.0), max(values, default=0.0)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    low, high = limited(low), limited(high)
    largest = max(abs(low), abs(high))
    if largest < SMALLEST:
        return Scale(0.0, 1.0)
    if high - low < SHORTEST * largest:
        around = 0.05 * largest
        low, high = (low if from_zero and low == 0 else low - around), high + around
    pad = margin * (high - low)
    low_end = low if from_zero and low == 0 else low - pad
    return Scale(limited(low_end), limited(high + pad))


def decades(values: Sequence[float]) -> Scale:
    """A logarithmic axis whose ends are powers of ten and that has all `values` in it, which are above 0."""
    low, high = min(values, default=1.0), max(values, default=10.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    if first == last:
        first, last = first - 1, last + 1
    return Scale(10.0 ** max(first, -300), 10.0 ** min(last, 300), is_log=True)


def nice(size: float) -> float:
    """A number near `size` (above 0) that is 1, 2 or 5 times a power of ten.

    After Paul Heckbert, "Nice Numbers for Graph Labels", Graphics Gems (1990), pages 61-63 and 657-659.
    """
    power = 10.0 ** math.floor(math.log10(size))
    part = size / power
    return next((number for limit, number in ((1.5, 1), (3, 2), (7, 5)) if part < limit), 10) * power


def round_numbers(scale: Scale, most: int = TICKS) -> list[float]:
    """Round numbers within the axis, ascending, about `most` of them."""
    if scale.is_log:
        return _powers(scale, most)
    length = scale.high - scale.low
    step = nice(length / max(most - 1, 1))
    first, last = math.ceil(scale.low / step - 1e-6), math.floor(scale.high / step + 1e-6)
    return [number * step for number in range(first, min(last, first + 4 * most) + 1)]


def _powers(scale: Scale, most: int) -> list[float]:
    first, last = math.ceil(math.log10(scale.low) - 1e-9), math.floor(math.log10(scale.high) + 1e-9)
    every = max(math.ceil((last - first) / max(most - 1, 1)), 1)
    return [10.0**power for power in range(first, last + 1, every)]


def axis(scale: Scale, label: str, most: int = TICKS) -> Axis:
    """With its ticks; `label` says what it is and in which unit."""
    numbers = round_numbers(scale, most)
    texts = [plain(number) for number in numbers] if scale.is_log else labels(numbers)
    return Axis(label, tuple(Tick(scale.at(n), text) for n, text in zip(numbers, texts, strict=True)))


def labels(numbers: Sequence[float]) -> list[str]:
    """Numbers with equal distances as text, with no more decimals than tell them apart."""
    largest = max(map(abs, numbers), default=0.0)
    step = min((b - a for a, b in pairwise(numbers)), default=largest)
    if not largest:
        return ["0" for _ in numbers]
    decimals = max(-math.floor(math.log10(step) + 1e-9), 0) if step > 0 else 0
    if largest >= 1e7 or decimals > 4:
        digits = max(math.floor(math.log10(largest)) - math.floor(math.log10(step) + 1e-9) + 1, 1)
        return [f"{0.0 if abs(number) < step / 2 else number:.{digits}g}" for number in numbers]
    return [f"{0.0 if abs(number) < step / 2 else number:.{decimals}f}" for number in numbers]


def plain(number: float) -> str:
    """A number with three significant digits: `0.012`, `1.5`, `120`, `1.2e+09`."""
    if number and not 1e-3 <= abs(number) < 1e6:
        return f"{number:.3g}"
    if not number or abs(number) >= 100:
        return f"{number:.0f}"
    return f"{number:.{2 - math.floor(math.log10(abs(number)))}f}".rstrip("0").rstrip(".")
