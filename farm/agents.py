"""Door of `agents/`: the scripts that farm pushes to devices, as artifacts."""

from __future__ import annotations

import hashlib
from functools import cache

from farm import resources
from farm.errors import RunError
from farm.model.artifact import Artifact

RUNNER = "load_and_run.py"
PACKAGE = "mge"
"""What RUNNER imports; it finds this folder beside itself."""


@cache
def agent_script() -> Artifact:
    """The agent, a POSIX shell script. Raises RunError when this installation lacks it."""
    return _artifact("farm-agent.sh")


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
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"this installation of farm is broken: agents/{name} is missing", hint="reinstall farm"
        ) from error
    return Artifact(path.name, hashlib.sha256(content).hexdigest(), len(content), path, executable=True)
