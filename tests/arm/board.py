"""An ARM device: a whole arm64 system under qemu that answers SSH on a port of this machine."""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.arm import image
from tests.arm.packages import which
from tests.servers import HOST, free_port

START_LIMIT_S = 240.0
"""3 s alone; beside a full test suite a hundred times as much has been seen of other things."""
LISTENING = (b"Not backgrounding", b"Server listening on")
"""What dropbear and OpenSSH's server say when they have begun."""
OLD_CLOCK = "1970-01-02T00:00:00"


_CPU = {"max": "max,pauth-impdef=on"}
"""Its pointers are signed by the architecture's own method otherwise: a boot takes three times as long."""
_MACHINE = {"a64fx": "virt,gic-version=3"}
"""Its kernel dies of the older interrupt controller."""


@dataclass(frozen=True)
class Spec:
    """What kind of board. `disk_mib` is a disk for root's home, which outlives power cuts (0: memory only);
    of the flavour "debian" it holds the whole system. `clock` is UTC in ISO form; empty: the time of day.
    """

    name: str = "arm-1"
    flavour: str = "busybox"
    cpu: str = "cortex-a72"
    cores: int = 4
    memory_mib: int = 192
    disk_mib: int = 0
    clock: str = ""
    qemu: tuple[str, ...] = ()


SMALL = Spec(cpu="cortex-a53", cores=1, memory_mib=128)
WITH_DOT = Spec(cpu="cortex-a76", cores=2)
"""Has asimddp, which cortex-a72 has not."""
DEBIAN_DISK_MIB = 400


@dataclass
class Board:
    """Lives in `folder`, where its keys, disk and console log are. Port, keys and disk stay over power cuts."""

    spec: Spec
    folder: Path
    port: int
    images: image.Images
    host_public_key: str = ""
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @classmethod
    def make(cls, spec: Spec, folder: Path, port: int | None = None) -> Board:
        """Keys and disk; a folder that has them already keeps them. Raises UnavailableError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        board = cls(spec, folder, port or free_port(), image.prepare(debian=spec.flavour == "debian"))
        _make_key(board.identity)
        _make_key(folder / "host_key")
        board.host_public_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
        board._make_initramfs()
        board._make_disk()
        return board

    @property
    def identity(self) -> Path:
        return self.folder / "id_client"

    @property
    def console(self) -> Path:
        """What the kernel and the first programs said."""
        return self.folder / "console.log"

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def known_hosts_line(self) -> str:
        return f"[{HOST}]:{self.port} {self.host_public_key}"

    def inventory_entry(self) -> dict[str, object]:
        """What stands behind the device's name in an inventory file."""
        return {"address": HOST, "port": self.port, "user": "root", "identity": str(self.identity)}

    def ssh(self, *words: str) -> tuple[str, ...]:
        """The command line of OpenSSH's client for this board."""
        known = self.folder / "known_hosts"
        known.write_text(self.known_hosts_line + "\n")
        options = (
            "-F",
            "none",
            "-o",
            f"UserKnownHostsFile={known}",
            "-o",
            "IdentityAgent=none",
            "-o",
            "LogLevel=ERROR",
        )
        return ("ssh", *options, "-i", str(self.identity), "-p", str(self.port), f"root@{HOST}", *words)

    def run(self, command: str, data: bytes | None = None, *, check: bool = True) -> str:
        """Standard output of a shell command on the board, with `data` for its input."""
        done = subprocess.run(
            self.ssh(command), input=data, stdin=None if data is not None else subprocess.DEVNULL, check=False,
            capture_output=True, timeout=START_LIMIT_S,
        )  # fmt: skip
        if check and done.returncode:
            raise RuntimeError(
                f"{command!r} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"
            )
        return done.stdout.decode(errors="replace")

    def start(self) -> None:
        """Returns when the board answers SSH."""
        with self.console.open("ab") as log:
            said_bytes = log.tell()
            self.process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.wait(said_bytes)

    def wait(self, said_bytes: int = 0) -> None:
        """Until the board answers SSH; raises RuntimeError with what it said when it does not.

        `said_bytes` is how long the console log was when it was started.
        """
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until and self.process.poll() is None:
            # qemu takes connections long before the board does, and is slow to try again.
            if any(word in self.console.read_bytes()[said_bytes:] for word in LISTENING):
                with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 20) as greeted:
                    if greeted.recv(4) == b"SSH-":
                        return
            time.sleep(0.05)
        self.power_cut()
        said = self.console.read_text(errors="replace")[-3000:]
        raise RuntimeError(f"{self.spec} did not start: {said}")

    def power_cut(self) -> None:
        """Off, from one instruction to the next: what was not on the disk yet is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """The whole board stands still, as one that hangs; its clock with it."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def _command(self) -> tuple[str, ...]:
        spec = self.spec
        drive = f"if=none,id=disk,format=raw,file={self.disk}"
        disk = ("-drive", drive, "-device", "virtio-blk-device,drive=disk") if self.disk.exists() else ()
        clock = ("-rtc", f"base={spec.clock}") if spec.clock else ()
        network = f"user,id=net,restrict=on,hostfwd=tcp:{HOST}:{self.port}-:22"
        return (
            which("setpriv"), "--pdeathsig", "KILL",  # ends with who started it, however that ends
            which("qemu-system-aarch64"), "-M", _MACHINE.get(spec.cpu, "virt"),
            "-cpu", _CPU.get(spec.cpu, spec.cpu), "-smp", str(spec.cores),
            "-m", str(spec.memory_mib), "-nodefaults", "-display", "none", "-serial", "stdio",
            "-kernel", str(self.images.kernel), "-initrd", str(self.folder / "initramfs"),
            "-append", "console=ttyAMA0 loglevel=4 panic=1",
            "-netdev", network, "-device", "virtio-net-device,netdev=net",
            *disk, *clock, *spec.qemu,
        )  # fmt: skip

    def _make_initramfs(self) -> None:
        """The common one, and a second archive behind it with what is this board's own."""
        own = self.folder / "own" / "board"
        own.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.folder / "host_key", own / "host_key")
        shutil.copy(self.folder / "host_key.pub", own / "host_key.pub")
        words = ("dropbearconvert", "openssh", "dropbear", own / "host_key", own / "host_key.dropbear")
        subprocess.run((which(words[0]), *words[1:]), check=True, capture_output=True)
        shutil.copy(self.identity.with_suffix(".pub"), own / "authorized_keys")
        (own / "name").write_text(self.spec.name + "\n")
        data = self.images.initramfs.read_bytes()
        (self.folder / "initramfs").write_bytes(data + image.archive(self.folder / "own"))

    def _make_disk(self) -> None:
        size_mib = self.spec.disk_mib
        if self.spec.flavour == "debian":
            size_mib = size_mib or DEBIAN_DISK_MIB
            tree = self.images.debian
        else:
            tree = self.folder / "home"
            tree.mkdir(exist_ok=True)
        if size_mib and not self.disk.exists():
            image.disk(self.disk, tree, size_mib)


@contextlib.contextmanager
def running(spec: Spec, folder: Path) -> Iterator[Board]:
    """A board that has started. Its folder stays, its process does not."""
    board = Board.make(spec, folder)
    try:
        board.start()
        yield board
    finally:
        board.power_cut()


def _make_key(path: Path) -> None:
    if not path.exists():
        words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.name, "-f", str(path))
        subprocess.run(words, check=True)
