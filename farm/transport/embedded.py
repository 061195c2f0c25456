"""An SSH server inside this process, for the device `local`: one code path for all devices.

It listens on loopback, has one-time keys that exist in memory only, and accepts only this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from types import TracebackType
from typing import Self

from farm.transport.channel import Stream
from farm.transport.faults import Peer
from farm.transport.known_hosts import host_name
from farm.transport.library import asyncssh
from farm.transport.route import ALWAYS, Hop
from farm.user import own_home, own_user

_HOST = "127.0.0.1"
_KEY_TYPE = "ssh-ed25519"
_PIECE_BYTES = 1 << 16
_GRACE_S = 2.0
# As after a login; the rest of this process's environment (tokens, virtual environments) is not passed on.
_ENVIRONMENT = (
    "FARM_SHARED",
    "FARM_STAT",
    "HOME",
    "LANG",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TMPDIR",
    "TZ",
    "USER",
)


class EmbeddedServer:
    """`async with EmbeddedServer() as server:`; programs still running are killed at its end.

    Commands run under `/bin/sh -c` as the current user, in the home directory, in a session of their
    own. When the channel closes before the program has ended, it gets the end of its input, and its process
    group SIGKILL 2 s later; a program with its own session survives. There is no terminal, no SFTP and no
    forwarding.
    """

    def __init__(self) -> None:
        self._host_key = asyncssh.generate_private_key(_KEY_TYPE)
        self._client_key = asyncssh.generate_private_key(_KEY_TYPE)
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._programs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._acceptor = await asyncssh.listen(
            _HOST,
            0,
            config=None,
            server_host_keys=[self._host_key],
            server_factory=lambda: _Server(self._connections, self._programs),
            authorized_client_keys=asyncssh.import_authorized_keys(
                self._client_key.export_public_key().decode()
            ),
            password_auth=False,
            kbdint_auth=False,
            gss_host=None,
            agent_forwarding=False,
            encoding=None,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
        for connection in tuple(self._connections):
            connection.abort()
        for program in tuple(self._programs):
            program.cancel()
        await asyncio.gather(*self._programs, return_exceptions=True)

    def hop(self, device: str) -> Hop:
        """The hop for a client. Raises RuntimeError while the server is not running."""
        if self._acceptor is None:
            raise RuntimeError("the embedded server is not running")
        port = self._acceptor.get_port()
        options = {
            **ALWAYS,
            "config": None,
            "host": _HOST,
            "port": port,
            "username": own_user(),
            "client_keys": [self._client_key],
            "agent_path": None,
        }
        peer = Peer(device, f"this machine ({_HOST}:{port})", f"farm devices check {device}")
        return Hop(peer, host_name(_HOST, port), (), options, key=self._host_key.convert_to_public())


class _Server(asyncssh.SSHServer):
    """One per connection. asyncssh refuses all forwarding unless asked to allow it."""

    def __init__(
        self, connections: set[asyncssh.SSHServerConnection], programs: set[asyncio.Task[None]]
    ) -> None:
        self._connections = connections
        self._programs = programs

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._connections.discard(self._connection)

    def session_requested(self) -> _Session:
        return _Session(self._programs)


class _Session(Stream, asyncssh.SSHServerSession[bytes]):
    """One program. `reader` has what the client sends to its stdin."""

    def __init__(self, programs: set[asyncio.Task[None]]) -> None:
        super().__init__()
        self._programs = programs
        self._command = ""
        self._program: asyncio.Task[None] | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self.attach(chan)
        self._server_channel = chan

    def pty_requested(self, *_: object) -> bool:
        return False

    def exec_requested(self, command: str) -> bool:
        self._command = command
        return True

    def session_started(self) -> None:
        self._program = asyncio.create_task(self._run(), name=f"embedded: {self._command[:60]}")
        self._programs.add(self._program)
        self._program.add_done_callback(self._programs.discard)

    def data_received(self, data: bytes, datatype: int | None) -> None:  # noqa: ARG002
        self.reader.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.detach()
        if self._program is not None:
            self._program.cancel()

    async def _run(self) -> None:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        loop = asyncio.get_running_loop()
        # What asyncio.create_subprocess_exec does, but keeping the transport, which it gives no way to close.
        transport, program = await loop.subprocess_exec(
            lambda: _Program(limit=_PIECE_BYTES, loop=loop),
            "/bin/sh",
            "-c",
            self._command,
            start_new_session=True,
            cwd=own_home(),
            env=environment,
        )
        process = asyncio.subprocess.Process(transport, program, loop)
        feeding = asyncio.create_task(self._feed(process))
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._drain(process.stdout, None))
                pumps.create_task(self._drain(process.stderr, asyncssh.EXTENDED_DATA_STDERR))
            await program.exited.wait()
        except asyncio.CancelledError:
            await _end(transport, program)
            raise
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
            transport.close()
        status = transport.get_returncode() or 0
        if status < 0:
            self._server_channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
        else:
            self._server_channel.exit(status)

    async def _feed(self, process: asyncio.subprocess.Process) -> None:
        """The client's bytes into stdin. A program that stops reading is not an error."""
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError):
            while data := await self.reader.read(_PIECE_BYTES):
                process.stdin.write(data)
                await process.stdin.drain()
        process.stdin.close()

    async def _drain(self, output: asyncio.StreamReader | None, datatype: int | None) -> None:
        """A program's bytes to the client, at the client's pace."""
        assert output is not None
        while data := await output.read(_PIECE_BYTES):
            with contextlib.suppress(BrokenPipeError):
                await self.write(data, datatype)


class _Program(asyncio.subprocess.SubprocessStreamProtocol):
    """Knows when the process is gone; Process.wait waits for its pipes too, which others may hold open."""

    def __init__(self, limit: int, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit, loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


async def _end(transport: asyncio.SubprocessTransport, program: _Program) -> None:
    """The program gets the end of its input, as with sshd; after a grace period its group is killed."""
    for descriptor in (0, 1, 2):
        pipe = transport.get_pipe_transport(descriptor)
        if pipe is not None:
            pipe.close()
    try:
        async with asyncio.timeout(_GRACE_S):
            await program.exited.wait()
    except TimeoutError:
        pass
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        await program.exited.wait()
