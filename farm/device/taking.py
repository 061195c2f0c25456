"""Taking a device for a run: its lease, and what is on the device of this run and of others."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

from farm.device import former
from farm.device.agent import Agent, Lease
from farm.device.faults import HELD_ELSEWHERE, HeldError
from farm.errors import DeviceError, Fault
from farm.model.limits.deadlines import Deadlines

T = TypeVar("T")
_held: Counter[int] = Counter()
"""Epochs of the leases that this process holds now."""

LEASE_POLL_S = 2.0
ON_ITS_WAY_S = 5.0
"""The device may say that this process holds it before the reply that gave it the lease is read."""
SUPERSEDED = "superseded"
"""The cause of a lane that another process goes on with."""
MOST_TAKEOVERS = 5
"""In a row: a device that names us as its holder each time that it is asked is never ours."""
MOST_SWEPT = 1_000
"""Jobs that are looked at at once: each is a round trip, and a device may name any number."""
OWN_ENDS = frozenset({"-", "wall-limit", "silence-limit"})
"""How a job ends by itself, or by its own limits, whoever looks on: with a result."""


class Call(Protocol):
    """`Session.call`."""

    async def __call__(self, conversation: Callable[[Agent], Awaitable[T]], /) -> T: ...


@dataclass(frozen=True)
class Holder:
    """Who takes a device: the name of its lease, and the id of the run that it is taken for ("": none), whose
    former processes left what is ours.
    """

    name: str
    run_id: str = ""

    def is_same_run(self, name: str) -> bool:
        """Whether a lease of this name is a former process's of the same run: the journal's lock says that
        only one lives.
        """
        return bool(self.run_id) and name.endswith(f" run {self.run_id}") and not former.holds(name)

    def is_own(self, name: str) -> bool:
        """Whether a lease of this name is one that this process holds for the same work."""
        is_name = name == self.name or (bool(self.run_id) and name.endswith(f" run {self.run_id}"))
        return is_name and former.holds(name)

    def is_job_of_run(self, job: str) -> bool:
        """Whether a job is a round of this run: see `job_of`."""
        return bool(self.run_id) and bool(re.match(rf"{re.escape(self.run_id)}-[0-9a-f]{{8}}-", job))


class Taking:
    """The lease of one device. `call` is the session's, `note` for people who watch."""

    def __init__(self, holder: Holder, deadlines: Deadlines, call: Call, note: Callable[[str], None]) -> None:
        self._holder = holder
        self._deadlines = deadlines
        self._call = call
        self._note = note
        self._asked = 0

    async def take(self, after: int = 0) -> Lease:
        """Wait for it as long as the user says. One of a run of ours that was killed is taken over; while a
        round of this very run goes on under it, it is gone on with. `after` is the epoch of the lease that
        this process had before (0: none): a later one of this very run is its successor's.
        """
        await asyncio.to_thread(former.hold, self._holder.name)
        since = asyncio.get_running_loop().time()
        deadline = since + self._deadlines.lease_wait_s
        told, mine, takeovers = "", None, 0
        while True:
            self._asked = 0
            try:
                return self._has(await self._ask(mine))
            except HeldError as error:
                self._refuse_superseded(error, after)
                if (lease := await self._gone_on_with(error)) is not None:
                    return self._has(lease)
                mine = await self._former(error) if takeovers < MOST_TAKEOVERS else None
                if mine is not None:
                    takeovers += 1
                    continue
                is_own = self._is_own(error, since)
                if not is_own and asyncio.get_running_loop().time() >= deadline:
                    raise self._not_free(error) from error
                if told != error.holder:
                    told = error.holder
                    why = "another device of this run is the same one" if is_own else error.message
                    self._note(f"waiting for it: {why}")
                await asyncio.sleep(LEASE_POLL_S)

    def _is_own(self, error: HeldError, since: float) -> bool:
        """Whether this process holds it under another name of the inventory: that one ends some day. Its
        reply may be on its way yet; a device that only says so is not waited for any longer.
        """
        now = asyncio.get_running_loop().time()
        # Which of our leases keeps the machine from this workdir is not told: any may.
        is_held = _held.total() > 0 if error.cause == HELD_ELSEWHERE else _held[error.epoch] > 0
        is_here = is_held or now - since < ON_ITS_WAY_S
        return is_here and self._holder.is_own(error.holder)

    @staticmethod
    def _has(lease: Lease) -> Lease:
        _held[lease.epoch] += 1
        return lease

    @staticmethod
    def gave_back(lease: Lease) -> None:
        """It is over, however it ended."""
        _held[lease.epoch] -= 1

    async def _ask(self, mine: int | None) -> Lease:
        async def ask(agent: Agent) -> Lease:
            self._asked += 1
            return await agent.lease(self._holder.name, self._deadlines.lease_ttl_s, mine)

        return await self._call(ask)

    async def _gone_on_with(self, error: HeldError) -> Lease | None:
        """The lease that a former process of this run held, as long as its round runs; else None."""
        if error.cause == HELD_ELSEWHERE or not self._holder.is_same_run(error.holder):
            return None
        jobs = await self._call(lambda agent: agent.jobs())
        if not any(state == "running" and self._holder.is_job_of_run(job) for job, state in jobs.items()):
            return None
        # Under its name, or others of this user would take it for the lease of a process that is gone.
        await asyncio.to_thread(former.hold, error.holder)
        try:
            lease = await self._call(lambda agent: agent.resume(Lease(error.epoch, "")))
        except DeviceError as refused:
            if refused.cause != "stale":
                raise
            return None
        self._note("a round of this run still runs on it: it is waited for")
        return lease

    async def _former(self, error: HeldError) -> int | None:
        """The epoch of a lease that is ours to take over: of a run that was killed, or this one's own, when
        the reply that gave it was lost. By its number: had another got it meanwhile, that one would keep it.
        """
        if error.cause == HELD_ELSEWHERE:
            return None  # it ends by itself
        name = error.holder
        is_lost = name == self._holder.name and self._asked > 1
        if is_lost or self._holder.is_same_run(name) or await asyncio.to_thread(former.is_gone, name):
            self._note(f"taking over the lease of a run that is gone: {error.message}")
            return error.epoch
        return None

    def _refuse_superseded(self, error: HeldError, after: int) -> None:
        """Raises DeviceError where another process goes on with this run: the device is not taken back."""
        if after and error.epoch > after and self._holder.is_same_run(error.holder):
            raise DeviceError(
                f"another process goes on with this run: {error.message}",
                stage=error.stage,
                fault=Fault.FARM,
                cause=SUPERSEDED,
            )

    def _not_free(self, error: HeldError) -> DeviceError:
        if not self._deadlines.lease_wait_s:
            return error
        return DeviceError(
            f"{error.message}; not free {self._deadlines.ran_out('lease-wait')}",
            stage=error.stage,
            fault=error.fault,
            cause=error.cause,
            hint=f"{self._deadlines.more('lease-wait')}, or choose other devices",
        )


async def sort_out(agent: Agent, holder: Holder) -> set[str]:
    """Forget what was left in the spool; the names of rounds of this run that ended by themselves, or still
    run. With the lease in hand nobody else needs the others.
    """
    left: set[str] = set()
    for job, state in islice((await agent.jobs()).items(), MOST_SWEPT):
        if holder.is_job_of_run(job) and (state == "running" or await ended_by_itself(agent, job)):
            left.add(job)
            continue
        if state == "running":
            await agent.kill(job)
        await agent.drop(job)
    return left


async def ended_by_itself(agent: Agent, job: str) -> bool:
    """Whether a job has ended with a result."""
    state = await agent.poll(job)
    return state.exit_code is not None and state.why in OWN_ENDS
