"""Kernel, initial file system and disks of the boards, made from arm64 packages and kept beside them."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from tests.arm import packages
from tests.arm.packages import which

SYSTEM = Path(__file__).parent / "system"
MODULES = ("virtio_mmio", "virtio_net", "virtio_blk", "ext4")
LOADER, OWN_LOADER = b"/lib/ld-linux-aarch64.so.1", b"/dropbear/lib/ld.so"
_PASSWD = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
_SSHD_USER = "sshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n"
_GROUP = "root:x:0:\nnogroup:x:65534:\n"
_SSHD_CONFIG = (
    "HostKey /etc/ssh/ssh_host_ed25519_key\nPermitRootLogin yes\nSubsystem sftp internal-sftp\nUseDNS no\n"
)


@dataclass(frozen=True)
class Images:
    """What a board boots. `debian` is the tree of its second flavour, as a disk image's source."""

    kernel: Path
    initramfs: Path
    debian: Path | None = None


def prepare(*, debian: bool = False) -> Images:
    """Makes what is missing, one process at a time. Raises UnavailableError."""
    packages.need("qemu-system-aarch64", "dropbearkey", "cpio", "mke2fs", "ssh-keygen")
    root = packages.cache_root()
    with packages.locked(root):
        kernel = _made(root, "kernel", (packages.KERNEL,), _kernel)
        small = _made(root, "small", packages.SMALL, lambda debs, to: _initramfs(debs, kernel, to))
        tree = _made(root, "debian", packages.DEBIAN, _debian) if debian else None
    return Images(kernel / "vmlinuz", small / "initramfs", tree)


def _made(root: Path, name: str, wanted: tuple[str, ...], make) -> Path:
    """The folder with what `make(debs, folder)` makes of packages; a new one where packages or recipe changed."""
    debs = packages.fetch(root, name, wanted)
    recipe = [Path(__file__), *sorted(SYSTEM.iterdir())]
    told = hashlib.sha256(b"".join(path.read_bytes() for path in recipe))
    told.update("\n".join(path.name for path in debs).encode())
    return packages.kept(root, name, told.hexdigest(), lambda folder: make(debs, folder))


def _kernel(debs: list[Path], folder: Path) -> None:
    kernel(debs, folder, MODULES)


def kernel(debs: list[Path], folder: Path, wanted_modules: tuple[str, ...]) -> None:
    """vmlinuz, and the modules that are wanted, in the order in which they are loaded."""
    unpacked = folder / "unpacked"
    unpack(debs, unpacked)
    shutil.move(next((unpacked / "boot").glob("vmlinuz-*")), folder / "vmlinuz")
    modules = folder / "modules"
    modules.mkdir()
    all_modules = {path.name.partition(".")[0]: path for path in unpacked.rglob("*.ko*")}
    order = list(
        dict.fromkeys(name for wanted in wanted_modules for name in _load_order(wanted, all_modules, modules))
    )
    (modules / "order").write_text("".join(f"{name}.ko\n" for name in order))
    shutil.rmtree(unpacked)


def _load_order(name: str, all_modules: dict[str, Path], folder: Path) -> Iterator[str]:
    """What `name` needs, then itself; each is written to `folder`. One that is no file is in the kernel already."""
    packed = all_modules.get(name)
    if packed is None:
        return
    plain = folder / f"{name}.ko"
    plain.write_bytes(lzma.decompress(packed.read_bytes()) if packed.suffix == ".xz" else packed.read_bytes())
    with plain.open("rb") as stream:
        told = ELFFile(stream).get_section_by_name(".modinfo").data().split(b"\0")
    needs = next((line for line in told if line.startswith(b"depends=")), b"").decode().partition("=")[2]
    for need in filter(None, needs.split(",")):
        yield from _load_order(need.replace("-", "_"), all_modules, folder)
    yield name


