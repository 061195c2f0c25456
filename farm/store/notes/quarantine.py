"""Quarantine: devices that are left out for some time, with the reason. A file each in `.quarantine/` of the
folder of the runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from farm.errors import RequestError
from farm.store.notes.files import Notes, is_name
from farm.suggest import nearest

FOLDER = ".quarantine"
BY_HAND, BY_CHECK = "hand", "check"


@dataclass(frozen=True)
class Quarantine:
    """`since` and `until` are ISO 8601, UTC. `by`: `hand`, or `check`: then a check that passes ends it."""

    device: str
    why: str
    since: str
    until: str
    by: str

    @property
    def sentence(self) -> str:
        return f"in quarantine until {self.until[:16].replace('T', ' ')} (UTC): {self.why}"

    def holds(self, now: datetime) -> bool:
        """One whose end is no time holds until somebody ends it."""
        try:
            return now < datetime.fromisoformat(self.until)
        except (ValueError, TypeError):
            return True


def _notes(runs_dir: Path) -> Notes:
    keys = ("why", "since", "until", "by")
    return Notes(runs_dir / FOLDER, "the quarantine", keys, "farm devices restore {name}")


def in_quarantine(runs_dir: Path) -> Mapping[str, Quarantine]:
    """Those that hold now, by device. One that cannot be read holds: somebody wanted the device left out."""
    found = (quarantine_of(runs_dir, name) for name in _notes(runs_dir).names())
    return {one.device: one for one in found if one is not None}


def quarantine_of(runs_dir: Path, device: str) -> Quarantine | None:
    """The same of one device, whose file alone is read."""
    if not is_name(device):
        return None
    try:
        one = Quarantine(device, **_notes(runs_dir).read(device))
    except RequestError as error:
        if isinstance(error.__cause__, FileNotFoundError):  # there is none, or somebody ended it meanwhile
            return None
        one = Quarantine(device, error.message, "", "", BY_HAND)
    return one if one.holds(datetime.now(UTC)) else None


def put(runs_dir: Path, device: str, why: str, days: float, by: str = BY_HAND) -> Quarantine:
    """A device that is in quarantine already gets the new reason and end. Raises RunError for disk errors."""
    now = datetime.now(UTC)
    texts = {
        "why": why,
        "since": now.isoformat(timespec="seconds"),
        "until": (now + timedelta(days=days)).isoformat(timespec="seconds"),
        "by": by,
    }
    return Quarantine(device, **_notes(runs_dir).write(device, texts))


def restore(runs_dir: Path, device: str) -> None:
    """Raises RequestError for a device that is not in quarantine, RunError for disk errors."""
    notes = _notes(runs_dir)
    if not notes.has(device):
        raise RequestError(
            f"{device} is not in quarantine{nearest(device, notes.names())}",
            hint="farm devices quarantine lists them",
        )
    notes.remove(device)


def released(runs_dir: Path, passed: Iterable[str]) -> tuple[str, ...]:
    """Of devices that passed a check, those whose quarantine a failed one began: it is over."""
    found = in_quarantine(runs_dir)
    over = tuple(name for name in passed if name in found and found[name].by == BY_CHECK)
    for name in over:
        restore(runs_dir, name)
    return over
