"""`farm runs export`: a run as one archive."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import secrets
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from farm import __version__
from farm.errors import RequestError, RunError
from farm.files import SHARED_FILE, sha256_of
from farm.store.cache.kept import KeptStore
from farm.store.journal import JOURNAL, has_writer
from farm.store.manifest import MANIFEST, KeptFile, Manifest, read_manifest
from farm.store.moving.contents import FIRST, KEPT, RUN, VERSION, Contents, Link, Member, to_json
from farm.store.runs import RunDirectory

BLOCK_BYTES = 1 << 20

Told = Callable[[str, int, int | None], None]
"""Label, bytes that are done, bytes of all."""


@dataclass(frozen=True)
class Packed:
    """`left_out` are what could not be taken along, in words."""

    files: int
    size_bytes: int
    archive_bytes: int
    left_out: tuple[str, ...] = ()


def pack(directory: RunDirectory, target: Path, kept: KeptStore | None, told: Told) -> Packed:
    """Write the archive: whole, or not at all. With `kept` what was pushed for the run goes along.

    Raises RequestError for a run that goes on, or whose files change meanwhile; RunError for disk errors.
    """
    if has_writer(directory.path / JOURNAL):
        raise RequestError(f"the run {directory.run_id} goes on", hint="export it when it has ended")
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        found = _find(directory, kept)
        contents = _contents(directory.path.resolve().name, found, told)
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SHARED_FILE)
        with os.fdopen(handle, "wb") as stream:
            _write(stream, contents, found.places, told)
            stream.flush()
            os.fsync(handle)
        size_bytes = temporary.stat().st_size
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot export {directory.run_id}: {error.filename or target}: {reason}") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return Packed(len(contents.files), contents.size_bytes, size_bytes, tuple(found.left_out))


@dataclass
class _Found:
    """Where each file of the archive is now, which names are links to which, and what cannot come along."""

    places: dict[str, Path] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def _find(directory: RunDirectory, kept: KeptStore | None) -> _Found:
    found = _Found()
    root = directory.path.resolve()
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        if not _is_text(name):
            found.left_out.append(f"{name!r}: its name is no text")
        elif path.is_symlink():
            _add_link(found, root, path, name)
        elif path.is_file():
            found.places[f"{RUN}/{name}"] = path
        else:
            found.left_out.append(f"{name}: no file")
    for one in kept_files(read_manifest(root / MANIFEST)) if kept else ():
        place = kept.find(one.sha256) if kept else None
        if place is None:
            found.left_out.append(f"{one.name}: not kept any more")
        else:
            found.places[f"{KEPT}/{one.sha256}"] = place
    return found


def _add_link(found: _Found, root: Path, path: Path, name: str) -> None:
    """Files of a run that are equal are links to one of them."""
    target = path.resolve()
    if target.is_file() and target.is_relative_to(root) and _is_text(target.name):
        found.links[f"{RUN}/{name}"] = f"{RUN}/{target.relative_to(root).as_posix()}"
    else:
        found.left_out.append(f"{name}: a link that leads out of the run, or nowhere")


def kept_files(manifest: Manifest) -> Iterator[KeptFile]:
    """All files that a run refers to, some of them several times."""
    for model in manifest.models.values():
        yield model.file
        yield from (file for _, file in model.inputs)
    for runtime in manifest.runtimes.values():
        yield from (file for _, file in runtime.files)
    for cell in manifest.cells.values():
        yield from (file for _, file in cell.files)
    for products in manifest.products.values():
        yield from (one.file for one in products)


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in sorted(os.walk(folder)):
        yield from (Path(place, name) for name in sorted(names))


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _contents(run: str, found: _Found, told: Told) -> Contents:
    total, done = sum(path.stat().st_size for path in found.places.values()), 0
    members = []
    for name, path in found.places.items():
        told("reading the run", done, total)
        member = Member(name, path.stat().st_size, sha256_of(path))
        done += member.size_bytes
        members.append(member)
    links = (Link(path, to) for path, to in found.links.items() if to in found.places)
    return Contents(VERSION, run, __version__, tuple(members), tuple(links))


def _write(stream: BinaryIO, contents: Contents, places: dict[str, Path], told: Told) -> None:
    done = 0
    with (
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=stream, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
    ):
        text = to_json(contents)
        archive.addfile(_header(FIRST, len(text)), io.BytesIO(text))
        for member in contents.files:
            told("writing the archive", done, contents.size_bytes)
            with places[member.path].open("rb") as file:
                source = _Checked(file, member.size_bytes)
                archive.addfile(_header(member.path, member.size_bytes), source)
                is_whole = source.sha256 == member.sha256
            if not is_whole:
                raise RequestError(
                    f"{places[member.path]} was changed while it was read",
                    hint="export it when nothing writes",
                )
            done += member.size_bytes


def _header(name: str, size_bytes: int) -> tarfile.TarInfo:
    """Of a file of nobody: the same run gives the same archive."""
    header = tarfile.TarInfo(name)
    header.size, header.mode = size_bytes, 0o644
    return header


class _Checked:
    """A file of that size with the digest of what was read; one that became shorter ends with zeros."""

    def __init__(self, file: BinaryIO, size_bytes: int) -> None:
        self._file, self._left_bytes, self._digest = file, size_bytes, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left_bytes if size < 0 else min(size, self._left_bytes)
        data = self._file.read(wanted)
        self._digest.update(data)
        self._left_bytes -= wanted
        return data.ljust(wanted, b"\0")

    @property
    def sha256(self) -> str:
        """Of all of it, and of what was added meanwhile."""
        self._digest.update(self._file.read(1))
        return self._digest.hexdigest()
