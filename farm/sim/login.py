"""What a login to a simulated device meets: its shell, rc files, environment and tools."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from farm.errors import RunError
from farm.sim.places import boot_file, heat_file, tools_folder
from farm.sim.properties import Login, Properties

AGENT_TOOLS = (
    "cat", "chmod", "cp", "du", "env", "grep", "head", "ln", "ls", "mkdir", "mv", "readlink", "rm", "setsid",
    "sha256sum", "tail", "touch", "wc",
)  # fmt: skip
"""What the agent forks often, but for `sleep`."""

# Where a shell finds commands to run before one that it got with -c. bash reads ~/.bashrc when an SSH server
# has started it; here another shell has, so that it must be told.
RC_FILES = {"bash": ".bashrc", "csh": ".cshrc", "tcsh": ".tcshrc"}

# A boot id of the device's own: in a place where only its processes see it.
AFTER_RESTART = """
if [ -f "$BOOT" ] && [ -z "${MOUNTED-}" ]; then
  export MOUNTED=yes BOOT
  exec unshare -m sh -c 'mount --bind "$BOOT" /proc/sys/kernel/random/boot_id && exec sh "$0"' "$0"
fi"""


def login_script(home: Path, login: Login) -> bytes:
    """What the server runs in the place of each command, which is in SSH_ORIGINAL_COMMAND."""
    lines = [
        b"HOME=" + _quoted(os.fsencode(home)),
        b"BOOT=" + _quoted(os.fsencode(boot_file(home))),
        AFTER_RESTART.encode(),
        b'unset BOOT MOUNTED; export HOME; cd "$HOME" || exit',
    ]
    lines += [
        b'SHELL=/bin/sh PATH="$HOME/.sim/bin:$PATH"; export SHELL PATH',
        # It is a machine of its own.
        b'export FARM_MACHINE="$HOME" FARM_SHARED="$HOME/.sim/shared"',
        *(f"export {name}={shlex.quote(value)}".encode() for name, value in login.environment),
    ]
    if not login.neighbours:
        lines.append(b"export FARM_STAT=/dev/null")
    if heat_file(home).exists():
        lines.append(b'export FARM_SYS="$HOME/.sim/sys"')
    if (tools_folder(home) / "uname").exists():
        lines.append(b"export FARM_KERNEL=/dev/null")  # the agent would ask the kernel
    if login.forced is not None:
        return b"\n".join((*lines, login.forced.encode(), b""))
    shell = _found("bash" if login.rc and login.shell == "sh" else login.shell)
    if login.rc and shell.endswith("bash"):
        lines.append(b'export BASH_ENV="$HOME/.bashrc"')
    lines.append(f'exec {shlex.quote(shell)} -c "$SSH_ORIGINAL_COMMAND"'.encode())
    return b"\n".join((*lines, b""))


def rc_file(home: Path, login: Login) -> None:
    """The rc file of the login shell."""
    if login.rc:
        name = RC_FILES.get(login.shell, ".bashrc")
        once = "unset BASH_ENV\n" if name == ".bashrc" else ""
        (home / name).write_text(f"{once}{login.rc}\n")


def make_tools(home: Path, properties: Properties) -> None:
    """The programs that stand first in PATH."""
    scripts = dict(properties.tools)
    if properties.fork_s:
        wait = f"{_found('sleep')} {properties.fork_s}\n"
        scripts |= {name: wait + scripts.get(name, 'exec REAL "$@"') for name in AGENT_TOOLS}
    for name, script in scripts.items():
        tool = tools_folder(home) / name
        real = shlex.quote(shutil.which(name) or name)
        tool.write_text(f"#!/bin/sh\n{script.replace('REAL', real)}\n")
        tool.chmod(0o755)


def _quoted(data: bytes) -> bytes:
    return b"'" + data.replace(b"'", b"'\\''") + b"'"


def _found(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RunError(f"this simulated device needs {name}, which is not installed", hint=f"install {name}")
    return path
