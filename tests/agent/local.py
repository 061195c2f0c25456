"""A connection that starts real processes on this machine, as a login shell would."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from farm.agents import agent_script
from farm.device.agent import Agent
from farm.errors import DeviceError, Fault, Stage
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Endpoint
from tests.agent.shells import Phone

SCRIPT = agent_script()


class LocalChannel:
    """A process as a `farm.transport.base.Channel`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.writes = 0
        self.said = asyncio.create_task(process.stderr.read())

    async def write(self, data: bytes) -> None:
        self.writes += 1
        try:
            self.process.stdin.write(data)
            await self.process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError) as error:
            raise gone("program-ended") from error

    async def write_eof(self) -> None:
        self.process.stdin.close()

    async def readline(self) -> bytes:
        return await self.process.stdout.readline()

    async def readexactly(self, count: int) -> bytes:
        try:
            return await self.process.stdout.readexactly(count)
        except asyncio.IncompleteReadError as error:
            raise gone("connection-lost") from error

    async def read(self, count: int = -1) -> bytes:
        return await self.process.stdout.read(count)

    async def wait(self) -> int:
        return await self.process.wait()

    async def stderr(self) -> bytes:
        return await self.said

    async def close(self) -> None:
        """As a connection does that breaks: the program finds its input at an end and its output gone."""
        self.process.stdin.close()
        transport: Any = vars(self.process)["_transport"]
        transport.get_pipe_transport(1).close()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            await self.process.stdin.wait_closed()
        await self.process.wait()
        await self.said


def gone(cause: str) -> DeviceError:
    return DeviceError(cause, stage=Stage.CONNECT, fault=Fault.NETWORK, cause=cause, transient=True)


class LocalConnection:
    """Starts programs as a login shell does, with what its rc files say first. `opened` counts round trips."""

    def __init__(self, phone: Phone, noise: str = "", environment: dict[str, str] | None = None) -> None:
        self.phone = phone
        self.noise = noise
        self.environment = phone.environment if environment is None else environment
        self.channels: list[LocalChannel] = []
        self.opened: list[tuple[str, ...]] = []
        self.endpoint = Endpoint("localhost", 22, "nobody", "ssh-ed25519 AAAA")

    async def open(self, argv: tuple[str, ...]) -> LocalChannel:
        self.opened.append(argv)
        process = await asyncio.create_subprocess_exec(
            self.phone.path.partition(":")[0] + "/sh", "-c", self.noise + 'exec "$@"', "login", *argv,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self.environment, cwd=self.phone.folder, limit=1 << 21,
        )  # fmt: skip
        self.channels.append(LocalChannel(process))
        return self.channels[-1]

    async def close(self) -> None:
        for channel in self.channels:
            await channel.close()

    async def start(self, deadlines: Deadlines = Deadlines()) -> Agent:  # noqa: B008 - frozen
        return await Agent.start(self, str(self.phone.workdir), SCRIPT, deadlines)
