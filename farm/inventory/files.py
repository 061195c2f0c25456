"""Paths of an inventory, and the files that its devices name: identities, programs, libraries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from farm.errors import RequestError
from farm.files import is_file
from farm.inventory.mistakes import Mistake, refuse
from farm.model.device import Device

WILDCARDS = re.compile(r"[*?\[]")


def absolute(path: Path) -> Path:
    """The path from the root on. Raises RequestError in a current folder that was removed."""
    try:
        return path.absolute()
    except FileNotFoundError:
        raise RequestError("the current folder does not exist any more", hint="cd to another one") from None


def require_files(devices: Iterable[Device]) -> None:
    """Raise RequestError, with file and line, when a file that one of `devices` names does not exist."""
    mistakes = []
    for device in devices:
        runtime = device.runtime
        wanted = [("identity", path) for path in device.address.identity]
        if runtime.program and not runtime.on_device:
            wanted += [("runtime.program", Path(runtime.program))]
            wanted += [("runtime.libraries", Path(library)) for library in runtime.libraries]
        for key, path in wanted:
            if is_file(path):
                continue
            problem = "no file matches" if WILDCARDS.search(path.name) else "no such file:"
            text = f"device {device.name}, {key}: {problem} {path}"
            mistakes.append(Mistake(device.source or device.name, text))
    refuse(mistakes)
