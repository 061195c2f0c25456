"""A small Debian guest under qemu: this machine's own system and its systemd, in memory; nothing of it stays."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from tests.arm import image, packages

HERE = Path(__file__).parent
KERNEL = f"{packages.KERNELS}amd64"
"""The one for clouds has no 9p."""
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
QEMU = "qemu-system-x86_64"
LIMIT_S = 850.0
"""A boot takes 15 s, and all else thirty times as long as here: emulated throughout, since KVM inside of a virtual machine may be there and not work."""
MASKED = ("tmpfiles-setup", "tmpfiles-setup-dev", "random-seed", "udev-trigger", "timesyncd")
"""Of systemd's: what takes time, or looks at all of this machine's files."""
COMMAND_LINE = " ".join(
    (
        "console=ttyS0 quiet panic=-1 systemd.unit=guest.target systemd.show_status=false",
        *(f"systemd.mask=systemd-{name}.service" for name in MASKED),
    )
)
TARGET = "[Unit]\nRequires=basic.target guest.service\nAfter=basic.target\n"
SERVICE = (
    "[Unit]\nAfter=basic.target\n"
    "[Service]\nType=oneshot\nExecStart=/bin/sh -x /guest/script\nStandardOutput=tty\nStandardError=tty\n"
    "TTYPath=/dev/ttyS0\nExecStopPost=/bin/systemctl poweroff --force --force\n"
)


def run(given: Path, script: str) -> str:
    """What a script says that root runs in the guest, once it has booted, with the files of `given` laid over
    the system. Raises UnavailableError where there can be no guest.
    """
    packages.need(QEMU, "cpio", "systemctl")
    kernel, busybox = _prepared()
    tree = given.parent / "initramfs-tree"
    _lay_out(tree, kernel, busybox, given, script)
    initramfs = given.parent / "initramfs"
    initramfs.write_bytes(image.archive(tree))
    words = (
        QEMU, "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2", "-m", "1024", "-nographic", "-no-reboot",
        "-nic", "none", "-kernel", str(kernel / "vmlinuz"), "-initrd", str(initramfs), "-append", COMMAND_LINE,
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
    )  # fmt: skip
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LIMIT_S
        )
    except subprocess.TimeoutExpired as error:
        raise AssertionError((error.stdout or b"").decode("utf-8", "replace")) from None
    return done.stdout.decode("utf-8", "replace").replace("\r", "") + done.stderr.decode("utf-8", "replace")


def _prepared() -> tuple[Path, Path]:
    """The folder of the kernel with its modules, and a static busybox."""
    root = packages.cache_root("guest")
    with packages.locked(root):
        debs = packages.fetch(root, "kernel", (KERNEL,), "amd64")
        digest = hashlib.sha256("\n".join((*MODULES, *(path.name for path in debs))).encode()).hexdigest()
        kernel = packages.kept(root, "kernel", digest, lambda folder: image.kernel(debs, folder, MODULES))
        small = packages.fetch(root, "busybox", ("busybox-static",), "amd64")
        digest = hashlib.sha256("\n".join(path.name for path in small).encode()).hexdigest()
        unpacked = packages.kept(root, "busybox", digest, lambda folder: image.unpack(small, folder / "all"))
    return kernel, next(unpacked.rglob("bin/busybox"))


def _lay_out(tree: Path, kernel: Path, busybox: Path, given: Path, script: str) -> None:
    (tree / "bin").mkdir(parents=True)
    shutil.copy(busybox, tree / "bin" / "busybox")
    shutil.copytree(kernel / "modules", tree / "modules")
    shutil.copy(HERE / "init", tree / "init")
    (tree / "init").chmod(0o755)
    shutil.copytree(given, tree / "given", symlinks=True)
    units = tree / "given" / "etc" / "systemd" / "system"
    units.mkdir(parents=True, exist_ok=True)
    (units / "guest.target").write_text(TARGET)
    (units / "guest.service").write_text(SERVICE)
    (tree / "given" / "guest").mkdir()
    (tree / "given" / "guest" / "script").write_text(script)
