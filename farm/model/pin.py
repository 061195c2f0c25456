"""Settings of a device that a run may change and holds for its lease: governor, frequency, turbo."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, TypeAlias

How: TypeAlias = Literal["direct", "sudo"]
"""With which rights settings are written: the user's, or `sudo -n tee` without a password."""


class Extreme(StrEnum):
    """What a core's clock does at the least and at the most."""

    MIN = "min"
    MAX = "max"


@dataclass(frozen=True)
class Pin:
    """What is set before the first round and restored after the last one; None: as it is.

    `frequency_khz` is both the lowest and the highest frequency from then on. `cores` are those that governor
    and frequency are set of: a core label or ids as `4-7`; None: all.
    """

    governor: str | None = None
    frequency_khz: int | Extreme | None = None
    turbo: bool | None = None
    cores: str | None = None
    how: How = "direct"
