"""Rounds in the order in which they ran, with what is wrong with each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from farm.report.figures.scales import axis, finite, linear
from farm.report.figures.thin import name_of, peaks, said
from farm.report.figures.view import RoundMark, RoundsFigure
from farm.report.numerals import in_ms

MOST_ROUNDS = 400


@dataclass(frozen=True)
class OneRound:
    """`value_ms` is None where the round failed; `quality` says what is wrong with one not `is_ok`."""

    name: str
    value_ms: float | None
    is_ok: bool = True
    quality: str = ""


def rounds_figure(
    rounds: Sequence[OneRound],
    median_ms: float | None,
    interval_ms: tuple[float, float] | None = None,
    decimals: int = 3,
) -> RoundsFigure | None:
    """Values in ms, to be told with `decimals`. None with fewer than two rounds that have a value."""
    values = [
        one.value_ms if one.value_ms is not None and math.isfinite(one.value_ms) else None for one in rounds
    ]
    known = finite(values)
    if len(known) < 2:
        return None
    median = finite([median_ms])
    band = finite(interval_ms or ())
    scale = linear([*known, *median, *band], margin=0.08)
    drawn, total = peaks(values, MOST_ROUNDS), len(rounds)
    doubtful = sum(not one.is_ok and value is not None for one, value in zip(rounds, values, strict=True))
    failed = len(rounds) - len(known)
    extra = [
        f"{doubtful} of doubtful quality" if doubtful else "",
        f"{failed} without a value" if failed else "",
    ]
    return RoundsFigure(
        title=f"{len(rounds):,} rounds in the order in which they ran",
        text="; ".join(filter(None, (_range(known, median, decimals), *extra))),
        note=said(len(drawn), len(rounds), "rounds"),
        axis=axis(scale, "ms", most=4),
        marks=tuple(
            _mark(rounds[i], values[i], (i + 0.5) / total, scale.at(values[i] or 0.0), decimals)
            for i in drawn
        ),
        median=scale.at(median[0]) if median else None,
        band=(scale.at(min(band)), scale.at(max(band))) if len(band) == 2 else None,
        doubtful=doubtful,
        failed=failed,
    )


def _range(known: Sequence[float], median: Sequence[float], decimals: int) -> str:
    told = f", median {in_ms(median[0], decimals)} ms" if median else ""
    return f"from {in_ms(min(known), decimals)} to {in_ms(max(known), decimals)} ms{told}"


def _mark(one: OneRound, value: float | None, x: float, y: float, decimals: int) -> RoundMark:
    told = "no value" if value is None else f"{in_ms(value, decimals)} ms"
    quality = f", {one.quality}" if one.quality and not one.is_ok else ""
    return RoundMark(
        x=x,
        y=0.0 if value is None else y,
        is_ok=one.is_ok,
        is_failed=value is None,
        text=f"{name_of(one.name)}: {told}{name_of(quality)}",
    )
