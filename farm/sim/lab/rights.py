"""What simulated devices need of this machine, asked before any of them is started."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from farm.errors import RequestError, RunError
from farm.sim.lab.faults import name_of
from farm.sim.lab.reader import Simulated
from farm.sim.properties import Target

BOOT_ID = "/proc/sys/kernel/random/boot_id"
TRY_S = 10.0
_PLAIN = re.compile(r"[A-Za-z0-9/._+@=-]+")
"""sshd's configuration takes no other names of files without quotes and escapes."""


def require_linux() -> None:
    """Raises RunError elsewhere: what runs on a device is found in /proc."""
    if not sys.platform.startswith("linux") or not Path("/proc/self/environ").exists():
        raise RunError(
            "simulated devices need Linux with /proc", hint="run it in a container or on a Linux machine"
        )


def require_plain(folder: Path) -> None:
    """Raises RunError for a folder that OpenSSH's server cannot be told of."""
    if not _PLAIN.fullmatch(str(folder)):
        raise RunError(
            f"the folder for temporary files has a name that sshd does not take: {str(folder)!a}",
            hint="TMPDIR=/tmp farm sim ...",
        )


def require_boot_ids(devices: Mapping[str, Simulated]) -> None:
    """A device that was restarted has another boot id, in a place that only its processes see. Raises
    RequestError where a fault restarts one, and this user may not mount files.
    """
    for name, one in devices.items():
        strikes = one.properties.program.strikes
        back = next((each for each in strikes if each.target is Target.MACHINE and each.lasts_s), None)
        if back is None:
            continue
        if not _may_mount():
            raise RequestError(
                f"device {name}: {name_of(back)} needs the right to mount files (unshare, mount): a device "
                "that was restarted has another boot id",
                hint="run it as root (in a container: --privileged), or take power-cut: nothing comes back",
                source=one.source,
            )
        return


def _may_mount() -> bool:
    command = ("unshare", "-m", "mount", "--bind", "/proc/version", BOOT_ID)
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=TRY_S)  # noqa: S603 - no word comes from outside
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
