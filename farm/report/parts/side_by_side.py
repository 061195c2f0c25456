"""Operators of a run side by side: of the variants and builds on a device, of the devices with a variant, and
of a cell in an earlier run and in this one.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from farm.analysis.operators.align import aligned
from farm.analysis.operators.rounds import FEWEST_ROUNDS
from farm.analysis.operators.waterfall import waterfall
from farm.compare.words import SYMBOLS
from farm.model.comparison import Verdict
from farm.model.operators import BarKind, Comparison, Matched, Row, Side, Timed
from farm.model.run import CellResult
from farm.report.figures import waterfall as figure
from farm.report.figures.heat_map import shade_of
from farm.report.figures.view import HeatCell, Waterfall
from farm.report.numerals import as_ratio, count, decimals_for, in_ms
from farm.report.views.side_by_side import Alone, OperatorsOfRun, RatioRow, SideBySide, SideHead
from farm.visible import one_line

MOST_OF_A_KIND = 6
"""Tables of variants, of devices, and of runs."""
MOST_SIDES = 6
MOST_IN_COMMAND = 64
"""Sides that `farm profiles compare` takes."""
MOST_ROWS, MOST_LAYERS, MOST_ALONE, MOST_WATERFALLS = 12, 8, 5, 3
LONGEST_NAME = 120
ONLY = frozenset({BarKind.ONLY_BEFORE, BarKind.ONLY_AFTER})

TIMES = "\N{MULTIPLICATION SIGN}"
UNDECIDED = ("undecided", "?", "not decided")
SAME = ("same", SYMBOLS[Verdict.UNCHANGED], "no change shown")
SLOWER = (Verdict.SLOWER.value, SYMBOLS[Verdict.SLOWER], "slower")
FASTER = (Verdict.FASTER.value, SYMBOLS[Verdict.FASTER], "faster")


@dataclass(frozen=True)
class Known:
    """A cell whose profiles were read, and its operators and layers over them. `anchor` is None for a cell of
    another run; `since` is then the id of the cell of this run that it is compared with.
    """

    cell: CellResult
    run_id: str
    anchor: str | None
    operators: Side
    layers: Side
    since: str | None = None

    @property
    def source(self) -> str:
        """As `farm profiles` takes it."""
        return f"{self.run_id}:{self.cell.id}"


@dataclass(frozen=True)
class _Group:
    """`pattern` is what `farm profiles compare` takes for all of it; `names` are its columns."""

    title: str
    pattern: tuple[str, ...]
    ones: tuple[Known, ...]
    names: tuple[str, ...]


def side_by_side(known: Sequence[Known], notes: Sequence[str] = ()) -> OperatorsOfRun | None:
    """The section; None where no two cells can be compared. `notes` say what was not read."""
    kinds = (_runs(known), _variants(known), _devices(known))
    shown = [
        group for kind in kinds for group in sorted(kind, key=_difference, reverse=True)[:MOST_OF_A_KIND]
    ]
    left = sum(map(len, kinds)) - len(shown)
    if not shown:
        return None
    told = [*notes]
    if left:
        command = shlex.join(("farm", "profiles", "compare", f"{shown[-1].ones[-1].run_id}:DEVICE/MODEL/*"))
        told.append(f"{count(left, 'table')} with smaller differences left out: {command}")
    return OperatorsOfRun(tuple(map(_composed, shown)), tuple(told))


# --------------------------------------------------------------------------- what is compared


def _runs(known: Sequence[Known]) -> list[_Group]:
    now = {one.cell.id: one for one in known if one.since is None}
    found = []
    for old in known:
        new = now.get(old.since or "")
        if new is not None:
            title = f"{new.cell.id}, before and now"
            names = (f"run {old.run_id}", "this run")
            found.append(_Group(title, (old.source, new.source), (old, new), names))
    return found


def _variants(known: Sequence[Known]) -> list[_Group]:
    by: dict[tuple[str, str], list[Known]] = {}
    for one in (one for one in known if one.since is None):
        by.setdefault((one.cell.device, one.cell.model), []).append(one)
    return [
        _group(f"{model} on {device}", f"{device}/{model}/*", ones, [one.cell.column for one in ones])
        for (device, model), ones in by.items()
        if len(ones) > 1
    ]


def _devices(known: Sequence[Known]) -> list[_Group]:
    by: dict[tuple[str, str], list[Known]] = {}
    for one in (one for one in known if one.since is None):
        by.setdefault((one.cell.model, one.cell.column), []).append(one)
    return [
        _group(f"{model} {column}, by device", f"*/{model}/{column}", ones, [one.cell.device for one in ones])
        for (model, column), ones in by.items()
        if len(ones) > 1
    ]


def _group(title: str, pattern: str, ones: Sequence[Known], names: Sequence[str]) -> _Group:
    return _Group(title, (f"{ones[0].run_id}:{pattern}",), tuple(ones), tuple(names))


def _difference(group: _Group) -> float:
    return max(_apart(group.ones[0], one) for one in group.ones[1:])


def _apart(reference: Known, one: Known) -> float:
    """How far the sums of two sides are from each other, as a logarithm; 0 where one of them is."""
    before_ms, after_ms = reference.operators.operators_ms, one.operators.operators_ms
    return abs(math.log(after_ms / before_ms)) if before_ms > 0 < after_ms else 0.0


# --------------------------------------------------------------------------- a table of it


def _composed(group: _Group) -> SideBySide:
    reference, *others = range(len(group.ones))
    by_difference = sorted(others, key=lambda place: -_apart(group.ones[reference], group.ones[place]))
    places = [reference, *sorted(by_difference[: MOST_SIDES - 1])]
    ones, names = [group.ones[at] for at in places], [group.names[at] for at in places]
    compared = aligned([one.operators for one in ones])
    rows = [row for row in compared.rows if sum(one is not None for one in row.sides) > 1]
    rows.sort(key=_largest_ms, reverse=True)
    layers = sorted(aligned([one.layers for one in ones]).rows, key=_largest_ms, reverse=True)
    command = shlex.join(("farm", "profiles", "compare", *group.pattern))
    order = [places.index(at) for at in by_difference if at in places][:MOST_WATERFALLS]
    return SideBySide(
        title=group.title,
        sides=tuple(_head(name, one) for name, one in zip(names, ones, strict=True)),
        rows=_rows(rows[:MOST_ROWS], names),
        totals=_totals(compared.sides),
        layers=_rows(layers[:MOST_LAYERS], names) if len(layers) > 1 else (),
        alone=_alone(compared, names),
        waterfalls=tuple((names[at], drawn) for at in order if (drawn := origin(compared, at)) is not None),
        undecided=_undecided(names, ones),
        left=_left(len(rows) - MOST_ROWS, len(group.ones) - len(ones), command),
        command=command,
    )


def _head(name: str, one: Known) -> SideHead:
    return SideHead(name, count(one.operators.rounds, "profile"), one.anchor)


def _left(rows: int, sides: int, command: str) -> tuple[str, ...]:
    told = []
    if rows > 0:
        told.append(f"and {count(rows, 'operator')} that differ less: {command} --top 0")
    if sides > 0:
        where = command if sides + MOST_SIDES <= MOST_IN_COMMAND else "farm profiles show names them all"
        told.append(f"{count(sides, 'column')} whose sums differ less left out: {where}")
    return tuple(told)


def _undecided(names: Sequence[str], ones: Sequence[Known]) -> str | None:
    """Why nothing, or not all, can be called changed."""
    few = [(name, one) for name, one in zip(names, ones, strict=True) if one.operators.rounds < FEWEST_ROUNDS]
    if not few:
        return None
    name, fewest = min(few, key=lambda one: one[1].operators.rounds)
    number = "one profile" if fewest.operators.rounds == 1 else f"{fewest.operators.rounds} profiles"
    return f"{number}: not decided what changed ({name}); {FEWEST_ROUNDS} of each can tell: --profile-rounds"


def _largest_ms(row: Row) -> float:
    """The largest difference to the first side that has it, in ms."""
    return max(abs(one.median_ms - row.base.median_ms) for one in row.sides if one is not None)


def _rows(rows: Sequence[Row], names: Sequence[str]) -> tuple[RatioRow, ...]:
    decimals = decimals_for(row.base.median_ms for row in rows)
    return tuple(
        RatioRow(
            name=one_line(row.operator.name or f"operator {row.operator.id}", LONGEST_NAME),
            type=one_line(row.operator.type, LONGEST_NAME),
            cells=tuple(_cell(row, place, decimals) for place in range(len(row.sides))),
            note=_note(row, names),
        )
        for row in rows
    )


def _cell(row: Row, place: int, decimals: int) -> HeatCell | None:
    here, ratio = row.sides[place], row.ratios[place]
    if here is None:
        return None
    if ratio is None:
        span = f"{in_ms(here.low_ms, decimals)} to {in_ms(here.high_ms, decimals)}" if here.rounds > 1 else ""
        return HeatCell("base", "", "", 0, f"{in_ms(here.median_ms, decimals)} ms", span, None)
    key, symbol, word = _mark(row, here, place)
    bounds = row.ratio_range(place)
    has_range = bounds is not None and max(here.rounds, row.base.rounds) > 1
    span = f"{as_ratio(bounds[0])} to {as_ratio(bounds[1])}" if bounds and has_range else ""
    return HeatCell(
        key, symbol, word, shade_of(ratio) if row.is_changed[place] else 0, as_ratio(ratio), span, None
    )


def _mark(row: Row, here: Timed, place: int) -> tuple[str, str, str]:
    if min(here.rounds, row.base.rounds) < FEWEST_ROUNDS:
        return UNDECIDED
    if not row.is_changed[place]:
        return SAME
    return SLOWER if here.median_ms > row.base.median_ms else FASTER


def _note(row: Row, names: Sequence[str]) -> str:
    """How it was found where not by its name, and the algorithms where they are not the same."""
    told = [f"found by {row.matched.value}"] if row.matched in {Matched.SHAPES, Matched.ORDER} else []
    chosen = {
        name: one.operator.algorithm
        for name, one in zip(names, row.sides, strict=True)
        if one is not None and one.operator.algorithm
    }
    if len(set(chosen.values())) > 1:
        told.append("algorithm " + ", ".join(f"{one} ({name})" for name, one in chosen.items()))
    return one_line("; ".join(told), 4 * LONGEST_NAME)


def _totals(sides: Sequence[Side]) -> tuple[RatioRow, ...]:
    """The sum of the operators, a whole inference, and what lies between the two."""
    sums = [one.operators_ms for one in sides]
    wholes = [one.end_to_end_ms for one in sides]
    gaps = [None if whole is None else whole - sum_ for whole, sum_ in zip(wholes, sums, strict=True)]
    decimals = decimals_for(value for value in (*sums, *wholes) if value is not None)
    rows = [RatioRow("all operators", "", _sums(sums, decimals))]
    if any(whole is not None for whole in wholes):
        rows.append(RatioRow("a timed inference", "", _sums(wholes, decimals)))
        told = (None if gap is None else _plain(f"{gap:+.{decimals}f} ms") for gap in gaps)
        rows.append(RatioRow("beside the operators", "", tuple(told)))
    return tuple(rows)


def _sums(values_ms: Sequence[float | None], decimals: int) -> tuple[HeatCell | None, ...]:
    first_ms, *others_ms = values_ms
    found = [None if first_ms is None else _plain(f"{in_ms(first_ms, decimals)} ms")]
    for value_ms in others_ms:
        below = f"{TIMES} {as_ratio(value_ms / first_ms)}" if value_ms is not None and first_ms else ""
        found.append(None if value_ms is None else _plain(f"{in_ms(value_ms, decimals)} ms", below))
    return tuple(found)


def _plain(text: str, below: str = "") -> HeatCell:
    return HeatCell("base", "", "", 0, text, below, None)


def _alone(compared: Comparison, names: Sequence[str]) -> tuple[Alone, ...]:
    found = []
    for name, ones in zip(names, compared.unmatched, strict=True):
        if ones:
            longest = sorted(ones, key=lambda one: -one.median_ms)[:MOST_ALONE]
            left = len(ones) - len(longest)
            found.append(Alone(name, tuple(map(_told, longest)), f"and {left} more" if left else None))
    return tuple(found)


def _told(one: Timed) -> str:
    name = one_line(one.operator.name or f"operator {one.operator.id}", LONGEST_NAME)
    return f"{name} ({one_line(one.operator.type, LONGEST_NAME)}, {one.median_ms:.3f} ms)"


def origin(compared: Comparison, after: int = 1) -> Waterfall | None:
    """Where the difference of a side to the first one comes from."""
    made = waterfall(compared, after=after, top=figure.MOST_STEPS)
    parts: Iterable[tuple[str, float]] = [
        (f"{bar.name}{_state(bar.kind, is_changed=bar.is_changed)}", bar.delta_ms)
        for bar in made.bars
        if bar.kind is not BarKind.UNATTRIBUTED
    ]
    return figure.waterfall(list(parts), made.before_ms, made.after_ms, most=figure.MOST_STEPS + 1)


def _state(kind: BarKind, *, is_changed: bool) -> str:
    if kind in ONLY:
        return f" ({kind.value})"
    return " (changed)" if is_changed else ""
