"""How values are distributed: a histogram of one or two sides, with the quartiles."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from statistics import quantiles

from farm.report.figures.scales import Scale, axis, finite, linear, nice, plain
from farm.report.figures.thin import name_of
from farm.report.figures.view import Bin, Distribution, DistributionSide
from farm.report.numerals import count

FEWEST, MOST = 5, 40
"""Bars of a histogram."""

FAR = 4.0
"""Beyond so many distances between the quartiles values are only counted: they would hide the rest."""


def distribution(
    sides: Sequence[tuple[str, Sequence[float]]], unit: str = "ms", title: str = "Distribution"
) -> Distribution | None:
    """One or two (name, values) with values in `unit`; NaN and infinite ones are counted out.

    Bars are about as wide as Freedman and Diaconis say, "On the histogram as a density estimator" (1981).
    None where a side has fewer than two values.
    """
    known = [(name, sorted(finite(values))) for name, values in sides[:2]]
    if not known or any(len(values) < 2 for _, values in known):
        return None
    scale = _scale([values for _, values in known])
    edges = _edges(scale, [values for _, values in known])
    counted = [_counts(values, edges) for _, values in known]
    # each side on its own: sides of other sizes have the same shape
    heights = [
        [n / len(values) for n in numbers] for numbers, (_, values) in zip(counted, known, strict=True)
    ]
    highest = max((height for column in heights for height in column), default=1.0) or 1.0
    outside = sum(len(values) for _, values in known) - sum(map(sum, counted))
    made = tuple(
        _side(
            name,
            values,
            [
                Bin(scale.at(a), scale.at(b), h / highest)
                for a, b, h in zip(edges, edges[1:], column, strict=False)
            ],
            scale,
            unit,
        )
        for (name, values), column in zip(known, heights, strict=True)
    )
    missing = sum(len(values) for _, values in sides[:2]) - sum(len(values) for _, values in known)
    return Distribution(
        title=title,
        text="; ".join(side.text for side in made),
        note=_note(outside, missing, max(values[-1] for _, values in known), unit),
        axis=axis(scale, unit, most=3),
        sides=made,
    )


def _note(outside: int, missing: int, largest: float, unit: str) -> str | None:
    said = (
        f"{count(outside, 'value')} beyond the axis; the largest of all is {plain(largest)} {unit}"
        if outside
        else "",
        f"not a number: {count(missing, 'value')}" if missing else "",
    )
    return "; ".join(filter(None, said)) or None


def _quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    first, middle, last = quantiles(values, n=4, method="inclusive")
    return first, middle, last


def _scale(sides: Sequence[Sequence[float]]) -> Scale:
    """An axis for all values but those that are very far from the others."""
    low, high = [], []
    for values in sides:
        first, _, last = _quartiles(values)
        reach = FAR * (last - first) or math.inf
        low.append(max(values[0], first - reach))
        high.append(min(values[-1], last + reach))
    return linear([min(low), max(high)])


def _edges(scale: Scale, sides: Sequence[Sequence[float]]) -> list[float]:
    length = scale.high - scale.low
    wanted = []
    for values in sides:
        first, _, last = _quartiles(values)
        wanted.append(2 * (last - first) / len(values) ** (1 / 3))
    width = min(max(*wanted, length / MOST), length / FEWEST)
    number = min(max(math.ceil(length / nice(width)), FEWEST), MOST)
    return [scale.low + i * length / number for i in range(number + 1)]


def _counts(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """Values from one edge to the next, the last edge with them; `values` ascend."""
    at = [bisect_right(values, edge) for edge in edges]
    at[0] = sum(1 for value in values[: at[0]] if value < edges[0])
    return [b - a for a, b in pairwise(at)]


def _side(
    name: str, values: Sequence[float], bins: Sequence[Bin], scale: Scale, unit: str
) -> DistributionSide:
    first, middle, last = _quartiles(values)
    return DistributionSide(
        name=name_of(name),
        bins=tuple(one for one in bins if one.height > 0),
        box=(scale.at(first), scale.at(middle), scale.at(last)),
        text=f"{name_of(name)}: {count(len(values), 'value')}, median {plain(middle)} {unit}, "
        f"half of them from {plain(first)} to {plain(last)} {unit}",
    )
