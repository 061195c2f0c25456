"""Whose lease is taken back: this process's own, never that of a process that goes on with its run."""

from __future__ import annotations

from typing import Any

import pytest

from farm.device.agent import Lease
from farm.device.faults import HeldError, RefusedError
from farm.device.taking import SUPERSEDED, Holder, Taking
from farm.errors import DeviceError, Fault, Stage
from farm.model.limits.deadlines import Deadlines


class Asked:
    """A device that another has under `holder` and `epoch`, until it is asked for by that number."""

    def __init__(self, holder: str, epoch: int) -> None:
        refused = RefusedError(f"held by {holder}", stage=Stage.LEASE, fault=Fault.DEVICE, cause="held")
        self._error = HeldError(refused, holder, epoch)
        self.taken: list[int | None] = []

    async def lease(self, _name: str, _ttl_s: int, mine: int | None) -> Lease:
        self.taken.append(mine)
        if mine != self._error.epoch:
            raise self._error
        return Lease(mine + 1, "")

    async def jobs(self) -> dict[str, str]:
        return {}

    async def call(self, conversation: Any) -> Any:
        return await conversation(self)


def taking(device: Asked) -> Taking:
    holder = Holder("me@here pid 1 run one.board", "one.board")
    return Taking(holder, Deadlines(), device.call, lambda _text: None)


async def test_the_lease_of_a_former_process_of_the_run_is_taken_over() -> None:
    device = Asked("me@there pid 2 run one.board", 7)
    assert (await taking(device).take()).epoch == 8


async def test_the_lease_of_the_process_that_goes_on_with_the_run_is_left_to_it() -> None:
    device = Asked("me@there pid 2 run one.board", 7)
    with pytest.raises(DeviceError, match="another process goes on with this run") as refused:
        await taking(device).take(after=6)
    assert refused.value.cause == SUPERSEDED
    assert device.taken == [None]


async def test_an_older_lease_of_the_run_is_no_successor() -> None:
    device = Asked("me@there pid 2 run one.board", 6)
    assert (await taking(device).take(after=6)).epoch == 7
