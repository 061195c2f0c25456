"""What was seen of a device, and what a rule finds in it."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from farm.device.agent import Held
from farm.device.settings.left import Left
from farm.device.settings.pins import Refusal
from farm.model.device import Device, Facts, PowerAction
from farm.plan.programs import LocalFile
from farm.store.notes.quarantine import Quarantine
from farm.transport.address import ssh_argv
from farm.visible import one_line

MOST = 20
"""Findings of one rule on one device: a device may tell of thousands of settings."""

LONGEST = 600

IN_A_ROW = 3
"""Runs, the newest ones, in each of which a device has to be slower than it was."""


@dataclass(frozen=True)
class Slower:
    """By which factor (1.1: 10 % slower) in its newest runs, in so many cells, against so many runs before.
    `evidence` is what else is known to differ, in words.
    """

    ratio: float
    cells: int
    runs: int
    evidence: tuple[str, ...] = ()


class Severity(StrEnum):
    """error: the device cannot be used as the inventory says. warning: what is measured there may suffer.
    note: it is as somebody wants it, or ends by itself.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """`rule` is the name of the rule, `text` what holds, `todo` what to type, or to do, about it."""

    rule: str
    severity: Severity
    text: str
    todo: str


@dataclass(frozen=True)
class Trouble:
    """Why a device could not be asked: as a DeviceError has it."""

    cause: str
    stage: str
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Look:
    """What was seen of a device; with `trouble` there are no facts.

    `is_holder_gone`: who holds it was a run of this user here whose process has ended. `clock_off_s`: how far
    its clock is at least before (less than 0: behind) that of this machine. `forbidden` are settings of its
    pin that its user may not change, `files` those of its runtime on this machine. `has_builds`: a builds
    file is there, with which a bench needs no runtime of the inventory. `twins` are other devices that are
    this machine.
    """

    device: Device
    facts: Facts | None = None
    held: Held | None = None
    is_holder_gone: bool = False
    left: tuple[Left, ...] = ()
    clock_off_s: float | None = None
    forbidden: tuple[Refusal, ...] = ()
    files: tuple[LocalFile, ...] = ()
    has_builds: bool = False
    trouble: Trouble | None = None
    quarantine: Quarantine | None = None
    slower: Slower | None = None
    twins: tuple[str, ...] = ()


Said = Mapping[str, object]
"""What a rule puts into its text and into what to do."""


@dataclass(frozen=True)
class Rule:
    """`holds` gives what is to be said of a look, once for each time that the rule holds of it. `text` and
    `todo` have its words in braces, and those of the device: `{name}`, `{ssh}` (how a person logs in),
    `{restart}`.
    """

    name: str
    severity: Severity
    holds: Callable[[Look], Iterable[Said]]
    text: str
    todo: str

    def findings(self, look: Look) -> Iterator[Finding]:
        for said in islice(self.holds(look), MOST):
            words = {**_words(look.device), **{key: one_line(str(one), LONGEST) for key, one in said.items()}}
            yield Finding(self.name, self.severity, self.text.format(**words), self.todo.format(**words))


def _words(device: Device) -> dict[str, str]:
    """Of the inventory, which may be typed as they are: nothing that a device says is in a command."""
    can_cycle = device.power is not None and PowerAction.CYCLE in device.power.actions
    return {
        "name": device.name,
        "ssh": shlex.join(ssh_argv(device.address, identity=device.address.identity)),
        "restart": f"farm devices power {device.name} cycle" if can_cycle else "switch it off and on again",
    }
