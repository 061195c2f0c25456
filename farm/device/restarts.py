"""A device that a session lost: restarted, or out of reach for longer than its lease lives."""

from __future__ import annotations

from collections import Counter

from farm.device.faults import RESTARTED, STALE
from farm.errors import DeviceError, Fault, Stage

MOST_IN_A_ROW = 5
"""A device that is lost so often without one round that ends in between is not tried again."""
MOST_BEGUN_AGAIN = 2
"""How often a job is, whose supervisor was killed."""
MOST_LOST_JOBS = 10
"""All of a session: from then on each is over that is lost."""
LOST_JOB = "lost"


class AgainError(DeviceError):
    """The lease is over, and what ran under it. `Session.ready` takes the device again."""

    what = ""
    """What happened to it."""
    code = ""


class RestartedError(AgainError):
    """The device was restarted."""

    what = "was restarted"
    code = RESTARTED


class LeaseLostError(AgainError):
    """Nobody renewed the lease in time: the device has ended what ran, and freed itself."""

    what = "was out of reach for longer than the lease lives"
    code = STALE


class UnstartedError(AgainError):
    """The agent was killed while it started a job, which never ran; its name is used up under this lease."""

    what = "lost the agent that was about to start a job"
    code = "unstarted"


class UnsupervisedError(AgainError):
    """What supervises a job was killed, and the job with it: nobody saw its end."""

    what = "lost what supervised a job"
    code = LOST_JOB


class LostJobs:
    """Counts the jobs of one device whose supervisor was killed: each is begun again, a few times."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._times: Counter[str] = Counter()

    def one_more(self, job: str) -> UnsupervisedError | None:
        """The error to raise; None where the job, or the device, has lost its supervisor too often: the end
        that nobody saw is its end then. It may be the job that kills its supervisor.
        """
        self._times[job] += 1
        if self._times[job] > MOST_BEGUN_AGAIN or self._times.total() > MOST_LOST_JOBS:
            return None
        return UnsupervisedError(
            f"{self._device} {UnsupervisedError.what}",
            stage=Stage.EXECUTE,
            fault=Fault.DEVICE,
            cause=UnsupervisedError.code,
            hint="run the bench again",
        )

    def note_of(self, job: str) -> str | None:
        """For the result of a job that was begun again."""
        if not self._times[job]:
            return None
        return (
            f"what supervised it on the device was killed {self._times[job]} times before: it was begun again"
        )


class Restarts:
    """Counts the losses of one device without progress in between."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._in_a_row = 0

    def one_more(self, kind: type[AgainError]) -> DeviceError:
        """The error to raise: an AgainError, or once they were too many one that ends the session."""
        self._in_a_row += 1
        if self._in_a_row < MOST_IN_A_ROW:
            return kind(
                f"{self._device} {kind.what}",
                stage=Stage.EXECUTE,
                fault=Fault.DEVICE,
                cause=kind.code,
                hint="run the bench again",
            )
        return too_often(self._device, f"{MOST_IN_A_ROW} times in a row without a round that ended", kind)

    def progress(self) -> None:
        """A round has ended and was collected."""
        self._in_a_row = 0


def too_often(device: str, how: str, kind: type[AgainError] = RestartedError) -> DeviceError:
    """The device is given up, or a cell; `how` often it was lost, and during what."""
    return DeviceError(
        f"{device} {kind.what} {how}",
        stage=Stage.EXECUTE,
        fault=Fault.DEVICE,
        cause=kind.code,
        hint=f"look at its power supply, temperature and kernel log, then: farm devices check {device}",
    )