def _initramfs(debs: list[Path], kernel: Path, folder: Path) -> None:
    """busybox, and dropbear with libraries and a loader of its own: no other dynamic program starts."""
    unpacked, tree = folder / "unpacked", folder / "tree"
    unpack(debs, unpacked)
    for name in (
        "bin",
        "sbin",
        "usr/bin",
        "usr/sbin",
        "etc",
        "proc",
        "sys",
        "dev",
        "disk",
        "run",
        "dropbear/lib",
    ):
        (tree / name).mkdir(parents=True)
    for name, mode in {"root": 0o700, "tmp": 0o1777}.items():
        (tree / name).mkdir()
        (tree / name).chmod(mode)
    shutil.copy(next(unpacked.rglob("bin/busybox")), tree / "bin/busybox")
    dropbear = next(unpacked.rglob("sbin/dropbear")).read_bytes()
    assert dropbear.count(LOADER + b"\0") == 1
    program = tree / "dropbear/dropbear"
    program.write_bytes(dropbear.replace(LOADER, OWN_LOADER.ljust(len(LOADER), b"\0")))
    program.chmod(0o755)
    for name in _libraries(program, unpacked):
        shutil.copy(_library(unpacked, name), tree / "dropbear/lib" / name)
    shutil.copy(_library(unpacked, Path(LOADER.decode()).name), tree / OWN_LOADER.decode()[1:])
    shutil.copytree(kernel / "modules", tree / "modules")
    shutil.copy(SYSTEM / "rc", tree / "init")
    (tree / "init").chmod(0o755)
    shutil.copy(SYSTEM / "inittab", tree / "etc/inittab")
    (tree / "etc/passwd").write_text(_PASSWD)
    (tree / "etc/group").write_text(_GROUP)
    (folder / "initramfs").write_bytes(archive(tree))
    shutil.rmtree(unpacked)
    shutil.rmtree(tree)


def _libraries(program: Path, unpacked: Path) -> list[str]:
    """Names of all libraries that a program needs, and those of these."""
    found: dict[str, None] = {}
    todo = [program]
    while todo:
        with todo.pop().open("rb") as stream:
            dynamic: Any = ELFFile(stream).get_section_by_name(".dynamic")
            needed = [tag.needed for tag in dynamic.iter_tags() if tag.entry.d_tag == "DT_NEEDED"]
        for name in needed:
            if name not in found:
                found[name] = None
                todo.append(_library(unpacked, name))
    return list(found)


def _library(unpacked: Path, name: str) -> Path:
    return next(path.resolve() for path in unpacked.rglob(name))


def _debian(debs: list[Path], folder: Path) -> None:
    """The tree of a Debian whose packages are unpacked and not configured: what is needed of that stands here."""
    unpack(debs, folder)
    for unused in ("doc", "man", "locale", "info", "perl5", "zoneinfo"):
        shutil.rmtree(folder / "usr/share" / unused, ignore_errors=True)
    for name, program in {"sh": "dash", "awk": "gawk"}.items():
        (folder / "usr/bin" / name).unlink(missing_ok=True)
        (folder / "usr/bin" / name).symlink_to(program)
    for name in ("proc", "sys", "dev", "run", "tmp", "root/.ssh", "etc/ssh"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "tmp").chmod(0o1777)
    (folder / "etc/passwd").write_text(_PASSWD.replace("/bin/sh", "/bin/bash") + _SSHD_USER)
    (folder / "etc/group").write_text(_GROUP)
    (folder / "etc/ssh/sshd_config").write_text(_SSHD_CONFIG)
    (folder / "usr/sbin/init").unlink(missing_ok=True)
    shutil.copy(SYSTEM / "debian-init", folder / "usr/sbin/init")
    (folder / "usr/sbin/init").chmod(0o755)


def unpack(debs: list[Path], folder: Path) -> None:
    for name in ("bin", "sbin", "lib"):  # as a merged Debian has them
        (folder / "usr" / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(f"usr/{name}")
    for deb in debs:
        with subprocess.Popen(("dpkg-deb", "--fsys-tarfile", deb), stdout=subprocess.PIPE) as told:
            words = ("tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", folder)
            subprocess.run(words, stdin=told.stdout, check=True)
        if told.returncode:
            raise packages.UnavailableError(f"{deb} is damaged")


def disk(path: Path, tree: Path, size_mib: int) -> None:
    """An ext4 image with what is in `tree`, all of it root's."""
    words = (
        which("mke2fs"),
        "-q",
        "-t",
        "ext4",
        "-m",
        "0",
        "-E",
        "root_owner=0:0",
        "-d",
        tree,
        path,
        f"{size_mib}M",
    )
    as_root = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
    subprocess.run((*as_root, *words), check=True, capture_output=True)


def archive(tree: Path) -> bytes:
    """A cpio archive of a folder as the kernel unpacks it, all of it root's. Several may follow each other."""
    names = sorted(str(path.relative_to(tree)) for path in tree.rglob("*"))
    words = (which("cpio"), "--quiet", "-o", "-H", "newc", "-R", "0:0")
    done = subprocess.run(words, cwd=tree, input="\n".join(names).encode(), capture_output=True, check=True)
    return done.stdout
