"""OpenSSH's sshd for a simulated device: one process per connection, started by a listener in this process.

That is how inetd ran it. So a port is never lost to somebody else, a device starts at once, and the listener
can reset or refuse connections. sshd needs no rights: it lets in the user who runs it, with a key of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import socket
import struct
import subprocess
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Self

from farm.errors import RunError
from farm.sim import places
from farm.sim.properties import Line

HOST = "127.0.0.1"
NO_SHELLS = frozenset({"nologin", "false"})
KEY_S = 30.0
_SBIN = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))


def program(name: str) -> str:
    """The path of a program of OpenSSH. Raises RunError where it is not installed."""
    found = shutil.which(name, path=_SBIN)
    if found is None:
        raise RunError(f"a simulated device needs {name}", hint="install OpenSSH's server (openssh-server)")
    return found


def user_name() -> str:
    """Whom the server lets in: the user of this process. Raises RunError where it would let in nobody."""
    try:
        account = pwd.getpwuid(os.geteuid())
    except KeyError:
        raise RunError(
            f"sshd lets in users of /etc/passwd, and user id {os.geteuid()} is not there",
            hint="run it as another user, or as root",
        ) from None
    if Path(account.pw_shell).name in NO_SHELLS:
        raise RunError(
            f"sshd lets in nobody with {account.pw_shell}, the login shell of {account.pw_name}",
            hint="run it as a user with a shell, or as root",
        )
    return account.pw_name


def make_key(path: Path) -> None:
    """A new key pair, `path` and `path`.pub. Raises subprocess.SubprocessError, also after KEY_S."""
    command = [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, timeout=KEY_S)  # noqa: S603 - no word comes from outside


def configure(folder: Path, login: Path) -> tuple[str, ...]:
    """Keys and configuration in `folder`; the command of a server, which runs `login` for each command."""
    for name in ("host_key", "id_client"):
        make_key(folder / name)
    shutil.copyfile(folder / "id_client.pub", folder / "authorized_keys")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled into sshd, missing in containers
    lines = [
        f"HostKey {folder}/host_key",
        f"AuthorizedKeysFile {folder}/authorized_keys",
        f'ForceCommand exec /bin/sh "{login}"',
        "UsePAM no",
        "StrictModes no",
        "PermitRootLogin yes",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        # The shell that starts `login` looks for rc files there: none of the user's, none of the device's.
        f'SetEnv "HOME={folder}"',
    ]
    path = folder / "sshd_config"
    path.write_text("\n".join(lines) + "\n")
    return (program("sshd"), "-i", "-e", "-f", str(path))


class Server:
    """`async with Server(command, log, home, line)`: listens on `port` of loopback."""

    def __init__(self, command: tuple[str, ...], log: Path, home: Path, line: Line) -> None:
        self._command = command
        self._log = log
        self._home = home
        self._line = line
        self._seen = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: set[asyncio.subprocess.Process] = set()
        self._socket = socket.socket()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))
        self.port = self._socket.getsockname()[1]
        if not self._line.deaf_s:
            self._socket.listen()
        self._begin(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The servers of the connections."""
        return tuple(process.pid for process in self._running)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        if self._line.deaf_s:
            await asyncio.sleep(self._line.deaf_s)
            self._socket.listen()
        while True:
            connection, _ = await loop.sock_accept(self._socket)
            self._seen += 1
            if await asyncio.to_thread(places.is_off, self._home) or self._seen <= self._line.resets:
                _reset(connection)
            else:
                self._begin(self._serve(connection))

    async def _serve(self, connection: socket.socket) -> None:
        """One sshd, which has the connection as its standard input and output."""
        with connection, contextlib.ExitStack() as stack:
            connection.setblocking(True)
            log = await asyncio.to_thread(self._log.open, "ab")
            stack.enter_context(log)
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=connection.fileno(),
                stdout=connection.fileno(),
                stderr=log,
                start_new_session=True,
            )
        self._running.add(process)
        try:
            await process.wait()
        except asyncio.CancelledError:
            process.kill()
            await process.wait()
            raise
        finally:
            self._running.discard(process)


def _reset(connection: socket.socket) -> None:
    """RST instead of FIN: linger on, for no time."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
