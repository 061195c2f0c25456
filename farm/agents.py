"""Door of `agents/`: the scripts that farm pushes to devices, as artifacts."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from farm import resources
from farm.errors import RunError
from farm.model.artifact import Artifact, Script

SHELL = "shell"
RUNNER = "load_and_run.py"
PACKAGE = "mge"
"""What RUNNER imports; it finds this folder beside itself."""


@cache
def agent_script() -> Script:
    """The agent, one POSIX shell script: the files of `agents/shell/`, one after the other.

    Raises RunError when this installation lacks it.
    """
    paths = sorted((resources.folder("agents") / SHELL).glob("*/*.sh"))
    content = b"".join(map(_content, paths))
    if not content:
        raise _broken(SHELL)
    return Script(content, hashlib.sha256(content).hexdigest())


@cache
def runner_files() -> tuple[tuple[str, Artifact], ...]:
    """The wheel runtime's Python files by their path on the device (`mge/log.py`), load_and_run.py first."""
    folder = resources.folder("agents") / "wheel"
    modules = sorted(path.relative_to(folder).as_posix() for path in (folder / PACKAGE).rglob("*.py"))
    return tuple((name, _artifact(f"wheel/{name}")) for name in (RUNNER, *modules))


@cache
def unpack_script() -> Artifact:
    """The script that rebuilds MegEngine's library on a device from what was pushed."""
    return _artifact("wheel/unpack.py")


def _artifact(name: str) -> Artifact:
    path = resources.folder("agents") / name
    content = _content(path)
    return Artifact(path.name, hashlib.sha256(content).hexdigest(), len(content), path, executable=True)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _broken(path.relative_to(resources.folder("agents")).as_posix()) from error


def _broken(name: str) -> RunError:
    return RunError(f"this installation of farm is broken: agents/{name} is missing", hint="reinstall farm")
