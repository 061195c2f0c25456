"""What the agent's error codes mean to a user: one row per code of docs/agent-protocol.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

from farm.device.wire import Reply
from farm.errors import DeviceError, Fault, Stage
from farm.model.limits.deadlines import Deadlines
from farm.visible import visible


@dataclass(frozen=True)
class AgentError:
    """`message` has `{0}`, `{1}` ... for the fields of the reply."""

    stage: Stage
    fault: Fault
    message: str
    hint: str | None = None


AGAIN = "run the bench again"
OTHER_FOLDER = "set workdir: to a folder that the user may write, absolute or beginning with ~/"
MORE_ROOM = "free some room there, or set workdir: to another disk"
MORE_TOOLS = "install it: busybox and toybox have all that is needed"
LEASE_WAIT = "wait for it with --wait SECONDS, or choose other devices"
CONNECTION_LOST = "connection-lost"
NO_REPLY = "no-reply"
DISK_FULL = "disk-full"
UNREACHED = "unreached"
LEASE_AGAIN = "the device was away too long or someone else took it: run the bench again"
RESTARTED = "device-restarted"
STALE = "stale"
HELD_ELSEWHERE = "held-elsewhere"
OTHER_PROGRAM = (
    "correct `program:` of the runtime in the inventory; `farm devices check` shows what the device is"
)
RESUME = "farm runs resume goes on with the run, once the device is free"
LOOK = "look at its processes on the device, or restart the device"

AGENT_ERRORS = {
    "no-home": AgentError(Stage.CONNECT, Fault.DEVICE, "{0}", OTHER_FOLDER),
    "no-tool": AgentError(Stage.CONNECT, Fault.DEVICE, "the device has no `{0}`", MORE_TOOLS),
    "unwritable": AgentError(Stage.DEPLOY, Fault.DEVICE, "{0}", OTHER_FOLDER),
    DISK_FULL: AgentError(Stage.DEPLOY, Fault.DEVICE, "the device's disk is full: {0}", MORE_ROOM),
    "io": AgentError(Stage.DEPLOY, Fault.DEVICE, "{0}", "look at the device's disk"),
    "held": AgentError(Stage.LEASE, Fault.USER, "held by {0} for {4} s, last seen {1} s ago", LEASE_WAIT),
    HELD_ELSEWHERE: AgentError(
        Stage.LEASE,
        Fault.USER,
        "held by {0} for {4} s, last seen {1} s ago, through another workdir of the same machine: {5}",
        LEASE_WAIT,
    ),
    STALE: AgentError(Stage.LEASE, Fault.DEVICE, "{0}", LEASE_AGAIN),
    "broken": AgentError(
        Stage.LEASE, Fault.USER, "its lease was broken by {0} (farm devices release)", RESUME
    ),
    RESTARTED: AgentError(Stage.EXECUTE, Fault.DEVICE, "the device was restarted: {0}", AGAIN),
    "stuck": AgentError(Stage.LEASE, Fault.DEVICE, "processes do not die: {0}", LOOK),
    "digest-mismatch": AgentError(Stage.DEPLOY, Fault.NETWORK, "a file arrived damaged: {0}", AGAIN),
    "short": AgentError(Stage.DEPLOY, Fault.NETWORK, "the upload is not complete: {0} bytes {1}", AGAIN),
    UNREACHED: AgentError(Stage.DEPLOY, Fault.NETWORK, "its SSH client ended with {0}: {1}"),
    "offset": AgentError(Stage.DEPLOY, Fault.NETWORK, "the upload moved meanwhile: {0}", AGAIN),
    "missing": AgentError(Stage.DEPLOY, Fault.DEVICE, "not on the device (any more): {0}", AGAIN),
    "wrong-architecture": AgentError(
        Stage.EXECUTE, Fault.USER, "{0} is a program for {1}; the device is {2}", OTHER_PROGRAM
    ),
    "not-a-program": AgentError(
        Stage.EXECUTE,
        Fault.USER,
        "{0} is no whole ELF file, and no script that begins with #!",
        OTHER_PROGRAM,
    ),
    "exists": AgentError(Stage.EXECUTE, Fault.FARM, "job {0} exists already"),
    "unknown": AgentError(Stage.EXECUTE, Fault.DEVICE, "job {0} is gone from the device", AGAIN),
    "running": AgentError(Stage.EXECUTE, Fault.FARM, "job {0} still runs"),
    "busy": AgentError(Stage.EXECUTE, Fault.FARM, "{0}"),
    "usage": AgentError(Stage.EXECUTE, Fault.FARM, "the agent did not understand: {0}"),
}

UNKNOWN_ERROR = AgentError(Stage.EXECUTE, Fault.FARM, "the agent refused: {0}")


class RefusedError(DeviceError):
    """What the agent answered with `err`; `fields` are its own words, not cleaned."""

    fields: tuple[str, ...] = ()


class HeldError(RefusedError):
    """The device is another's: the name under which, and its epoch, so that no later lease is meant; 0
    where the machine is held through another workdir.
    """

    def __init__(self, refused: RefusedError, holder: str, epoch: int) -> None:
        super().__init__(
            refused.message, stage=refused.stage, fault=refused.fault, cause=refused.cause, hint=refused.hint
        )
        self.fields = refused.fields
        self.holder = holder
        self.epoch = epoch


def refuse(reply: Reply, *more: str) -> NoReturn:
    """Raise what an `err` reply means. `more` replaces fields that the reply lacks."""
    error = AGENT_ERRORS.get(reply.code, UNKNOWN_ERROR)
    fields = [visible(field) for field in (*reply.fields, *more)]
    refused = RefusedError(
        error.message.format(*fields, *["?"] * 5),
        stage=error.stage,
        fault=error.fault,
        cause=reply.code or "protocol",
        hint=error.hint,
    )
    refused.fields = reply.fields
    raise refused


def broken(message: str) -> DeviceError:
    """The device does not speak the protocol."""
    return DeviceError(
        visible(message),
        stage=Stage.CONNECT,
        fault=Fault.DEVICE,
        cause="protocol",
        hint="look at the login shell's rc files on the device, then `farm devices check NAME`",
    )


def lost(message: str) -> DeviceError:
    """The line is gone; another connection may find all as it was."""
    return DeviceError(
        message, stage=Stage.CONNECT, fault=Fault.NETWORK, cause=CONNECTION_LOST, transient=True
    )


def late(what: str, deadlines: Deadlines, name: str) -> DeviceError:
    """A deadline ran out: the line is as good as gone. `what` is what did not come."""
    return DeviceError(
        f"{what} {deadlines.ran_out(name)}",
        stage=Stage.CONNECT,
        fault=Fault.DEVICE,
        cause=NO_REPLY,
        hint=f"look at the device; if it is only slow: {deadlines.more(name)}",
        transient=True,
    )
