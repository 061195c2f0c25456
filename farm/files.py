"""Files on the controller: written whole or not at all, named safely, found by their digest."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import unicodedata
from itertools import groupby, takewhile
from pathlib import Path, PurePath
from typing import TypeVar

_AnyPath = TypeVar("_AnyPath", bound=PurePath)

NAME_BYTES = 120
"""How long a name may be in a file name of at most 255 bytes, with what is put before and behind it."""

_USUAL = re.compile(r"[A-Za-z0-9_+=]([A-Za-z0-9._+=-]*[A-Za-z0-9_+=])?")


PRIVATE_FILE, PRIVATE_FOLDER, SHARED_FILE = 0o600, 0o700, 0o666
"""Modes that the umask makes narrower: what farm keeps is for its user, what a user names is as any file."""


def write_atomic(path: Path, data: bytes, *, mode: int = PRIVATE_FILE, is_synced: bool = True) -> None:
    """Write a temporary file in the same folder, flush, rename: a reader sees the old file or the new one.

    `is_synced`: it is on the disk before the rename, so that a power cut leaves one of the two.
    """
    temporary = path.with_name(f".{path.name[:200]}.{secrets.token_hex(4)}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            if is_synced:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def private_folder(path: Path) -> Path:
    """The folder, made with the missing ones above it, for its user only. Raises OSError."""
    missing = takewhile(lambda one: not one.exists(), (path, *path.parents))
    for one in reversed(list(missing)):
        one.mkdir(PRIVATE_FOLDER, exist_ok=True)
    return path


def sha256_of(path: Path) -> str:
    """SHA-256 of a file as 64 hex digits, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_path(root: _AnyPath, sha256: str) -> _AnyPath:
    """Where a store keeps the content of a digest, here and on devices: `<root>/<aa>/<sha256>`."""
    return root / sha256[:2] / sha256


def path_name(name: str) -> str:
    """A name as one safe path component of this machine: letters and digits of any script, `._-+=`; never
    empty, never dots alone. A name that had to be changed ends with six digits of its digest.
    """
    if _USUAL.fullmatch(name) and len(name) <= NAME_BYTES:
        return name
    runs = groupby(unicodedata.normalize("NFC", name), _is_readable)
    safe = "".join("".join(run) if is_readable else "-" for is_readable, run in runs).strip(".-")
    try:
        os.fsencode(safe)
    except UnicodeEncodeError:  # file names of this system have another encoding
        return ascii_name(name)
    return _marked(safe, name)


def ascii_name(name: str) -> str:
    """The same in ASCII alone, for devices, whose file names may have any encoding or none."""
    return _marked(re.sub(r"[^A-Za-z0-9._+=-]+", "-", name).strip(".-"), name)


def is_tree_name(name: str) -> bool:
    """Whether it can be the name of a file below a folder on a device, and does not lead out of it."""
    return "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def user_path(text: str) -> Path:
    """A path as a user typed it, with `~` expanded; as it is where no such user is known."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def tidy(path: Path) -> Path:
    """The path without `.` and `..`, where that is the same place: behind a link `..` leads elsewhere."""
    try:
        short = Path(os.path.normpath(path))
        return short if os.path.realpath(short) == os.path.realpath(path) else path
    except (OSError, ValueError):
        return path


def is_file(path: Path) -> bool:
    """Whether there is such a file; False where that cannot be known (`Path.is_file` raises)."""
    return os.path.isfile(path)  # noqa: PTH113


def _is_readable(char: str) -> bool:
    """Whether a character is a letter, a mark on one, a digit, or one of `._-+=`."""
    return char in "._+=-" or unicodedata.category(char)[0] in "LM" or char.isdecimal()


def _marked(safe: str, name: str) -> str:
    """`safe` itself where it is the whole name; else what fits of it, and digits that tell it from others."""
    encoded = safe.encode()
    if safe and safe == name and len(encoded) <= NAME_BYTES:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    begin = encoded[: NAME_BYTES - 7].decode("utf-8", "ignore").rstrip(".-")
    return f"{begin or 'x'}-{digest}"
