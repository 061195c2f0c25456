"""What is known of runs and devices now, for pages. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Pieces = Mapping[str, str]
"""HTML by key, in order: the rows of a table, the parts of a list."""


@dataclass(frozen=True)
class Page:
    """A live page: its pieces by the id of their element. Two with the same pieces look the same."""

    parts: Mapping[str, Pieces]


@dataclass(frozen=True)
class CellNow:
    """`values_ms` are those of the newest counted rounds; `median_ms` is over all `rounds` of them. `other`
    are rounds of other kinds, and timed ones that do not count; `why` says what failed, with `hint`.
    """

    device: str
    model: str
    column: str
    state: str
    rounds: int
    planned: int
    other: int
    median_ms: float | None
    values_ms: tuple[float, ...]
    why: str | None
    hint: str | None


@dataclass(frozen=True)
class DeviceNow:
    """A device in a run. `done` of `total` timed rounds, as far as they are planned; `left` in words.
    `last` is what the journal has last of it, at `last_at_s` (seconds since 1970). `heat_c` is of the
    hottest sensor.
    """

    name: str
    address: str
    state: str
    done: int
    total: int
    left: str | None
    last: str
    last_at_s: float | None
    heat_c: float | None
    heat_of: str | None
    is_open: bool


@dataclass(frozen=True)
class Told:
    """Something that happened in a run, with its number in it. `at_s`: seconds since 1970, None where it is
    not known.
    """

    text: str
    is_bad: bool = False
    at_s: float | None = None
    number: int = 0


@dataclass(frozen=True)
class RunNow:
    """A run as its journal has it so far. `problem` says why it cannot be read; `behind_bytes` are still to
    be read; `left_out` are lines, `more_rounds` rounds that are not shown.
    """

    run_id: str
    status: str
    goes_on: bool
    started_at: str = ""
    ended_at: str | None = None
    command: str = ""
    cells: tuple[CellNow, ...] = ()
    devices: tuple[DeviceNow, ...] = ()
    told: tuple[Told, ...] = ()
    problem: str | None = None
    behind_bytes: int = 0
    left_out: int = 0
    more_rounds: int = 0
    has_report: bool = False


@dataclass(frozen=True)
class Brief:
    """A run that does not go on, in the list. `status` is None until it was read."""

    run_id: str
    began_s: float
    status: str | None = None
    decision: str | None = None
    cells: Mapping[str, int] | None = None
    devices: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    problem: str | None = None
    has_report: bool = False


@dataclass(frozen=True)
class ShelfNow:
    """All runs: those that go on, then the newest others. `older` are not shown, `links` are left out: they
    may lead anywhere.
    """

    running: tuple[RunNow, ...] = ()
    others: tuple[Brief, ...] = ()
    older: int = 0
    links: int = 0
    not_followed: int = 0
    problem: str | None = None


@dataclass(frozen=True)
class Health:
    """The gravest finding of the last check of a device: none where `text` is None. `others` were found,
    too.
    """

    at_s: float
    severity: str | None = None
    text: str | None = None
    todo: str | None = None
    others: int = 0


@dataclass(frozen=True)
class LeaseNow:
    """Who holds a device, since when, as it said `at_s`; `holder` is None for a free one."""

    at_s: float
    holder: str | None = None
    since_s: float | None = None


@dataclass(frozen=True)
class HeatNow:
    """The hottest sensor of a device, as it was `at_s`."""

    at_s: float
    heat_c: float
    sensor: str


@dataclass(frozen=True)
class FleetDevice:
    """A device of the inventory. `by_run` measures it, on this machine: then it is not asked, and its
    values are those of that run; `queue` are other runs here that have work for it. `error` says why it
    does not answer.
    """

    name: str
    address: str
    lease: LeaseNow | None = None
    heat: HeatNow | None = None
    health: Health | None = None
    by_run: str | None = None
    queue: tuple[str, ...] = ()
    quarantine: str | None = None
    error: str | None = None
    hint: str | None = None
    error_at_s: float | None = None
