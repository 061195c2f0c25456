"""Nights, what is open since which, and what of it is new."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a piece of news is about; in the order in which they are told."""

    NOT_RUN = "not-run"
    WRONG_OUTPUTS = "wrong-outputs"
    SLOWER = "slower"
    FEW_MEASURED = "few-measured"
    QUARANTINED = "quarantined"
    DRIFTS = "drifts"
    """A device, against the others of its class."""
    NOT_COMPARED = "not-compared"
    FASTER = "faster"
    ENDED = "ended"
    """Something that was told is over."""


@dataclass(frozen=True)
class Finding:
    """Something that holds of a night: of a `cell` (its id, or the name of a device; empty: of the night),
    against a `baseline` (as the suite names it; empty: none). `text` says it to people.
    """

    kind: Kind
    cell: str
    baseline: str
    text: str

    @property
    def key(self) -> tuple[Kind, str, str]:
        """What stays the same from night to night."""
        return self.kind, self.cell, self.baseline


@dataclass(frozen=True)
class Open:
    """A finding that was told, and since which run it holds."""

    finding: Finding
    since: str


@dataclass(frozen=True)
class State:
    """What is remembered from one night to the next. `pending` was to be told, and could not be: by who was
    to be told it (a digest, since an address may be a secret).
    """

    open: tuple[Open, ...] = ()
    pending: dict[str, tuple[Finding, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Night:
    """What came of a night: everything that holds (`findings`), what is known and `accepted`, and what was
    `decided` at all: kinds, cells and baselines of which it was seen whether they hold. `cells` and
    `baselines` are those that the suite has by now. Of a night that did not run nothing but `findings` is
    known, and `wanted` is 0. `is_sound`: its canaries do not say that nothing can be decided.
    """

    run: str
    findings: tuple[Finding, ...] = ()
    decided: frozenset[tuple[Kind, str, str]] = frozenset()
    accepted: tuple[Finding, ...] = ()
    measured: int = 0
    wanted: int = 0
    cells: frozenset[str] = frozenset()
    baselines: frozenset[str] = frozenset()
    is_sound: bool = True


@dataclass(frozen=True)
class Message:
    """What is sent. `news` are new, `still` are open since an earlier night."""

    suite: str
    run: str
    exit_code: int
    news: tuple[Finding, ...]
    still: tuple[Open, ...]
    acknowledged: tuple[str, ...]
    report: str | None = None

    @property
    def subject(self) -> str:
        first = self.news[0].text if self.news else "nothing new"
        more = f" (and {len(self.news) - 1} more)" if len(self.news) > 1 else ""
        return f"{self.suite}: {first}{more}"
