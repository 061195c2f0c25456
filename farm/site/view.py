"""What the pages of a site show: every text is chosen, every number rounded. Read by reports/site/."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tally:
    """A number with its word; `key` chooses the colour."""

    key: str
    symbol: str
    number: int
    word: str


@dataclass(frozen=True)
class RunRow:
    """A line of the index. `href` is None where the run has no report."""

    run_id: str
    href: str | None
    summary_href: str
    started: str
    took: str
    status: str
    decision: str | None
    decision_key: str
    tallies: tuple[Tally, ...]
    cells: tuple[Tally, ...]
    devices: str
    models: str
    builds: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    text: str
    href: str


@dataclass(frozen=True)
class IndexPage:
    """`root` is the way from the page to the site's first folder. `others` are the pages with older runs."""

    root: str
    title: str
    facts: tuple[str, ...]
    rows: tuple[RunRow, ...]
    others: tuple[Link, ...]
    trends: tuple[Link, ...]
    is_first: bool


@dataclass(frozen=True)
class Spark:
    """Paths of an SVG of `width` by `height`: medians as a line and as dots, intervals, and where something
    else was measured than before. `text` says what is to be seen.
    """

    width: int
    height: int
    line: str
    dots: str
    last: str
    intervals: str
    changes: str
    text: str


@dataclass(frozen=True)
class Value:
    """A cell in one run; times in ms as text. `change` says what else is new in it."""

    run_id: str
    href: str | None
    started: str
    median: str
    interval: str
    change: str


@dataclass(frozen=True)
class TrendRow:
    """A cell over its runs, the newest `values` first. `ratio` is the newest median over the one before."""

    device: str
    column: str
    runs: int
    median: str
    interval: str
    before: str
    ratio: str
    spark: Spark
    values: tuple[Value, ...]


@dataclass(frozen=True)
class TrendPage:
    root: str
    model: str
    rows: tuple[TrendRow, ...]
    left_out: int
    runs: int
