"""Tables of profiles for people: 80 columns are enough, names are folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table

from farm.analysis.operators.roofline import roofline
from farm.analysis.operators.rounds import FEWEST_ROUNDS
from farm.analysis.operators.views import share, slowest
from farm.cli.terminal.console import plain
from farm.model.operators import (
    Bar,
    BarKind,
    Ceilings,
    Comparison,
    Group,
    Operator,
    Profile,
    Row,
    Shapes,
    Timed,
    Waterfall,
)
from farm.store.profiles import Source
from farm.visible import one_line

NAME_CHARS = 200
NONE = "-"
CHANGED = "*"
MOST_COLUMNS = 6
"""Sides in one table of ratios; more are in --json."""
MOST_RANGES = 2
"""Sides whose ranges have room in 80 columns."""


def cells(found: Sequence[dict[str, Any]]) -> Table:
    """A row per cell that has profiles; `-` where none of them can be read."""
    rows = [
        [one["cell"], str(one["rounds"]), str(one.get("operators", NONE)),
         _ms(one["device_ms"]) if "device_ms" in one else NONE, _short(one.get("slowest") or NONE)]
        for one in found
    ]  # fmt: skip
    return _table(("cell", "rounds", "operators", "ms", "slowest"), rows)


def heading(found: Source, profile: Profile) -> Iterator[str]:
    """What the profile is of, its sums, and what of it could not be read."""
    count = len(profile.operators) + profile.unlisted
    sums = f"device {_ms(profile.device_ms)} ms, host {_ms(profile.host_ms)} ms"
    rounds = len(found.profiles)
    medians = f"; medians of {rounds} profiles, from the least to the greatest" if rounds > 1 else ""
    yield f"{found.name}: {count} operators, {sums}{medians}"
    if found.end_to_end_ms is not None:
        gap = found.end_to_end_ms - profile.device_ms
        yield f"a timed inference takes {_ms(found.end_to_end_ms)} ms: {gap:+.3f} ms beside the operators"
    for problem in profile.problems:
        yield f"not all is here: {problem}"


def ceilings(found: Ceilings) -> str:
    """What the device can do, and how that is known."""
    where = {"given": "--ceilings", "inventory": "by the inventory"}.get(found.source, found.source)
    of = f" of {one_line(found.cores, NAME_CHARS)}" if found.cores else ""
    rounds = len(found.rounds_gflops)
    best = f", the best of {rounds} rounds" if rounds > 1 else ""
    low = f"; may be too low: {one_line(found.disturbed, NAME_CHARS)}" if found.disturbed else ""
    return f"ceilings{of}: {found.gflops:.4g} GFLOP/s, {found.gbps:.4g} GB/s ({where}{best}{low})"


def operators(
    profile: Profile, top: int, ceilings: Ceilings | None, spans: Sequence[Timed] = (), *, wide: bool
) -> Table:
    """The slowest operators; `spans` are they over the rounds, for their ranges."""
    shown = slowest(profile)[: top or None]
    columns, rows = ["operator"], [[_name(one)] for one in shown]
    if wide or not ceilings:  # 80 columns have no room for all
        columns += ["type"]
        for row, one in zip(rows, shown, strict=True):
            row += [_short(one.type)]
    ranges = _ranges(spans)
    columns += ["ms", *(["from-to"] if ranges else []), "share", "GFLOP/s", "GB/s"]
    for row, one in zip(rows, shown, strict=True):
        row += [
            _ms(one.device_ms),
            *([ranges.get(one.id, NONE)] if ranges else []),
            _percent(share(one.device_ms, profile)),
            _rate(one.gflops),
            _rate(one.gbps),
        ]
    if ceilings:
        columns += ["bound", "reach"]
        for row, position in zip(rows, roofline(shown, ceilings), strict=True):
            reach = NONE if position.of_ceiling is None else _percent(position.of_ceiling)
            row += [position.bound.value, reach]
    if wide:
        columns += ["host ms", "shapes", "algorithm"]
        for row, one in zip(rows, shown, strict=True):
            row += [_ms(one.host_ms), _shapes(one), _short(one.algorithm or NONE)]
    return _table(columns, rows)


def groups(what: str, found: Sequence[Group], spans: Sequence[Timed] = ()) -> Table:
    """A row per type or layer, in this order."""
    ranges = _ranges(spans)
    rows = [
        [_short(one.key), str(one.count), _ms(one.device_ms),
         *([ranges.get(one.key, NONE)] if ranges else []),
         _percent(one.share), _rate(one.gflops), _rate(one.gbps)]
        for one in found
    ]  # fmt: skip
    between = ("from-to",) if ranges else ()
    return _table((what, "operators", "ms", *between, "share", "GFLOP/s", "GB/s"), rows)


def _ranges(spans: Sequence[Timed]) -> dict[str, str]:
    """By the operator's id: from the least to the greatest time. Empty where there is one round."""
    if all(one.rounds < 2 for one in spans):
        return {}
    return {one.operator.id: f"{_ms(one.low_ms)}-{_ms(one.high_ms)}" for one in spans}


