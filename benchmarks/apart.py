"""Simulated devices that see no processes but their own, as machines do: each in a PID namespace. Needs root.

What an agent looks for among all processes costs as much as there are: a hundred devices that see each
other's cost ten thousand times what one costs, which no real device does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from farm.sim.device import SimulatedDevice
from farm.sim.properties import Login

PATIENCE_S = 30.0
# dash reaps as the first process of a namespace what nobody else waits for.
INIT = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", "sleep infinity & wait")
APART = Login(
    forced='exec nsenter -t "$(cat "$HOME/../init")" -p -m -- '
    'sh -c \'cd "$HOME" && exec sh -c "$SSH_ORIGINAL_COMMAND"\''
)


@contextlib.contextmanager
def apart(devices: Mapping[str, SimulatedDevice]) -> Iterator[None]:
    """A namespace for each of these devices, whose login is `APART`. Exits where that is not allowed."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "nsenter"))):
        raise SystemExit("needs root, and unshare and nsenter (the package util-linux)")
    with contextlib.ExitStack() as stack:
        for device in devices.values():
            holder = subprocess.Popen(INIT, stdin=subprocess.DEVNULL)
            stack.callback(holder.wait)
            stack.callback(holder.kill)
            (device.home.parent / "init").write_text(str(_first_of(holder.pid)))
        yield


def _first_of(holder: int) -> int:
    """The first process of the namespace that a process has made."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        if found := Path(f"/proc/{holder}/task/{holder}/children").read_text().split():
            return int(found[0])
        time.sleep(0.002)
    raise SystemExit("no namespace was made")
