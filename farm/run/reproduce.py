"""The command that repeats a cell by hand, for the report."""

from __future__ import annotations

import shlex

from farm.run.deploy import Deployed
from farm.run.execute import Ready, command_of
from farm.run.secrets import shown
from farm.transport.address import ssh_argv


def by_hand(made: Ready, deployed: Deployed) -> str:
    """A line for a POSIX shell that starts the cell's first round again on the device.

    Paths in it stay valid after the run: they lead into the device's artifact store. It is text for a
    person; nothing in farm runs it. Values of the environment that are secret are `***`.
    """
    settings = tuple(_setting(key, value) for key, value in shown(made.environment))
    argv = command_of(made, made.cell.rounds[0])
    copies = [shlex.join(("cp", deployed.kept(sha256), name)) for name, sha256 in made.copies]
    run = " ".join(("env", *settings, shlex.join(argv)) if settings else (shlex.join(argv),))
    inner = " && ".join(('cd "$(mktemp -d)"', *copies, run))
    device = made.cell.device
    if device.is_local:
        return inner
    return f"{shlex.join(ssh_argv(device.address, identity=device.address.identity))} {shlex.quote(inner)}"


def _setting(key: str, value: str) -> str:
    """A variable for `env`. The agent expands `~/` in this one: a shell does not, after `env`."""
    if key != "LD_LIBRARY_PATH" or "~/" not in value:
        return shlex.quote(f"{key}={value}")
    folders = (
        f'"$HOME"{shlex.quote(one[1:])}' if one.startswith("~/") else shlex.quote(one)
        for one in value.split(":")
    )
    return f"{key}={':'.join(folders)}"