def legend(compared: Comparison) -> Iterator[str]:
    """What A, B, ... are."""
    for letter, one in zip(_letters(compared), compared.sides, strict=True):
        rounds = f"{one.rounds} profile{'s' if one.rounds != 1 else ''}"
        whole = f", inference {_ms(one.end_to_end_ms)} ms" if one.end_to_end_ms is not None else ""
        yield f"{letter}: {one.name} ({rounds}, operators {_ms(one.operators_ms)} ms{whole})"
    fewest = min(one.rounds for one in compared.sides)
    if fewest < FEWEST_ROUNDS:
        few = "one profile" if fewest == 1 else f"{fewest} profiles"
        yield f"{few}: not decided what changed; {FEWEST_ROUNDS} of each side can tell (--profile-rounds)"


def ratios(compared: Comparison, top: int, what: str = "operator") -> Table:
    """Operators (or types, or layers) that are on several sides, the largest difference first: ms of the
    first side, the ratios of the others to it, and of few sides from which to which ratio their rounds go.
    """
    is_operator = what == "operator"
    matched = [row for row in compared.rows if sum(one is not None for one in row.sides) > 1]
    shown = sorted(matched, key=lambda row: -_largest(row))[: top or None]
    letters = _letters(compared)[:MOST_COLUMNS]
    has_ranges = len(letters) <= MOST_RANGES and max(one.rounds for one in compared.sides) > 1
    wanted = 2 if has_ranges else 1
    rows = [
        [_name(row.operator)]
        + ([_short(row.operator.type)] if is_operator else [])
        + [_times(row, 0)]
        + [text for place in range(1, len(letters)) for text in _ratio(row, place)[:wanted]]
        + ([row.matched.value] if is_operator else [])
        for row in shown
    ]
    ratio_columns = [name for one in letters[1:] for name in (f"{one}/{letters[0]}", "from-to")[:wanted]]
    typed, by = (["type"], ["by"]) if is_operator else ([], [])
    columns = [what, *typed, f"{letters[0]} ms", *ratio_columns, *by]
    return _table(columns, rows)


def waterfall_heading(found: Waterfall) -> Iterator[str]:
    """The difference in one line, and what can be said of it."""
    what = "an inference" if found.is_end_to_end else "the sum of operators"
    yield ""
    whole = f"{what} from {_ms(found.before_ms)} to {_ms(found.after_ms)} ms"
    chance = "" if found.is_judged else "; what of it is chance is not decided"
    yield f"{found.after}: {found.delta_ms:+.3f} ms, {whole}{chance}"


def bars(found: Waterfall) -> Table:
    """The contributions, the largest first; `*` marks what changed by more than the rounds vary."""
    rows = [
        [f"{bar.delta_ms:+.3f}", CHANGED if bar.is_changed else "", _of(bar), _ms(bar.before_ms),
         _ms(bar.after_ms)]
        for bar in found.bars
    ]  # fmt: skip
    return _table(("ms", "", "from", "before", "after"), rows)


def unmatched(compared: Comparison, most: int) -> Iterator[str]:
    """Operators that only one side has."""
    for letter, ones in zip(_letters(compared), compared.unmatched, strict=True):
        for timed in sorted(ones, key=lambda one: -one.median_ms)[:most]:
            what = f"{_name(timed.operator)} ({_short(timed.operator.type)})"
            yield f"only in {letter}: {what}, {_ms(timed.median_ms)} ms"
        if len(ones) > most:
            yield f"only in {letter}: {len(ones) - most} more; --json names them"


def _of(bar: Bar) -> str:
    only = bar.kind in {BarKind.ONLY_BEFORE, BarKind.ONLY_AFTER}
    return f"{_short(bar.name)} ({bar.kind.value})" if only else _short(bar.name)


def _letters(compared: Comparison) -> list[str]:
    return [chr(ord("A") + at) if at < 26 else f"side {at + 1}" for at in range(len(compared.sides))]


def _largest(row: Row) -> float:
    """The largest difference to the first side that has it, in ms."""
    times = [one.median_ms for one in row.sides if one is not None]
    return max(abs(one - times[0]) for one in times)


def _times(row: Row, place: int) -> str:
    one = row.sides[place]
    return NONE if one is None else _ms(one.median_ms)


def _ratio(row: Row, place: int) -> tuple[str, str]:
    """And from which to which ratio the rounds go."""
    ratio, span = row.ratios[place], row.ratio_range(place)
    if ratio is None:
        return NONE, NONE
    told = f"{span[0]:.2f}-{span[1]:.2f}" if span else NONE
    return f"{ratio:.3f}{CHANGED if row.is_changed[place] else ''}", told


TEXTS = frozenset({"operator", "type", "cell", "slowest", "layer", "from", "shapes", "algorithm"})
WORDS = frozenset({"by", "bound", ""})


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Names are folded; numbers stand at the right, and neither they nor words are broken."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in columns:
        right = name not in TEXTS | WORDS
        table.add_column(
            name, overflow="fold", no_wrap=name not in TEXTS, justify="right" if right else "left"
        )
    for row in rows:
        table.add_row(*map(plain, row))
    return table


def _name(one: Operator) -> str:
    return _short(one.name or f"operator {one.id}")


def _short(text: str) -> str:
    return one_line(text, NAME_CHARS)


def _shapes(one: Operator) -> str:
    return f"{_sizes(one.input_shapes)} -> {_sizes(one.output_shapes)}"


def _sizes(shapes: Shapes) -> str:
    return " ".join("x".join(map(str, shape)) or "scalar" for shape in shapes) or NONE


def _ms(value: float) -> str:
    return f"{value:.3f}"


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _rate(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
