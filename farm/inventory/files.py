"""Paths of an inventory, and the files that its devices and builds name: identities, programs, libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from farm.errors import RequestError
from farm.files import is_file
from farm.inventory.mistakes import Mistake, refuse
from farm.model.device import Device, Runtime

BUILDS_FILE = "builds.yaml"
"""Beside the inventory."""

WILDCARDS = re.compile(r"[*?\[]")


def absolute(path: Path) -> Path:
    """The path from the root on. Raises RequestError in a current folder that was removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        raise RequestError("the current folder does not exist any more", hint="cd to another one") from None


def is_hidden(file: Path) -> bool:
    """What editors and macOS (`._lab.yaml`) leave beside a file: nobody means these."""
    return file.name.startswith(".")


def require_files(devices: Iterable[Device], *, with_runtime: bool = True) -> None:
    """Raise RequestError, with file and line, when a file that one of `devices` names does not exist. Without
    `with_runtime`: those of its runtime are not of use.
    """
    refuse(
        mistake
        for device in devices
        for mistake in missing_files(
            device.source or device.name,
            f"device {device.name}",
            (
                *(("identity", path) for path in device.address.identity),
                *(files_of(device.runtime) if with_runtime else ()),
            ),
        )
    )


def files_of(runtime: Runtime) -> Iterator[tuple[str, Path]]:
    """The local files of a runtime, each with its key in the file."""
    if not runtime.on_device:
        yield from (("runtime.program", Path(path)) for path in (runtime.program,) if path)
        yield from (("runtime.libraries", Path(path)) for path in runtime.libraries)
    yield from ((f"runtime.overlay.{name}", Path(path)) for name, path in runtime.overlay)
    yield from (("runtime.preload", Path(path)) for path in runtime.preload)


def missing_files(source: str, whose: str, files: Iterable[tuple[str, Path]]) -> Iterator[Mistake]:
    """Mistakes, at `source`, for the files that do not exist."""
    for key, path in files:
        if not is_file(path):
            problem = "no file matches" if WILDCARDS.search(path.name) else "no such file:"
            yield Mistake(source, f"{whose}, {key}: {problem} {path}")
