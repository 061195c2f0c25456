"""A device that was restarted under a session: what ran on it is gone, all else can go on."""

from __future__ import annotations

from farm.device.faults import RESTARTED
from farm.errors import DeviceError, Fault, Stage

MOST_IN_A_ROW = 5
"""A device that is restarted so often without one round that ends in between is not tried again."""


class RestartedError(DeviceError):
    """What ran on the device has ended, and the lease with it. `Session.ready` takes the device again."""


class Restarts:
    """Counts those of one device without progress in between."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._in_a_row = 0

    def one_more(self) -> DeviceError:
        """The error to raise: a RestartedError, or once they were too many one that ends the session."""
        self._in_a_row += 1
        if self._in_a_row < MOST_IN_A_ROW:
            return RestartedError(
                f"{self._device} was restarted",
                stage=Stage.EXECUTE,
                fault=Fault.DEVICE,
                cause=RESTARTED,
                hint="run the bench again",
            )
        return too_often(self._device, f"{MOST_IN_A_ROW} times in a row without a round that ended")

    def progress(self) -> None:
        """A round has ended and was collected."""
        self._in_a_row = 0


def too_often(device: str, how: str) -> DeviceError:
    """The device is given up, or a cell; `how` often it was restarted, and during what."""
    return DeviceError(
        f"{device} was restarted {how}",
        stage=Stage.EXECUTE,
        fault=Fault.DEVICE,
        cause=RESTARTED,
        hint=f"look at its power supply, temperature and kernel log, then: farm devices check {device}",
    )
