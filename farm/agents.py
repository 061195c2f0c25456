"""Door of `agents/`: the scripts that farm pushes to devices, as artifacts."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from farm import resources
from farm.errors import RunError
from farm.model.artifact import Artifact

RUNNER = "load_and_run.py"


@cache
def agent_script() -> Artifact:
    """The agent, a POSIX shell script. Raises RunError when this installation lacks it."""
    return _artifact(_folder() / "farm-agent.sh")


@cache
def runner_files() -> tuple[tuple[str, Artifact], ...]:
    """The wheel runtime's Python files by their name on the device, load_and_run.py first."""
    modules = sorted(_folder().glob("mge_*.py"))
    return tuple((path.name, _artifact(path)) for path in (_folder() / RUNNER, *modules))


@cache
def unpack_script() -> Artifact:
    """The script that rebuilds MegEngine's library on a device from what was pushed."""
    return _artifact(_folder() / "unpack_runtime.py")


def _folder() -> Path:
    return resources.folder("agents")


def _artifact(path: Path) -> Artifact:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"this installation of farm is broken: agents/{path.name} is missing", hint="reinstall farm"
        ) from error
    return Artifact(path.name, hashlib.sha256(content).hexdigest(), len(content), path, executable=True)
