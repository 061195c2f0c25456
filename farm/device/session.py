"""One device for the time of a run: connection, agents and lease, kept through lost connections."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from farm.device.agent import Agent
from farm.errors import DeviceError, Fault, Stage
from farm.model.artifact import Artifact
from farm.model.device import Device
from farm.transport.base import Connection, Transport

T = TypeVar("T")
Conversation = Callable[[Agent], Awaitable[T]]
"""Something to be done with the agent; it may be done again on a new connection."""

CONNECTION_LOST = "connection-lost"
CLOSE_LIMIT_S = 10.0


@dataclass(frozen=True)
class Patience:
    """How long a session waits, in seconds.

    `lease_ttl_s`: without a sign of life for so long the device frees itself. `reconnect_s`: how long a
    lost connection is tried again; never longer than the lease lives. `lease_wait_s`: how long to wait
    for a device that another run holds.
    """

    lease_ttl_s: int = 60
    reconnect_s: float = 45.0
    lease_wait_s: float = 0.0


class Session:
    """`async with Session(...)` connects, takes the lease and keeps it; leaving gives everything back.

    `call` runs one conversation with the agent and repeats it on a new connection when the line
    breaks: what the agent does is idempotent by design (jobs and artifacts have names). Raises
    DeviceError with the stage at which the device could not go on.
    """

    def __init__(
        self,
        device: Device,
        transport: Transport,
        script: Artifact,
        *,
        holder: str,
        patience: Patience,
        note: Callable[[str], None],
    ) -> None:
        self.device = device
        self._transport = transport
        self._script = script
        self._holder = holder
        self._patience = patience
        self._note = note
        self._connection: Connection | None = None
        self._agent: Agent | None = None
        self._pulse: Agent | None = None
        self._generation = 0
        self._reconnecting = asyncio.Lock()
        self._heart: asyncio.Task[None] | None = None
        self._epoch: int | None = None

    @property
    def epoch(self) -> int:
        """The lease's epoch; only inside `async with`."""
        assert self._epoch is not None, "no lease is held"
        return self._epoch

    @property
    def workdir(self) -> str:
        """The agent's absolute working directory on the device."""
        assert self._agent is not None, "not connected"
        return self._agent.workdir

    async def __aenter__(self) -> Self:
        try:
            await self._connect()
            await self._take_lease()
            await self._sweep()
        except BaseException:
            await self._leave()
            raise
        self._heart = asyncio.create_task(self._beat(), name=f"lease of {self.device.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._heart is not None:
            self._heart.cancel()
            with contextlib.suppress(asyncio.CancelledError, DeviceError):
                await self._heart
        await self._leave()

    async def call(self, conversation: Conversation[T]) -> T:
        """Run `conversation` with the agent, again after a reconnect when the line breaks."""
        return await self._converse(lambda: self._agent, conversation)

    async def pulse(self, conversation: Conversation[T]) -> T:
        """As `call`, beside what the agent is busy with: with a second one, for what is short or waits."""
        return await self._converse(lambda: self._pulse, conversation)

    async def _converse(self, partner: Callable[[], Agent | None], conversation: Conversation[T]) -> T:
        while True:
            agent, generation = partner(), self._generation
            try:
                if agent is None:
                    raise _lost(self.device)
                return await conversation(agent)
            except DeviceError as error:
                if error.cause != CONNECTION_LOST:
                    raise
                await self._reconnect(generation, error)

    async def _connect(self) -> None:
        self._connection = await self._transport.connect()
        script = self._script.path.read_bytes()
        agent = await Agent.start(self._connection, self.device.workdir, script, self._script.sha256)
        self._pulse = await Agent.start(self._connection, self.device.workdir, script, self._script.sha256)
        self._agent = agent
        self._generation += 1

    async def _take_lease(self) -> None:
        assert self._agent is not None
        deadline = asyncio.get_running_loop().time() + self._patience.lease_wait_s
        while True:
            try:
                self._epoch = await self._agent.lease(self._holder, self._patience.lease_ttl_s)
            except DeviceError as error:
                if error.cause != "held" or asyncio.get_running_loop().time() >= deadline:
                    raise
                self._note(error.message)
                await asyncio.sleep(2)
            else:
                return

    async def _sweep(self) -> None:
        """Forget what earlier runs left in the spool: with the lease in hand nobody else needs it."""

        async def sweep(agent: Agent) -> None:
            for job in await agent.jobs():
                await agent.drop(job)

        await self.call(sweep)

    async def _beat(self) -> None:
        """Renew the lease at a third of its life. A stale lease ends the session's conversations."""
        while True:
            await asyncio.sleep(self._patience.lease_ttl_s / 3)
            try:
                await self.pulse(lambda agent: agent.beat(self.epoch))
            except DeviceError as error:
                # The round in progress meets the same refusal on its next call and fails with it.
                self._note(f"lease not renewed: {error.message}")
                return

    async def _reconnect(self, generation: int, error: DeviceError) -> None:
        """Come back to the device and to our lease, once for all callers that saw the line break."""
        async with self._reconnecting:
            if generation != self._generation:
                return
            self._note(f"connection lost, trying again: {error.message}")
            await self._drop()
            loop = asyncio.get_running_loop()
            began = loop.time()
            deadline = began + min(self._patience.reconnect_s, self._patience.lease_ttl_s)
            while True:
                try:
                    await self._connect()
                    if self._epoch is not None and self._agent is not None:
                        await self._agent.resume(self._epoch)
                except DeviceError as again:
                    await self._drop()
                    if not again.transient and again.cause != CONNECTION_LOST:
                        raise
                    if loop.time() >= deadline:
                        raise DeviceError(
                            f"{error.message}; not back in {deadline - began:.0f} s ({again.message})",
                            stage=Stage.CONNECT,
                            fault=again.fault,
                            cause=again.cause,
                            hint=f"farm devices check {self.device.name}",
                        ) from again
                    await asyncio.sleep(1)
                else:
                    self._note("connected again")
                    return

    async def _drop(self) -> None:
        connection, self._connection, self._agent, self._pulse = self._connection, None, None, None
        if connection is not None:
            await connection.close()

    async def _leave(self) -> None:
        """Give the lease back and close; bounded, and not cut short by a second cancellation."""
        leaving = asyncio.create_task(self._leave_now(), name=f"leaving {self.device.name}")
        cancelled: asyncio.CancelledError | None = None
        while not leaving.done():
            try:
                await asyncio.shield(leaving)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _leave_now(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_LIMIT_S):
                if self._agent is not None and self._epoch is not None:
                    await self._agent.release(self._epoch)
                for agent in filter(None, (self._pulse, self._agent)):
                    await agent.bye()
        except (DeviceError, TimeoutError) as error:
            self._note(
                f"could not say goodbye ({error}); the device frees itself in {self._patience.lease_ttl_s} s"
            )
        finally:
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
