"""What goes wrong on the device while the program runs, done by the program itself: it knows the moment."""

from __future__ import annotations

import os
import signal
import time
import uuid
from pathlib import Path

from farm.sim import places, processes
from farm.sim.properties import Act, Strike, Target

AGAIN_S = 0.1


def strike(one: Strike, home: Path) -> None:
    """Returns when it is over; never from a power cut."""
    if one.target is Target.MACHINE:
        places.boot_file(home).write_text(f"{uuid.uuid4()}\n")
        places.switch_off(home, one.lasts_s)
        processes.send([*processes.servers(home), *processes.ours(home)], signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    elif one.act is Act.KILL:
        until = time.monotonic() + one.lasts_s
        processes.send(_targets(one, home), signal.SIGKILL)
        while time.monotonic() < until:
            time.sleep(AGAIN_S)
            processes.send(_targets(one, home), signal.SIGKILL)
    else:
        stopped = _targets(one, home)
        processes.send(stopped, signal.SIGSTOP)
        if one.lasts_s:
            time.sleep(one.lasts_s)
            processes.send(stopped, signal.SIGCONT)


def _targets(one: Strike, home: Path) -> list[int]:
    if one.target is Target.CONNECTION:
        return processes.servers(home)
    return processes.agents(home, "serve" if one.target is Target.AGENT else "supervise")
