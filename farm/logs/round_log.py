"""The log of one round as it is kept in memory: its numbers, and how its streams begin and end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from farm.causes.diagnose import ends
from farm.logs.load_and_run import parse_log
from farm.model.measurement import Measurement


@dataclass(frozen=True)
class RoundLog:
    """`measurement` is of the whole log; of the streams only both ends are here.

    `unread` says why the log was not read, where it was not.
    """

    measurement: Measurement
    stdout: str
    stderr: str
    unread: str | None = None

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


def read_round_log(stdout: Path | None, stderr: Path | None, runs: int) -> RoundLog:
    """Read both streams, where there are any; bytes that are not UTF-8 are replaced. Raises OSError.

    A measurement may be written to either: stderr in current builds, stdout in old ones.
    """
    out, err = (path.read_bytes().decode("utf-8", "replace") if path else "" for path in (stdout, stderr))
    return round_log(out, err, runs)


def round_log(stdout: str, stderr: str, runs: int = 1) -> RoundLog:
    """The same of streams in memory."""
    return RoundLog(parse_log(stdout + stderr, runs=runs), ends(stdout), ends(stderr))
