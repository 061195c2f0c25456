"""A device whose SSH server is hostile: it listens on loopback, in the event loop of the test."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shlex
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh
from ruamel.yaml import YAML

from farm.model.device import KNOWN_HOSTS
from farm.sim.device import SimulatedDevice
from farm.sim.properties import Properties
from tests.hostile.agent import Agent, Program
from tests.hostile.attack import Attack

HOST = "127.0.0.1"
HONEST = "honest"


class HostileDevice:
    """`async with HostileDevice(attack, folder, program)`; leaving closes all that it has open."""

    def __init__(self, attack: Attack, key: asyncssh.SSHKey, identity: Path, program: Program) -> None:
        self.attack = attack
        self.agent = Agent(attack, program)
        self._key = key
        self._identity = identity
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._server: asyncssh.SSHAcceptor | asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        if self.attack.raw is not None:
            self._server = await asyncio.start_server(self._raw, HOST, 0)
        else:
            self._server = await asyncssh.listen(
                HOST,
                0,
                server_host_keys=[self._key],
                server_factory=lambda: _Server(self),
                authorized_client_keys=str(self._identity.with_suffix(".pub")),
                process_factory=self._process,
                encoding=None,
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for connection in tuple(self._connections):
            connection.abort()
        for task in asyncio.all_tasks():
            if task.get_name() == f"raw {id(self)}":
                task.cancel()
        if isinstance(self._server, asyncio.Server):
            return
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def entry(self, honest: dict[str, object]) -> dict[str, object]:
        mine = {
            "address": HOST,
            "port": self.port,
            "user": getpass.getuser(),
            "identity": str(self._identity),
        }
        return {**honest, **mine}

    async def _raw(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self.attack.raw is not None
        task = asyncio.current_task()
        assert task is not None
        task.set_name(f"raw {id(self)}")
        with contextlib.suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            await self.attack.raw(reader, writer)
        writer.transport.abort()

    async def _process(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        with contextlib.suppress(OSError, asyncssh.Error):
            if self.attack.started is not None:
                await self.attack.started(process)
            words = shlex.split(process.command or "")
            if "serve" in words:
                await self.agent.serve(process)
            else:  # install and uploads
                while data := await process.stdin.read(1 << 16):
                    del data
                process.stdout.write(b"farm-agent 1 ok\n" if "install" in words else self.attack.upload)
        with contextlib.suppress(OSError, asyncssh.Error):
            process.exit(0)


class _Server(asyncssh.SSHServer):
    def __init__(self, device: HostileDevice) -> None:
        self._device = device

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn
        self._device._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._device._connections.discard(self._conn)

    def begin_auth(self, username: str) -> bool:
        if self._device.attack.banner:
            self._conn.send_auth_banner(self._device.attack.banner)
        return True


@dataclass(frozen=True)
class Lab:
    """Hostile devices by the names of their attacks, beside one that is honest."""

    hostile: dict[str, HostileDevice]
    honest: SimulatedDevice
    inventory: Path


@contextlib.asynccontextmanager
async def lab(attacks: Sequence[Attack], folder: Path) -> AsyncIterator[Lab]:
    """All running; `folder` must exist. The honest device is called `honest`."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    client = asyncssh.generate_private_key("ssh-ed25519")
    identity = folder / "id_hostile"
    identity.write_bytes(client.export_private_key())
    identity.chmod(0o600)
    identity.with_suffix(".pub").write_bytes(client.export_public_key())
    async with contextlib.AsyncExitStack() as stack:
        honest = await stack.enter_async_context(SimulatedDevice(HONEST, Properties(), folder))
        program = Program(honest.home)
        hostile = {
            one.name: await stack.enter_async_context(HostileDevice(one, key, identity, program))
            for one in attacks
        }
        public = key.export_public_key().decode().strip()
        entries: dict[str, Any] = {HONEST: honest.entry()}
        entries |= {name: device.entry(honest.entry()) for name, device in hostile.items()}
        known = [
            honest.known_hosts_line,
            *(f"[{HOST}]:{device.port} {public}" for device in hostile.values()),
        ]
        path = folder / "hostile.yaml"
        with path.open("w", encoding="utf-8") as stream:
            YAML().dump({"devices": entries}, stream)
        (folder / KNOWN_HOSTS).write_text("".join(f"{line}\n" for line in known))
        yield Lab(hostile, honest, path)
