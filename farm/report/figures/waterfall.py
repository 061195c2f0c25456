"""Where a difference of two times comes from."""

from __future__ import annotations

import math
from collections.abc import Sequence

from farm.report.figures.scales import Scale, axis, finite, limited, linear
from farm.report.figures.thin import name_of
from farm.report.figures.view import Step, Waterfall
from farm.report.numerals import count

MOST_STEPS = 10


def waterfall(
    parts: Sequence[tuple[str, float]], before_ms: float, after_ms: float, most: int = MOST_STEPS
) -> Waterfall | None:
    """`parts` are (name, contribution in ms), above 0 where it became slower; totals in ms.

    The largest come first; the rest is one bar `other`, and what the parts do not explain one `unattributed`.
    None where a total is not a number.
    """
    if len(finite((before_ms, after_ms))) < 2:
        return None
    known = [(name, limited(ms)) for name, ms in parts if math.isfinite(ms)]
    order = sorted(known, key=lambda part: -abs(part[1]))
    shown, rest = order[:most], order[most:]
    other = math.fsum(ms for _, ms in rest)
    unattributed = after_ms - before_ms - math.fsum(ms for _, ms in known)
    rows = [(name_of(name), ms) for name, ms in shown]
    rows += [(f"other ({count(len(rest), 'part')})", other)] if rest else []
    rows.append(("unattributed", unattributed))
    levels = [before_ms]
    for _, ms in rows:
        levels.append(limited(levels[-1] + ms))
    scale = linear([*levels, after_ms], margin=0.05)
    missing = len(parts) - len(known)
    change = after_ms - before_ms
    return Waterfall(
        title=f"Where {_signed(change, scale)} come from" if change else "The totals are the same",
        text=_text(rows, before_ms, after_ms, scale),
        note=f"{count(missing, 'part')} without a time left out" if missing else None,
        axis=axis(scale, "ms", most=4),
        steps=(
            _total("before", before_ms, scale),
            *(_step(name, ms, start, scale) for (name, ms), start in zip(rows, levels, strict=False)),
            _total("after", after_ms, scale),
        ),
    )


def _text(rows: Sequence[tuple[str, float]], before_ms: float, after_ms: float, scale: Scale) -> str:
    first = ", ".join(f"{name} {_signed(ms, scale)}" for name, ms in rows[:3])
    return f"from {_number(before_ms, scale)} to {_number(after_ms, scale)} ms: first {first}"


def _number(ms: float, scale: Scale) -> str:
    """With as many decimals as the length of the axis asks for."""
    if max(abs(scale.low), abs(scale.high)) >= 1e9:
        return f"{ms:.3g}"
    decimals = min(max(2 - math.floor(math.log10(scale.high - scale.low)), 0), 6)
    return f"{ms:.{decimals}f}"


def _own_number(ms: float, scale: Scale) -> str:
    """With more decimals than the axis has where a part would be 0 with these, up to a microsecond."""
    text = _number(ms, scale)
    return text if any(digit in text for digit in "123456789") or not 0.0005 <= ms < 1 else f"{ms:.3f}"


def _signed(ms: float, scale: Scale) -> str:
    text = _own_number(abs(ms), scale)
    if not any(digit in text for digit in "123456789"):
        return f"{text} ms"
    return f"{'+' if ms > 0 else MINUS}{text} ms"


MINUS = "\N{MINUS SIGN}"


def _total(name: str, ms: float, scale: Scale) -> Step:
    return Step(name, f"{_number(ms, scale)} ms", "total", scale.at(ms), scale.at(ms))


def _step(name: str, ms: float, start: float, scale: Scale) -> Step:
    ends = sorted((scale.at(start), scale.at(start + ms)))
    side = "slower" if ms > 0 else "faster" if ms < 0 else "none"
    return Step(name, _signed(ms, scale), side, ends[0], ends[1])
