"""A real PostgreSQL on this machine, for tests and benchmarks of fleets."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
from pathlib import Path

PATIENCE_S = 60


def programs_of_postgres() -> Path | None:
    """The folder of the newest one that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    return found[-1].parent if found else None


class Postgres:
    """A server of its own, on loopback and a socket in its folder; it refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs, self.folder = programs, folder
        self._user = "nobody" if os.getuid() == 0 else None
        self._data = folder / "data"
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])
        self._databases = 0

    def _run(self, program: str, *words: str) -> None:
        entry = pwd.getpwnam(self._user) if self._user else None
        done = subprocess.run(
            [self._programs / program, *words],
            cwd=self.folder,
            user=entry.pw_uid if entry else None,
            group=entry.pw_gid if entry else None,
            extra_groups=[] if entry else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")

    def make(self) -> None:
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self._run("initdb", "-D", str(self._data), "-U", "farm", "-A", "trust", "--no-sync", "-E", "UTF8")
        with (self._data / "postgresql.conf").open("a") as stream:
            stream.write(
                f"port = {self.port}\nlisten_addresses = '127.0.0.1'\nfsync = off\n"
                f"unix_socket_directories = '{self.folder}'\nmax_connections = 200\n"
            )
        self.start()

    def start(self) -> None:
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self._data), "-l", log, "-w", "-t", str(PATIENCE_S), "start")

    def stop(self) -> None:
        """At once: connections are cut."""
        self._run("pg_ctl", "-D", str(self._data), "-m", "immediate", "-w", "stop")

    def database(self) -> str:
        """The URL of a new one."""
        self._databases += 1
        name = f"fleet{self._databases}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "farm", name)
        return f"postgresql://farm:secret-of-the-store@127.0.0.1:{self.port}/{name}"
