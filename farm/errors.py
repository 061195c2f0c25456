"""The one error tree.

FarmError
├── RequestError      the user's request is wrong; found before any device is touched   (exit code 2)
├── RunError          farm cannot go on at all                                          (exit code 4)
└── DeviceError       one device failed at one stage; becomes a failed cell, never ends the run

A message says what happened; a hint says what to type next.
Library errors are translated where the library is used (one table each); only
`farm.cli` prints an error.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class ExitCode(IntEnum):
    """What `farm` returns to the shell."""

    OK = 0
    REGRESSION = 1
    REQUEST = 2
    CELLS_FAILED = 3
    NOTHING_RAN = 4
    UNDECIDED = 5
    INTERRUPTED = 130


class PassedOn(int):
    """The exit code of a command that the user named: it is passed on as it is (`farm sim run`)."""


class Stage(StrEnum):
    """Where in the work on a device something failed."""

    CONNECT = "connect"
    LEASE = "lease"
    DEPLOY = "deploy"
    EXECUTE = "execute"
    COLLECT = "collect"


class Fault(StrEnum):
    """Who or what caused a failure."""

    USER = "user"
    DEVICE = "device"
    NETWORK = "network"
    RUNTIME = "runtime"
    FARM = "farm"


class FarmError(Exception):
    """Root of the tree: a message and, where there is one, the next command to type."""

    exit_code = ExitCode.NOTHING_RAN

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class RequestError(FarmError):
    """The request cannot be carried out as written: bad inventory, unknown option, nothing matches.

    `source` is the place of the mistake, as `file:line` where it is in a file.
    """

    exit_code = ExitCode.REQUEST

    def __init__(self, message: str, *, hint: str | None = None, source: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.source = source

    def __str__(self) -> str:
        return f"{self.source}: {self.message}" if self.source else self.message


class RunError(FarmError):
    """Nothing can run: no disk for the run directory, no runtime, a broken installation."""


class DeviceError(FarmError):
    """One device cannot go on.

    `stage` and `fault` say where it happened and who or what caused it; `cause` is a short stable word
    for scripts (`unreachable`, `key-refused`, `host-key-changed`, `disk-full`, ...). `transient` failures
    may be tried again, all others must not.
    """

    def __init__(
        self,
        message: str,
        *,
        stage: Stage,
        fault: Fault,
        cause: str,
        hint: str | None = None,
        transient: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.stage = stage
        self.fault = fault
        self.cause = cause
        self.transient = transient
