"""What a figure shows: positions ready to draw and texts ready to print.

Every position is a fraction, 0 to 1, of an axis that goes to the right or upwards; every text may come from a
device and is escaped by the macros of reports/macros/, which draw these. `title` is the figure's name, `text`
says in a sentence what is to be seen; `note` what was left out, None where nothing was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """`label` says what the axis is, with its unit."""

    label: str
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class Whisker:
    """A ratio on an axis that is the same for a column of them. `band` is what does not count, `none` no
    change; `interval` is None where it is not known. `is_cut`: whether the interval goes on beyond an end.
    `side`: `slower`, `faster` or `none`, by the verdict.
    """

    at: float
    interval: tuple[float, float] | None
    is_cut: tuple[bool, bool]
    band: tuple[float, float]
    none: float
    side: str
    text: str


@dataclass(frozen=True)
class RoundMark:
    """A round; hollow unless `is_ok`. `is_failed`: it has no value, and `y` is 0."""

    x: float
    y: float
    is_ok: bool
    is_failed: bool
    text: str


@dataclass(frozen=True)
class RoundsFigure:
    """Rounds in the order in which they ran; `band` is the interval of their median."""

    title: str
    text: str
    note: str | None
    axis: Axis
    marks: tuple[RoundMark, ...]
    median: float | None
    band: tuple[float, float] | None
    doubtful: int
    failed: int


@dataclass(frozen=True)
class PairsPlot:
    """Pairs in run order: (x, y) per pair, y its ratio on an axis from `low` to `high`, which are texts.

    `band` is the part of that axis within the minimum effect, `none` where the ratio is 1.
    """

    points: tuple[Point, ...]
    band: tuple[float, float]
    none: float
    low: str
    high: str
    text: str


@dataclass(frozen=True)
class Bin:
    """A bar of a histogram: where it begins and ends, and its height, 1 for the highest of all sides."""

    low: float
    high: float
    height: float


@dataclass(frozen=True)
class DistributionSide:
    """`box` is the quartiles and the median between them; `text` says these and the number of values."""

    name: str
    bins: tuple[Bin, ...]
    box: tuple[float, float, float]
    text: str


@dataclass(frozen=True)
class Distribution:
    """Histograms of one or two sides on one axis: the second hangs down from it."""

    title: str
    text: str
    note: str | None
    axis: Axis
    sides: tuple[DistributionSide, ...]


@dataclass(frozen=True)
class Lane:
    """A track: `lines` are its unbroken parts, `bands` the range about them (along its upper edge and
    back along the lower one).
    """

    axis: Axis
    lines: tuple[tuple[Point, ...], ...]
    bands: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True)
class Tracks:
    """Lanes over the same rounds. `throttled` are the spans in which the device was slowed down."""

    title: str
    text: str
    note: str | None
    lanes: tuple[Lane, ...]
    rounds: Axis
    throttled: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Step:
    """A bar of a waterfall from `low` to `high`. `side`: `slower` (adds time), `faster`, `none`, or `total`,
    where both are the same.
    """

    name: str
    value: str
    side: str
    low: float
    high: float


@dataclass(frozen=True)
class Waterfall:
    """From one total to another. The axis does not begin at 0: it has what changed in it."""

    title: str
    text: str
    note: str | None
    axis: Axis
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Bar:
    """A row with a bar of each side, None where that side has no such row."""

    name: str
    values: tuple[str, ...]
    sizes: tuple[float | None, ...]


@dataclass(frozen=True)
class Bars:
    """Rows with a bar of one or two sides each, on an axis from 0."""

    title: str
    text: str
    note: str | None
    axis: Axis
    sides: tuple[str, ...]
    rows: tuple[Bar, ...]


@dataclass(frozen=True)
class RooflinePoint:
    """An operator. `bound`: `memory`, `computation` or `unknown`; `label`: its number in the list of those
    that take most of the time, empty for the others.
    """

    x: float
    y: float
    bound: str
    label: str
    text: str


@dataclass(frozen=True)
class Roofline:
    """`roof` is the line that no operator can be above, as far as the ceilings are known; `ridge` where its
    two parts meet. `ceilings` say what they are.
    """

    title: str
    text: str
    note: str | None
    x_axis: Axis
    y_axis: Axis
    roof: tuple[Point, ...]
    ridge: float | None
    ceilings: tuple[str, ...]
    points: tuple[RooflinePoint, ...]


@dataclass(frozen=True)
class Holder:
    name: str
    size: str
    share: float


@dataclass(frozen=True)
class MemoryTimeline:
    """Bytes in use over the steps of a plan: `line` is their outline, `peak` its highest point, and `holders`
    who has that memory, the largest first; `share` is of the peak.
    """

    title: str
    text: str
    note: str | None
    x_axis: Axis
    y_axis: Axis
    line: tuple[Point, ...]
    peak: Point
    peak_label: str
    holders: tuple[Holder, ...]


@dataclass(frozen=True)
class HeatCell:
    """`key`: the verdict as a class; `shade`: 0 to 4, how much it changed. `symbol` and `word` say the same
    as the shade. `anchor` is that of the detail, `href` its link where it is in another page; None without
    one.
    """

    key: str
    symbol: str
    word: str
    shade: int
    ratio: str
    interval: str
    anchor: str | None
    href: str | None = None
    note: str = ""


@dataclass(frozen=True)
class HeatRow:
    name: str
    cells: tuple[HeatCell | None, ...]


@dataclass(frozen=True)
class HeatMap:
    """A table. None where there is no such cell, which `absent` says; `legend` explains the shades."""

    title: str
    note: str | None
    legend: str
    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    absent: str = "not in this run"


@dataclass(frozen=True)
class ChangePoint:
    """Where a series changed. `side`: `slower` (rose), `faster` (fell) or `none`."""

    at: float
    side: str
    text: str


@dataclass(frozen=True)
class Sparkline:
    """A series in one small line: `lines` are its unbroken parts, `levels` the medians between changes, as
    (begin, end, height).
    """

    text: str
    lines: tuple[tuple[Point, ...], ...]
    levels: tuple[tuple[float, float, float], ...]
    changes: tuple[ChangePoint, ...]
    last: Point
