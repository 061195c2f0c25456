"""Simulated devices that stand for other machines: they see no processes but their own, were started another
time than this machine, and what they do takes nothing from the controller's processor. Needs root.

What an agent looks for among all processes costs as much as there are: a hundred devices that see each
other's cost ten thousand times what one costs, which no real device does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import ParamSpec, TypeVar

from farm.sim.device import SimulatedDevice
from farm.sim.properties import Login

P = ParamSpec("P")
T = TypeVar("T")
PATIENCE_S = 30.0
LAST = 19
MEMORY = Path("/dev/shm")
AUTOGROUP = Path("/proc/sys/kernel/sched_autogroup_enabled")
# dash reaps as the first process of a namespace what nobody else waits for.
INIT = (
    *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c"),
    'mount --bind "$0" /proc/sys/kernel/random/boot_id && { sleep infinity & wait; }',
)
APART = Login(
    forced='exec nsenter -t "$(cat "$HOME/../init")" -p -m -- '
    'sh -c \'cd "$HOME" && exec sh -c "$SSH_ORIGINAL_COMMAND"\''
)


@contextlib.contextmanager
def disks_of_their_own() -> Iterator[Path]:
    """A folder in memory, where a hundred boards do not wait for one disk."""
    if not MEMORY.is_dir():
        raise SystemExit(f"needs {MEMORY}, a file system in memory")
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        yield Path(name)


@contextlib.contextmanager
def apart(devices: Mapping[str, SimulatedDevice]) -> Iterator[None]:
    """A namespace for each of these devices, whose login is `APART`. Exits where that is not allowed."""
    if os.geteuid() or not all(map(shutil.which, ("unshare", "nsenter"))):
        raise SystemExit("needs root, and unshare and nsenter (the package util-linux)")
    with contextlib.ExitStack() as stack:
        for device in devices.values():
            boot = device.home.parent / "boot_id"
            boot.write_text(f"{uuid.uuid4()}\n")
            holder = subprocess.Popen((*INIT, str(boot)), stdin=subprocess.DEVNULL)
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


@contextlib.contextmanager
def devices_stand_back() -> Iterator[None]:
    """What the first thread of this process starts (the devices' SSH servers) comes after all others.

    Priorities count within a session only unless that is switched off: see sched(7), "The autogroup feature".
    """
    own = os.getpid()
    before, grouped = os.getpriority(os.PRIO_PROCESS, own), AUTOGROUP.read_text()
    os.setpriority(os.PRIO_PROCESS, own, LAST)
    AUTOGROUP.write_text("0")
    try:
        yield
    finally:
        AUTOGROUP.write_text(grouped)
        os.setpriority(os.PRIO_PROCESS, own, before)


def in_front(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call it, in a thread, with the usual priority: what it starts has that, too."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 0)
    return work(*args, **kwargs)
