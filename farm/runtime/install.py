"""Install the wheel runtime on the controller: fetch, check, keep the libraries, remove the rest."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from farm.errors import RequestError, RunError
from farm.model.artifact import Artifact
from farm.runtime import cache, fetch
from farm.runtime.cache import Progress
from farm.runtime.wheel import WHEEL, Library, Wheel

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class InstalledRuntime:
    """The pristine libraries of a wheel, read-only in `root`/lib, every digest checked when installed."""

    version: str
    root: Path
    libraries: tuple[Artifact, ...]


def installed(*, root: Path | None = None, wheel: Wheel = WHEEL) -> InstalledRuntime | None:
    """The pinned runtime, or None when it is not complete (names and sizes are compared)."""
    folder = (root or cache.default_root()) / wheel.key
    libraries = tuple(
        Artifact(one.name, one.sha256, one.size_bytes, folder / "lib" / one.name) for one in wheel.libraries
    )
    complete = all(one.path.is_file() and one.path.stat().st_size == one.size_bytes for one in libraries)
    return InstalledRuntime(wheel.version, folder, libraries) if complete else None


def list_installed(*, root: Path | None = None, wheel: Wheel = WHEEL) -> tuple[InstalledRuntime, ...]:
    """The runtimes that are here and complete."""
    found = installed(root=root, wheel=wheel)
    return (found,) if found else ()


def ensure(progress: Progress) -> InstalledRuntime:
    """The pinned runtime, installed first when it is missing. Raises RunError when that fails."""
    return installed() or install(progress)


def install(
    progress: Progress, *, wheel: Path | None = None, root: Path | None = None, pinned: Wheel = WHEEL
) -> InstalledRuntime:
    """Install the pinned runtime, from the wheel file given or from the user's package index.

    A complete one is kept. When interrupted, or without network or disk, no incomplete file is left.
    Raises RequestError when the file given is not the pinned wheel, RunError when it fails.
    """
    root = root or cache.default_root()
    with cache.staging(root, progress) as staging:
        found = installed(root=root, wheel=pinned)
        if found:
            return found
        made = staging / "runtime"
        if wheel is not None:
            cache.need_space(root, pinned.libraries_bytes)
            _check_given(wheel, pinned, progress)
            _extract(wheel, pinned, made, progress)
        else:
            tool = fetch.find_tool()
            cache.need_space(root, tool.needed_bytes(pinned))
            fetched = fetch.fetch(tool, pinned, staging, progress)
            if fetched.is_file():
                _check_fetched(fetched, pinned, progress)
            _extract(fetched, pinned, made, progress)
        cache.publish(made, root / pinned.key, staging)
    done = installed(root=root, wheel=pinned)
    assert done is not None, "a published runtime is complete"
    return done


def _check_given(path: Path, pinned: Wheel, progress: Progress) -> None:
    wanted = f"use {pinned.file_name}, SHA-256 {pinned.sha256}"
    try:
        size_bytes = path.stat().st_size
        same = size_bytes == pinned.size_bytes and _digest(path, progress) == pinned.sha256
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", hint=wanted) from error
    if not same:
        raise RequestError(f"{path} is a different wheel, or damaged", hint=wanted)


def _check_fetched(path: Path, pinned: Wheel, progress: Progress) -> None:
    if _digest(path, progress) != pinned.sha256:
        raise RunError(
            f"SHA-256 mismatch of {pinned.file_name} from the package index: expected {pinned.sha256}",
            hint="the index or a proxy changed it; "
            "download it elsewhere and type: farm runtime install --wheel FILE",
        )


def _digest(path: Path, progress: Progress) -> str:
    digest, done, total = hashlib.sha256(), 0, path.stat().st_size
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            progress("checking the wheel", done, total)
    return digest.hexdigest()


def _extract(source: Path, pinned: Wheel, made: Path, progress: Progress) -> None:
    """The libraries of a wheel file, or of the folder it was unpacked into, checked, into `made`/lib."""
    (made / "lib").mkdir(parents=True)
    done = 0
    for library in pinned.libraries:
        target = made / "lib" / library.name
        with _member(source, library) as stream, target.open("xb") as output:
            digest = hashlib.sha256()
            # Never more than the pinned size: a wrong wheel could unpack to any size.
            while block := stream.read(min(BLOCK_BYTES, library.size_bytes + 1 - output.tell())):
                output.write(block)
                digest.update(block)
                progress("unpacking the libraries", done + output.tell(), pinned.libraries_bytes)
            done += output.tell()
            output.flush()
            os.fsync(output.fileno())
        if digest.hexdigest() != library.sha256:
            raise RunError(
                f"SHA-256 mismatch of {library.member} in the wheel: expected {library.sha256}",
                hint="download the wheel again: a cache or mirror has a damaged copy",
            )
        target.chmod(0o444)


@contextmanager
def _member(source: Path, library: Library) -> Iterator[IO[bytes]]:
    try:
        if source.is_dir():
            with (source / library.member).open("rb") as stream:
                yield stream
        else:
            with zipfile.ZipFile(source) as archive, archive.open(library.member) as stream:
                yield stream
    except (KeyError, FileNotFoundError, zipfile.BadZipFile) as error:
        raise RunError(f"cannot unpack the wheel: {library.member}: {error}") from error
