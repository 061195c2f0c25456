"""`farm runs import`: an archive becomes a run of this machine, once every digest is right."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import os
import secrets
import shutil
import tarfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from farm.errors import RequestError, RunError
from farm.files import PRIVATE_FILE, private_folder
from farm.model.artifact import Artifact
from farm.store.cache.kept import ChangedError, KeptStore, Space
from farm.store.manifest import MANIFEST, read_manifest
from farm.store.moving.contents import (
    AGAIN,
    FIRST,
    KEPT,
    LARGEST_FIRST_BYTES,
    RUN,
    Contents,
    from_json,
)
from farm.store.moving.pack import BLOCK_BYTES, Told, kept_files
from farm.store.runs import LATEST, RUN_ID, RunDirectory

ASIDE = ".import-"
"""Begins the name of a run that is on its way in."""

UNFINISHED_S = 86_400
"""After so long one is of a farm that was killed."""

BROKEN = (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error, ValueError, OverflowError)
"""`tarfile` lets numbers through that are none, of headers that are not looked at here."""


@dataclass(frozen=True)
class Unpacked:
    """`not_kept` says why what was pushed for the run is not here: it cannot be measured again then."""

    directory: RunDirectory
    files: int
    size_bytes: int
    not_kept: str | None = None


def unpack(archive: Path, runs_dir: Path, name: str | None, kept: KeptStore, told: Told) -> Unpacked:
    """The run of an archive, under its own name or `name`: whole, or not at all.

    Raises RequestError for what is no archive of a run, is damaged or would replace a run; RunError for
    disk errors.
    """
    aside = runs_dir / f"{ASIDE}{secrets.token_hex(4)}"
    _remove_leftovers(runs_dir)
    try:
        with _opened(archive) as tar:
            contents = _first(tar, archive)
            target = _target(runs_dir, name or contents.run)
            private_folder(aside)
            _require_room(aside, contents)
            _extract(tar, contents, aside, told, archive)
        not_kept = _keep(aside, contents, kept)
        (aside / RUN).rename(target)
        not_kept = _refer(target, kept) or not_kept
    except BROKEN as error:
        raise RequestError(f"{archive} is damaged or cut: {error}", hint=AGAIN) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot import {archive}: {error.filename or runs_dir}: {reason}") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return Unpacked(RunDirectory(target), len(contents.files), contents.size_bytes, not_kept)


def _remove_leftovers(runs_dir: Path) -> None:
    """What a farm that was killed left behind."""
    with contextlib.suppress(OSError):
        for path in runs_dir.glob(f"{ASIDE}*"):
            if path.stat().st_mtime < time.time() - UNFINISHED_S:
                shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        stream = archive.open("rb")
    except OSError as error:
        raise RequestError(
            f"cannot read {archive}: {error.strerror}", hint="farm runs import FILE"
        ) from error
    with stream:
        try:
            tar = tarfile.open(fileobj=stream, mode="r|gz")  # noqa: SIM115 - closed below
        except BROKEN as error:
            raise RequestError(f"{archive} is no archive of a run: {error}", hint=AGAIN) from error
        with tar:
            yield tar


def _first(tar: tarfile.TarFile, archive: Path) -> Contents:
    member = tar.next()
    if member is None or member.name != FIRST or not member.isreg():
        raise RequestError(f"{archive} is no archive of a run: it does not begin with {FIRST}", hint=AGAIN)
    source = tar.extractfile(member)
    if source is None or member.size > LARGEST_FIRST_BYTES:
        raise RequestError(f"{archive}: {FIRST} is damaged: too long", hint=AGAIN)
    return from_json(source.read(), str(archive))


def _target(runs_dir: Path, name: str) -> Path:
    if not RUN_ID.match(name) or name == LATEST:
        raise RequestError(
            f"invalid run id {name!r}", hint="--as NAME, of letters, digits, dot, dash and underscore"
        )
    if os.path.lexists(runs_dir / name):
        raise RequestError(f"run {name} already exists in {runs_dir}", hint="--as ANOTHER-NAME")
    return runs_dir / name


def _require_room(folder: Path, contents: Contents) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if contents.size_bytes > free_bytes:
        from humanize import naturalsize

        raise RunError(
            f"no room for the run: it has {naturalsize(contents.size_bytes)}, and {folder.parent} has "
            f"{naturalsize(free_bytes)} free",
            hint="farm runs gc --keep-within 30d, or another --runs-dir",
        )


def _extract(tar: tarfile.TarFile, contents: Contents, folder: Path, told: Told, archive: Path) -> None:
    """Files of the list alone, in its order; nothing else of a tar counts: no link, no owner, no mode."""
    private_folder(folder / RUN)
    done = 0
    for expected in contents.files:
        told("reading the archive", done, contents.size_bytes)
        member = tar.next()
        if (
            member is None
            or member.name != expected.path
            or member.size != expected.size_bytes
            or not member.isreg()
        ):
            raise RequestError(f"{archive} is damaged: {expected.path} is not where it should be", hint=AGAIN)
        source = tar.extractfile(member)
        if source is None or _copy(source, folder / expected.path) != expected.sha256:
            raise RequestError(f"{archive} is damaged: {expected.path} has another digest", hint=AGAIN)
        done += expected.size_bytes
    for link in contents.links:
        path = folder / link.path
        private_folder(path.parent)
        path.symlink_to(os.path.relpath(folder / link.to, path.parent))
    if tar.next() is not None:
        raise RequestError(f"{archive} has more in it than it says", hint=AGAIN)


def _copy(source: IO[bytes], target: Path) -> str:
    private_folder(target.parent)
    digest = hashlib.sha256()
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE)
    with os.fdopen(handle, "wb") as stream:
        while block := source.read(BLOCK_BYTES):
            digest.update(block)
            stream.write(block)
    return digest.hexdigest()


def _keep(folder: Path, contents: Contents, kept: KeptStore) -> str | None:
    """What was pushed goes into the store; why it did not. Without it the run comes all the same."""
    space = Space(kept)
    for one in contents.files:
        if one.path.startswith(f"{KEPT}/"):
            try:
                kept.keep(Artifact(one.sha256, one.sha256, one.size_bytes, folder / one.path), space)
            except (ChangedError, OSError) as error:
                return str(error)
    return None


def _refer(run: Path, kept: KeptStore) -> str | None:
    """What is kept for the run stays as long as it does; why it does not."""
    try:
        if digests := [one.sha256 for one in kept_files(read_manifest(run / MANIFEST))]:
            kept.refer(run / MANIFEST, digests)
    except (RequestError, OSError) as error:
        return str(error)
    return None
