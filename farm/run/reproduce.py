"""The command that runs a cell by hand: what the report offers to copy."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath

from farm.files import digest_path
from farm.model.device import Device
from farm.run.execute import Ready, command_of


def by_hand(device: Device, here: Ready, store: str) -> str:
    """A line for a POSIX shell that starts the cell's first round again on the device.

    Paths in it stay valid after the run: they lead into the device's artifact store. It is text for a
    person; nothing in farm runs it.
    """
    settings = tuple(f"{key}={value}" for key, value in here.environment)
    argv = command_of(here, here.cell.rounds[0])
    copies = [
        shlex.join(("cp", str(digest_path(PurePosixPath(store), sha256)), name))
        for name, sha256 in here.copies
    ]
    run = shlex.join(("env", *settings, *argv) if settings else argv)
    inner = " && ".join(('cd "$(mktemp -d)"', *copies, run))
    if device.is_local:
        return inner
    address = device.address
    ssh = ["ssh"]
    if address.port:
        ssh += ["-p", str(address.port)]
    for identity in address.identity:
        ssh += ["-i", str(identity)]
    if address.proxy_jump:
        ssh += ["-J", address.proxy_jump]
    ssh.append(f"{address.user}@{address.host}" if address.user else address.host)
    return f"{shlex.join(ssh)} {shlex.quote(inner)}"
