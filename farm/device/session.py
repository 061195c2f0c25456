"""One device for the time of a run: connection, agents and lease, kept through lost connections."""

from __future__ import annotations

import asyncio
import contextlib
import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self, TypeVar

from farm.device.agent import Agent, Lease, Missing
from farm.device.faults import CONNECTION_LOST, NO_REPLY, RESTARTED, STALE
from farm.device.outage import STARTING, Outage
from farm.device.restarts import (
    AgainError,
    LeaseLostError,
    LostJobs,
    RestartedError,
    Restarts,
    UnstartedError,
    UnsupervisedError,
)
from farm.device.taking import Holder, Taking, sort_out
from farm.errors import DeviceError, Fault, Stage
from farm.model.artifact import Artifact, Script
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.tasks import ended
from farm.transport.base import Connection, Transport

T = TypeVar("T")
Conversation = Callable[[Agent], Awaitable[T]]
"""Something to be done with the agent; it may be done again on a new connection."""

LINE_IS_GONE = {CONNECTION_LOST, NO_REPLY}
CLOSE_LIMIT_S = 10.0


class Session:
    """`async with Session(...)` connects, takes the lease and keeps it; leaving gives everything back.

    `call` runs one conversation with the agent and repeats it on a new connection when the line
    breaks: what the agent does is idempotent by design (jobs and artifacts have names). Raises
    DeviceError with the stage at which the device could not go on.

    When the device was restarted meanwhile, or the lease ran out, `call` raises an AgainError until `ready`
    has taken the device again.
    """

    _generation = 0
    _newest_epoch = 0
    _jobs = 0
    _run_id = ""
    _limit = ""

    def __init__(
        self,
        device: Device,
        transport: Transport,
        script: Script,
        *,
        holder: str,
        deadlines: Deadlines,
        note: Callable[[str], None],
    ) -> None:
        self.device = device
        self._transport = transport
        self._script = script
        self._holder = holder
        self.deadlines = deadlines
        self._run_ends_at: float | None = None
        self._note = note
        self._connection: Connection | None = None
        self._agent: Agent | None = None
        self._pulse: Agent | None = None
        self._reconnecting = asyncio.Lock()
        self._heart: asyncio.Task[None] | None = None
        self._lease: Lease | None = None
        self._token = secrets.token_hex(3)
        self._outage = Outage(deadlines, random.Random(self._token))  # noqa: S311 - pauses, no secret
        self._tell_outage: Callable[[float, bool], None] = lambda _lasted_s, _is_over: None
        self.left: set[str] = set()
        """Jobs of the same run that a former process, or this one before it lost the device, had started."""
        self.to_drop: list[str] = []
        """Jobs that are over, and are forgotten together."""
        self._gone: DeviceError | None = None
        self._restarts = Restarts(device.name)
        self.lost_jobs = LostJobs(device.name)
        self._restarted: DeviceError | None = None
        self._looked_at: set[str] | None = None
        self._whole = asyncio.timeout(None)

    @property
    def epoch(self) -> int:
        """The lease's epoch; only inside `async with`."""
        assert self._lease is not None, "no lease is held"
        return self._lease.epoch

    @property
    def is_alone(self) -> bool:
        """Whether the lease keeps others out who use another workdir of the same machine."""
        return self._lease is not None and self._lease.is_alone

    @property
    def workdir(self) -> str:
        """The agent's absolute working directory on the device."""
        assert self._agent is not None, "not connected"
        return self._agent.workdir

    def until(self, run_ends_at: float | None) -> Self:
        """With an end of the whole run, by the event loop's clock."""
        self._run_ends_at = run_ends_at
        return self

    def of_run(self, run_id: str) -> Self:
        """Its jobs that are on the device already are `left` where they are."""
        self._run_id = run_id
        return self

    def telling(self, outage: Callable[[float, bool], None]) -> Self:
        """`outage` is called after each loss of the connection, with how many seconds it lasted, and whether
        the device is there again.
        """
        self._tell_outage = outage
        return self

    def job_name(self, name: str) -> str:
        """A name for a job that no other has under this lease, of a former process neither."""
        self._jobs += 1
        return f"{name}-{self._token}-{self._jobs}"

    async def __aenter__(self) -> Self:
        self._whole = self._limited()
        await self._whole.__aenter__()
        try:
            await self._begin()
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def _begin(self) -> None:
        try:
            await self._connect()
        except DeviceError as error:
            if error.cause != CONNECTION_LOST:
                raise
            await self._reconnect(0, error)  # it was there, and then it was not
        while self._heart is None:
            with contextlib.suppress(AgainError):  # nothing has run yet that could be lost
                await self._settle()

    async def ready(self) -> None:
        """Take the device again if it was lost. Raises AgainError when it is lost meanwhile."""
        if isinstance(self._restarted, UnstartedError | UnsupervisedError):
            self._restarted = None
            await self.anew()  # what is held by this very session would be waited for
        elif isinstance(self._restarted, AgainError):
            await self._settle()

    def abandon(self) -> None:
        """Another process goes on with this run: leaving gives no lease back, since it may be the one that
        the other has taken over.
        """
        self._over_with_lease()

    async def anew(self) -> None:
        """Give the lease back and take another one: under that, names of jobs are free again."""
        await self._stop_heart()
        await self.call(lambda agent: agent.release(self.epoch))
        await self._settle()

    def progress(self) -> None:
        """A round has ended, and what it left was collected."""
        self._restarts.progress()

    async def _settle(self) -> None:
        await self._stop_heart()
        self._restarted = None
        self._over_with_lease()
        await self._take_lease()
        self._heart = asyncio.create_task(self._beat(), name=f"lease of {self.device.name}")

    def _over_with_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            Taking.gave_back(lease)

    async def _stop_heart(self) -> None:
        heart, self._heart = self._heart, None
        if heart is not None:
            await ended(heart, DeviceError)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._whole.expired():
            self._whole.reschedule(None)  # the work is done; leaving has a limit of its own
        cancelled = await self._leave()
        if cancelled is not None:
            kind, error, trace = type(cancelled), cancelled, cancelled.__traceback__
        await self._over(kind, error, trace)
        if cancelled is not None:
            raise cancelled

    def _limited(self) -> asyncio.Timeout:
        """The earlier of the two limits that there may be."""
        now = asyncio.get_running_loop().time()
        ends = [(now + self.deadlines.device_s, "device")] if self.deadlines.device_s else []
        if self._run_ends_at is not None:
            ends.append((self._run_ends_at, "run"))
        when, self._limit = min(ends, default=(None, ""))
        return asyncio.timeout_at(when)

    async def _over(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises DeviceError when the deadline `device` or `run` is what ended it."""
        try:
            await self._whole.__aexit__(kind, error, trace)
        except TimeoutError:
            raise DeviceError(
                f"the work on {self.device.name} did not end {self.deadlines.ran_out(self._limit)}",
                stage=Stage.EXECUTE,
                fault=Fault.USER,
                cause=f"{self._limit}-limit",
                hint=f"run less, or {self.deadlines.more(self._limit)}",
            ) from None

    async def call(self, conversation: Conversation[T]) -> T:
        """Run `conversation` with the agent, again after a reconnect when the line breaks."""
        result = await self._converse(lambda: self._agent, conversation)
        self._outage.ends()
        return result

    async def pulse(self, conversation: Conversation[T]) -> T:
        """As `call`, for what is short: beside what the agent is busy with, with the second one, the pulse.
        In a round the pulse waits, and the agent is idle.
        """

        def idle() -> Agent | None:
            return self._agent if self._pulse is None or self._pulse.is_busy else self._pulse

        return await self._converse(idle, conversation)

    async def wait(self, conversation: Conversation[T]) -> T:
        """As `call`, for what is answered at the end of a round: with the pulse."""
        return await self._converse(lambda: self._pulse, conversation)

    async def _converse(self, partner: Callable[[], Agent | None], conversation: Conversation[T]) -> T:
        while True:
            if self._restarted is not None:
                raise self._restarted
            agent, generation = partner(), self._generation
            try:
                if agent is None:
                    raise _lost(self.device)
                return await conversation(agent)
            except DeviceError as error:
                if error.cause == STALE and self._lease is not None:
                    raise self._lease_lost() from error
                if error.cause not in LINE_IS_GONE:
                    raise
                await self._reconnect(generation, error)

    async def _connect(self) -> None:
        self._connection = await self._transport.connect()
        agent, self._pulse = await self._start_agent(), await self._start_agent()
        self._pulse.beside(agent)
        agent.beside(self._pulse)
        self._agent = agent
        self._generation += 1
        self._outage.connected()

    async def _start_agent(self) -> Agent:
        assert self._connection is not None
        return await Agent.start(self._connection, self.device.workdir, self._script, self.deadlines)

    async def _take_lease(self) -> None:
        holder = Holder(self._holder, self._run_id)
        taking = Taking(holder, self.deadlines, self.call, self._note)
        self._lease = await taking.take(after=self._newest_epoch)
        self._newest_epoch = self._lease.epoch
        if self._lease.is_after_cut:
            self._looked_at = set()
        # What earlier runs left goes: with the lease in hand nobody else needs it.
        self.left = await self.call(lambda agent: sort_out(agent, holder))

    async def _beat(self) -> None:
        """Renew the lease. A stale lease ends the session's conversations."""
        while True:
            await asyncio.sleep(self.deadlines.beat_s)
            try:
                await self.pulse(lambda agent: agent.beat(self.epoch))
            except AgainError:
                return  # `ready` begins anew
            except DeviceError as error:
                # The round in progress meets the same refusal on its next call and fails with it.
                self._note(f"lease not renewed: {error.message}")
                return

    async def _reconnect(self, generation: int, error: DeviceError) -> None:
        """Come back to the device and to our lease, once for all callers that saw the line break."""
        async with self._reconnecting:
            if self._gone is not None:
                raise self._gone
            if generation != self._generation:
                return
            self._note(f"connection lost, trying again: {error.message}")
            agents = filter(None, (self._agent, self._pulse))
            self._outage.begins(max((agent.heard_at for agent in agents), default=None))
            began = asyncio.get_running_loop().time()
            try:
                await self._drop()
                await self._come_back(error)
            finally:
                # Also of a device that was restarted: its agents are there before that is known.
                is_over = self._agent is not None
                self._tell_outage(asyncio.get_running_loop().time() - began, is_over)

    async def _come_back(self, error: DeviceError) -> None:
        """Try until the device and our lease are there again, for as long as an outage may last."""
        again = error
        while (left_s := self._outage.left_s()) is not None:
            await asyncio.sleep(self._outage.pause_s())
            try:
                async with asyncio.timeout(max(left_s, self.deadlines.connect_s)):
                    await self._connect()
                    if self._lease is not None and self._agent is not None:
                        await self._agent.resume(self._lease)
            except (DeviceError, TimeoutError) as failed:
                if isinstance(failed, DeviceError):
                    if failed.cause == RESTARTED:
                        raise self._after_restart() from failed
                    if failed.cause == STALE:
                        raise self._lease_lost() from failed
                    again = failed
                await self._drop()
                if not again.transient and again.cause not in STARTING:
                    self._gone = again
                    raise
            else:
                self._note("connected again")
                return
        self._gone = DeviceError(
            f"{error.message}; not back {self.deadlines.ran_out('reconnect')} ({again.message})",
            stage=Stage.CONNECT,
            fault=again.fault,
            cause=again.cause,
            hint=f"farm devices check {self.device.name}; or longer: {self.deadlines.more('reconnect')}",
        )
        raise self._gone from again

    def _after_restart(self) -> DeviceError:
        """All conversations end with it."""
        self._note("connected again; it was restarted meanwhile")
        self._looked_at = set()
        self._restarted = self._restarts.one_more(RestartedError)
        return self._restarted

    def unstarted(self) -> DeviceError:
        """The error to raise for a job that never ran: it is started again under another lease."""
        self._restarted = self._restarts.one_more(UnstartedError)
        return self._restarted

    def lost_job(self, name: str) -> DeviceError | None:
        """The error to raise for a job whose supervisor was killed: it is begun again under another lease, a
        few times; then None.
        """
        if (again := self.lost_jobs.one_more(name)) is not None:
            self._restarted = again
        return again

    def _lease_lost(self) -> DeviceError:
        """The device was out of reach for longer than the lease lives, or somebody else has it: all
        conversations end with it.
        """
        if self._restarted is None:
            self._note("the lease ran out meanwhile")
            self._restarted = self._restarts.one_more(LeaseLostError)
        return self._restarted

    async def missing(self, artifacts: Sequence[Artifact]) -> tuple[Missing, ...]:
        """Which artifacts the device lacks. Where it was restarted while somebody had it, their bytes are
        looked at first, once for each: a disk may have lost some of what it had promised to keep.
        """
        digests = [artifact.sha256 for artifact in artifacts]
        if self._looked_at is not None and (unseen := [one for one in digests if one not in self._looked_at]):
            damaged = await self.call(lambda agent: agent.verify(unseen))
            self._looked_at.update(unseen)
            if damaged:
                self._note(f"{len(damaged)} files in its store were damaged by a restart and are sent again")
        return await self.call(lambda agent: agent.have(digests))

    async def _drop(self) -> None:
        connection, self._connection, self._agent, self._pulse = self._connection, None, None, None
        if connection is not None:
            await connection.close()

    async def _leave(self) -> asyncio.CancelledError | None:
        """Give the lease back and close; bounded. A cancellation does not cut it short: it is the result."""
        leaving = asyncio.create_task(self._leave_now(), name=f"leaving {self.device.name}")
        cancelled: asyncio.CancelledError | None = None
        while not leaving.done():
            try:
                await asyncio.shield(leaving)
            except asyncio.CancelledError as error:
                cancelled = error
        return cancelled

    async def _leave_now(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                await self._stop_heart()
                if self._agent is not None and self._lease is not None:
                    await self._agent.release(self._lease.epoch)
                if self._pulse is not None and not self._pulse.is_busy:
                    await self._pulse.bye()  # one that waits ends when it finds that nobody listens
                if self._agent is not None:
                    await self._agent.bye()
        except (DeviceError, TimeoutError) as error:
            self._note(
                f"could not say goodbye ({error}); the device frees itself in {self.deadlines.lease_ttl_s} s"
            )
        finally:
            self._over_with_lease()
            await self._drop()


def _lost(device: Device) -> DeviceError:
    return DeviceError(
        f"no connection to {device.name}",
        stage=Stage.CONNECT,
        fault=Fault.NETWORK,
        cause=CONNECTION_LOST,
        hint=f"farm devices check {device.name}",
        transient=True,
    )
