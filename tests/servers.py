"""Real SSH servers on loopback for tests: OpenSSH's sshd and dropbear, each as if it were a machine of its own.

Each has its own port, host key, client key, authorized keys and home folder. Programs see that folder as
$HOME, so several servers on one machine are several devices. dropbear, and a login shell other than the user's
own, need root and a mount namespace (the home folder and the shell come from a private /etc/passwd).
"""

from __future__ import annotations

import contextlib
import functools
import getpass
import os
import pwd
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from farm.model.device import Address, Device, Runtime, RuntimeKind

HOST = "127.0.0.1"
_START_LIMIT_S = 20.0
_NOBODY_ELSE = "FARM_STAT=/dev/null FARM_SHARED=/dev/null"
"""No neighbours who make it busy, or have a lock of the machine."""
_SBIN = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))
_SFTP_SERVERS = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
)


@dataclass
class Server:
    """A running server. `home` is $HOME of its programs; `identity` the private key that it lets in."""

    kind: str
    host: str
    port: int
    home: Path
    identity: Path
    host_public_key: str
    command: tuple[str, ...]
    log: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def known_hosts_line(self) -> str:
        return f"[{self.host}]:{self.port} {' '.join(self.host_public_key.split()[:2])}"

    @property
    def address(self) -> Address:
        return Address(self.host, self.port, getpass.getuser(), (self.identity,))

    def device(self, name: str, runtime: Runtime | None = None) -> Device:
        return Device(name, self.address, runtime or Runtime(RuntimeKind.WHEEL))

    def inventory_entry(self) -> dict[str, object]:
        """What stands behind the device's name in an inventory file."""
        return {
            "address": self.host,
            "port": self.port,
            "user": getpass.getuser(),
            "identity": str(self.identity),
        }

    def kill(self) -> None:
        """Like a power cut, as far as the network sees it: the server and its sessions are gone at once."""
        for pid in (self.process.pid, *_descendants(self.process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def drop_connections(self) -> None:
        """Breaks the connections that are open; programs go on as far as they can, new logins are welcome."""
        for pid in _descendants(self.process.pid):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == self.kind:
                    os.kill(pid, signal.SIGKILL)

    def restart(self) -> None:
        """The same server on the same port with the same keys."""
        self.kill()
        self.process = _start(self.command, self.host, self.port, self.log)

    def sessions(self) -> tuple[int, ...]:
        """Process ids of everything that runs below the server."""
        return _descendants(self.process.pid)


@contextlib.contextmanager
def sshd(
    folder: Path,
    *,
    key_type: str = "ed25519",
    sftp: bool = True,
    options: tuple[str, ...] = (),
    rc: str | None = None,
    shell: str | None = None,
    authorized: Path | None = None,
    host: str = HOST,
    port: int | None = None,
    prefix: tuple[str, ...] = (),
) -> Iterator[Server]:
    """OpenSSH's server. `options` are lines of sshd_config (`MaxSessions 1`); the first of a kind counts.

    `rc` becomes ~/.bashrc, which bash reads when sshd starts it; `shell` is the login shell. `authorized`
    is a private key to let in, where it must not be one of its own. `host` is the address to listen on, on a free
    port or on `port`, and `prefix` a command to start it with (`ip netns exec NAME`).
    """
    program = _program("sshd")
    home = _home(folder)
    if rc is not None:
        (home / ".bashrc").write_text(rc)
        shell = shell or _program("bash")
    host_key = _key(folder / "host_key", key_type)
    identity = authorized or _key(folder / "id_client", "ed25519")
    _authorize(home, identity)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # compiled into sshd, missing in containers

    def command(port: int) -> tuple[str, ...]:
        sftp_server = next((path for path in _SFTP_SERVERS if Path(path).exists()), "internal-sftp")
        lines = [
            *options,
            f"ListenAddress {host}:{port}",
            f"HostKey {host_key}",
            f"AuthorizedKeysFile {home}/.ssh/authorized_keys",
            f"PidFile {folder}/sshd.pid",
            f"SetEnv HOME={home} TMPDIR={tempfile.gettempdir()} FARM_MACHINE={port} {_NOBODY_ELSE}",
            "UsePAM no",
            "StrictModes no",
            "PermitRootLogin yes",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            # Since 9.8 sshd shuts out addresses that fail too often; for tests that is every one.
            *(["PerSourcePenalties no"] if _openssh_version() >= (9, 8) else []),
            *([f"Subsystem sftp {sftp_server}"] if sftp else []),
        ]
        config = folder / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        words = (program, "-D", "-e", "-f", str(config))
        return (*prefix, *(_in_namespace(folder, home, shell, words) if shell else words))

    with _running("sshd", command, folder, home, identity, host_key, host, port) as server:
        yield server


@contextlib.contextmanager
def dropbear(
    folder: Path, *, key_type: str = "ed25519", options: tuple[str, ...] = (), shell: str | None = None
) -> Iterator[Server]:
    """dropbear: the small server of routers and phones; it has no SFTP. `options` are of its command line."""
    program = _program("dropbear")
    home = _home(folder)
    host_key = folder / "host_key"
    if not host_key.exists():
        converter = _program("dropbearkey")
        subprocess.run([converter, "-t", key_type, "-f", host_key], check=True, capture_output=True)
        shown = subprocess.run([converter, "-y", "-f", host_key], check=True, capture_output=True, text=True)
        public = next(line for line in shown.stdout.splitlines() if line.startswith(("ssh-", "ecdsa-")))
        host_key.with_suffix(".pub").write_text(public + "\n")
    identity = _key(folder / "id_client", "ed25519")
    _authorize(home, identity)

    def command(port: int) -> tuple[str, ...]:
        words = (program, "-F", "-E", "-s", "-r", str(host_key), "-p", f"{HOST}:{port}",
                 "-P", str(folder / "dropbear.pid"), *options)  # fmt: skip
        return _in_namespace(folder, home, shell or "/bin/sh", words)

    with _running("dropbear", command, folder, home, identity, host_key) as server:
        yield server


@dataclass(frozen=True)
class LoopbackFarm:
    """Five devices that are this machine five times."""

    servers: dict[str, Server]
    known_hosts: Path


@contextlib.contextmanager
def loopback_farm(folder: Path) -> Iterator[LoopbackFarm]:
    """arm-1, arm-2, gpu-1, gpu-2 behind sshd with different kinds of host keys, arm-3 behind dropbear."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(sshd(_made(folder / name), key_type=kind))
            for name, kind in (
                ("arm-1", "ed25519"),
                ("arm-2", "ecdsa"),
                ("gpu-1", "rsa"),
                ("gpu-2", "ed25519"),
            )
        }
        servers["arm-3"] = stack.enter_context(dropbear(_made(folder / "arm-3")))
        yield LoopbackFarm(servers, known_hosts(folder / "known_hosts", *servers.values()))


def known_hosts(path: Path, *servers: Server) -> Path:
    """Writes a known_hosts file with the keys of `servers`."""
    path.write_text("".join(f"{server.known_hosts_line}\n" for server in servers))
    return path


def can_make_namespace() -> bool:
    """Whether a private /etc/passwd can be had here."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        ["unshare", "--mount", "mount", "--bind", "/etc/passwd", "/etc/passwd"],
        check=False,
        capture_output=True,
    )
    return tried.returncode == 0


@contextlib.contextmanager
def _running(
    kind,
    command,
    folder: Path,
    home: Path,
    identity: Path,
    host_key: Path,
    host: str = HOST,
    wanted: int | None = None,
) -> Iterator[Server]:
    log = folder / f"{kind}.log"
    for attempt in range(3):
        port = wanted or free_port()
        words = command(port)
        try:
            process = _start(words, host, port, log)
            break
        except RuntimeError:
            # Somebody else may have taken the port in between.
            if attempt == 2 or "in use" not in log.read_text(errors="replace"):
                raise
    public = host_key.with_name(host_key.name + ".pub").read_text().strip()
    server = Server(kind, host, port, home, identity, public, words, log, process)
    try:
        yield server
    finally:
        server.kill()


def _start(command: tuple[str, ...], host: str, port: int, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    until = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until and process.poll() is None:
        # Something else may answer: another process, or this very connection, which the kernel lets meet itself.
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1.0) as greeted:
            if greeted.recv(4) == b"SSH-" and process.poll() is None:
                return process
        time.sleep(0.02)
    process.kill()
    process.wait()
    raise RuntimeError(f"{shlex.join(command)} did not start: {log.read_text(errors='replace')}")


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        return int(free.getsockname()[1])


def _descendants(pid: int) -> tuple[int, ...]:
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    todo = [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return tuple(found)


def _in_namespace(folder: Path, home: Path, shell: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """`words` where /etc/passwd says that our user lives in `home` and logs in with `shell`, and where nobody
    else is who has a lock in /run/lock.
    """
    if not can_make_namespace():
        pytest.skip("needs root and a mount namespace")
    me = pwd.getpwuid(os.geteuid())
    private = folder / "passwd"
    others = [
        line for line in Path("/etc/passwd").read_text().splitlines() if not line.startswith(f"{me.pw_name}:")
    ]
    mine = f"{me.pw_name}:x:{me.pw_uid}:{me.pw_gid}::{home}:{shell}"
    private.write_text("\n".join([mine, *others]) + "\n")
    locks = _made(folder / "lock")
    locks.chmod(0o1777)
    mounts = {private: "/etc/passwd", locks: "/run/lock"}
    mount = " && ".join(f"mount --bind {shlex.quote(str(ours))} {theirs}" for ours, theirs in mounts.items())
    mount = f"mkdir -p /run/lock && {mount} && exec {shlex.join(words)}"
    return ("unshare", "--mount", "/bin/sh", "-c", mount)


def _home(folder: Path) -> Path:
    home = _made(folder) / "home"
    _made(home / ".ssh")
    return home


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _key(path: Path, key_type: str) -> Path:
    if path.exists():
        return path
    if key_type == "rsa":
        private, public = _rsa_key()
        path.touch(mode=0o600)
        path.write_bytes(private)
        path.with_name(f"{path.name}.pub").write_bytes(public)
    else:
        _make_key(path, key_type)
    return path


@functools.cache
def _rsa_key() -> tuple[bytes, bytes]:
    """Private and public: the same for all servers of a session, since making one takes a second."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        _make_key(path, "rsa")
        return path.read_bytes(), path.with_name("key.pub").read_bytes()


def _make_key(path: Path, key_type: str) -> None:
    command = [_program("ssh-keygen"), "-q", "-t", key_type, "-N", "", "-C", path.name, "-f", str(path)]
    subprocess.run(command, check=True)


def _authorize(home: Path, identity: Path) -> None:
    authorized = home / ".ssh" / "authorized_keys"
    authorized.write_bytes(identity.with_name(identity.name + ".pub").read_bytes())
    authorized.chmod(0o600)


def _openssh_version() -> tuple[int, int]:
    said = subprocess.run([_program("ssh"), "-V"], check=True, capture_output=True, text=True).stderr
    major, minor = re.search(r"OpenSSH_(\d+)\.(\d+)", said).groups()
    return int(major), int(minor)


def _program(name: str) -> str:
    found = shutil.which(name, path=_SBIN)
    if found is None:
        pytest.skip(f"needs {name}")
    return found
