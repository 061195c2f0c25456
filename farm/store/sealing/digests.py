"""The digests of files, in the form of `sha256sum`, which checks them: `sha256sum -c FILE`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from farm.errors import RunError
from farm.files import SHARED_FILE, sha256_of, write_atomic
from farm.store.journal import JOURNAL, has_writer
from farm.store.runs import REPORT, RunDirectory

SUFFIX = ".sha256"
SIGNATURE = ".sig"

PAGES = ("cells/*.html", "cells/*.css", REPORT)
"""What `farm report` makes again of a run, perhaps with a newer farm: it proves nothing."""

Told = Callable[[str, int, int | None], None]
"""Label, files that are done, files of all."""


def seal(page: Path, runs: Sequence[RunDirectory], told: Told) -> Path:
    """Write the digests of a page and of all data of its runs beside it; paths are relative to it.

    Raises RunError where a run goes on, a file changes meanwhile, or for disk errors.
    """
    target = page.with_name(page.name + SUFFIX)
    for one in runs:
        if has_writer(one.path / JOURNAL):
            raise RunError(f"the run {one.run_id} goes on", hint="seal it when it has ended")
    try:
        beside = {target.resolve(), target.resolve().with_name(target.name + SIGNATURE)}
        found = (file for one in runs for file in sorted(_data(one.path)) if file not in beside)
        files = list(dict.fromkeys((page.resolve(), *found)))
        folder = target.resolve().parent
        lines = []
        for number, file in enumerate(files):
            told("digests", number, len(files))
            lines.append(_line(file, os.path.relpath(file, folder)))
        told("digests", len(files), len(files))
        write_atomic(target.resolve(), b"".join(lines), mode=SHARED_FILE)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"cannot write the digests: {error.filename or target}: {reason}") from error
    return target


def _data(folder: Path) -> Iterator[Path]:
    """Regular files, each once: links of a run lead to its artifacts, and pages are made of its data. Raises
    OSError for a folder that cannot be read.
    """
    root = folder.resolve()
    pages = {page for pattern in PAGES for page in root.glob(pattern)}
    for place, _, names in os.walk(root, onerror=_raise):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink() and path.is_file() and path not in pages:
                yield path


def _raise(error: OSError) -> None:
    raise error


def _line(file: Path, name: str) -> bytes:
    """As GNU coreutils writes it: a backslash before the line says that its name has escapes."""
    told = os.fsencode(name)
    escaped = told.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    mark = b"\\" if escaped != told else b""
    return mark + sha256_of(file).encode() + b"  " + escaped + b"\n"
