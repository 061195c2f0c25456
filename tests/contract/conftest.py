"""The same promises over three servers: the embedded one, OpenSSH's sshd and dropbear."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from farm.model.device import LOCAL, Address, Device, Runtime, RuntimeKind
from farm.transport.embedded import EmbeddedServer
from farm.transport.ssh import SshConnection, SshTransport, transport_for
from tests import servers

KINDS = ("embedded", "sshd", "dropbear")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, and no agent: nothing of the person who runs the tests takes part."""
    folder = tmp_path / "my home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture(autouse=True)
async def nothing_left() -> AsyncIterator[None]:
    """No task, no unseen exception and no warning outlives a test."""
    complaints: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0.05)
    gc.collect()
    assert asyncio.all_tasks() <= before | {asyncio.current_task()}
    assert complaints == []


@dataclass
class Reach:
    """A way to a device, and the server behind it (None: embedded)."""

    kind: str
    transport: SshTransport
    server: object
    home: Path


@pytest.fixture(scope="module")
def real_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    """One sshd and one dropbear for all tests of a module; made when first asked for."""
    with ExitStack() as stack:
        yield Lazy(stack, tmp_path_factory.mktemp("servers"))


class Lazy(dict):
    def __init__(self, stack: ExitStack, folder: Path) -> None:
        super().__init__()
        self._stack, self._folder = stack, folder

    def __missing__(self, kind: str):
        start = {"sshd": servers.sshd, "dropbear": servers.dropbear}[kind]
        self[kind] = self._stack.enter_context(start(self._folder / kind))
        return self[kind]


@pytest.fixture(params=KINDS)
async def reach(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> AsyncIterator[Reach]:
    if request.param == "embedded":
        device = Device(LOCAL, Address(LOCAL), Runtime(RuntimeKind.WHEEL))
        async with EmbeddedServer() as embedded:
            yield Reach(
                "embedded",
                transport_for(device, known_hosts=tmp_path / "none", embedded=embedded),
                None,
                home,
            )
        return
    server = request.getfixturevalue("real_servers")[request.param]
    pins = servers.known_hosts(tmp_path / "known_hosts", server)
    yield Reach(request.param, transport_for(server.device("d"), known_hosts=pins), server, server.home)


@pytest.fixture
async def connection(reach: Reach) -> AsyncIterator[SshConnection]:
    connection = await reach.transport.connect()
    yield connection
    await connection.close()
