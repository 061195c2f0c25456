"""Packages of the distribution that this machine runs, for arm64 or another architecture, fetched with apt and
never installed.

apt gets folders of its own, so the machine's lists, architectures and installed packages stay as they are; sources,
keys, proxy and credentials are the machine's. Packages are checked by apt's own signatures, and kept.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from farm.resources import cache_folder

KERNELS = "linux-image-"
KERNEL = f"{KERNELS}cloud-arm64"
SMALL = ("busybox-static", "dropbear-bin")
DEBIAN = (
    "openssh-server",
    "bash",
    "dash",
    "coreutils",
    "grep",
    "sed",
    "gawk",
    "procps",
    "util-linux",
    "findutils",
    "tar",
)
UPDATE_LIMIT_S = 180.0
FETCH_LIMIT_S = 300.0
LOCK_LIMIT_S = UPDATE_LIMIT_S + 2 * FETCH_LIMIT_S
FAILURE_LASTS_S = 600.0
"""Without a network each worker of a session would wait again."""
UNUSED_LASTS_S = 14 * 86400.0
_CONFIG = """\
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
"""


class UnavailableError(Exception):
    """Why there can be no board here, in words for people."""


def cache_root(name: str = "arm") -> Path:
    """The folder for packages and what is made of them; made where it is missing."""
    root = cache_folder() / name
    root.mkdir(parents=True, exist_ok=True)
    return root


@contextmanager
def locked(root: Path) -> Iterator[None]:
    """One process at a time makes things in `root`. Raises UnavailableError when another takes too long."""
    lock = FileLock(root / ".lock")
    try:
        lock.acquire(timeout=LOCK_LIMIT_S)
    except Timeout as error:
        raise UnavailableError(f"another process has made packages for {LOCK_LIMIT_S:.0f} s") from error
    try:
        yield
    finally:
        lock.release()


def need(*programs: str) -> None:
    """Raises UnavailableError where one of them is not installed."""
    missing = [name for name in programs if which(name) is None]
    if missing:
        raise UnavailableError(f"not installed: {', '.join(missing)}")


def which(name: str) -> str | None:
    """Like shutil.which, with the administrator's folders."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def kept(root: Path, name: str, digest: str, make: Callable[[Path], None]) -> Path:
    """The folder of `root` with what `make(folder)` makes; `digest` is of all that it depends on.

    The caller holds the lock of `root`. What another checkout makes of other recipes stays while it is in use.
    """
    folder = root / f"{name}-{digest[:16]}"
    for old in root.glob(f"{name}-*"):
        if old != folder and time.time() - old.stat().st_mtime > UNUSED_LASTS_S:
            shutil.rmtree(old)
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=root, prefix=".staging-") as staging:
            made = Path(staging) / name
            made.mkdir()
            make(made)
            made.rename(folder)
    os.utime(folder)
    return folder


def fetch(root: Path, name: str, wanted: tuple[str, ...], architecture: str = "arm64") -> list[Path]:
    """The .deb files of `wanted` and of all that they depend on; from `root` when they are there already.

    The caller holds the lock of `root`. Raises UnavailableError.
    """
    folder, failed = root / "packages" / name, root / "failed"
    if (folder / "complete").exists():
        return sorted(folder.glob("*.deb"))
    if failed.exists() and time.time() - failed.stat().st_mtime < FAILURE_LASTS_S:
        raise UnavailableError(failed.read_text())
    need("apt-get", "apt-cache", "dpkg-deb")
    try:
        _fetch(root, folder, wanted, architecture)
    except UnavailableError as error:
        failed.write_text(str(error))
        raise
    failed.unlink(missing_ok=True)
    (folder / "complete").touch()
    return sorted(folder.glob("*.deb"))


def _fetch(root: Path, folder: Path, wanted: tuple[str, ...], architecture: str) -> None:
    (root / "state/lists/partial").mkdir(parents=True, exist_ok=True)
    (root / "cache/archives/partial").mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    (root / "apt.conf").write_text(_CONFIG.format(root=root, architecture=architecture))
    _apt(root, UPDATE_LIMIT_S, "apt-get", "update", "-qq")
    names = _dependencies(root, wanted)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _apt(root, FETCH_LIMIT_S, "apt-get", "download", "-qq", *names, folder=folder)


def _dependencies(root: Path, wanted: tuple[str, ...]) -> list[str]:
    """Names of packages. The kernel needs none: what its dependencies do happens here."""
    if wanted[0].startswith(KERNELS):
        told = _apt(root, 60, "apt-cache", "depends", "--important", *wanted)
        return [line.split()[1] for line in told.splitlines() if "Depends: linux-image-" in line]
    told = _apt(root, 60, "apt-get", "install", "--simulate", "--no-install-recommends", *wanted)
    return [line.split()[1] for line in told.splitlines() if line.startswith("Inst ")]


def _apt(root: Path, limit_s: float, *words: str, folder: Path | None = None) -> str:
    environment = os.environ | {"APT_CONFIG": str(root / "apt.conf"), "LC_ALL": "C"}
    try:
        done = subprocess.run(
            words, cwd=folder or root, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False, timeout=limit_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"`{' '.join(words[:2])}` took more than {limit_s:.0f} s") from None
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnavailableError(f"`{' '.join(words[:2])}` failed: {said}")
    return done.stdout
