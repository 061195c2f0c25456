"""Faults to switch on, by name: what happens to a device, and what can be said of the moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farm.sim.properties import Act, Line, Strike, Target

MOMENT = ("run", "iteration")


@dataclass(frozen=True)
class Fault:
    """`text` says what happens; `strike` is what does it in the middle of a run, `line` in the place of that
    what connections meet. `takes` are the keys that may be said of it.
    """

    text: str
    strike: Strike | None = None
    line: Line | None = None
    takes: tuple[str, ...] = (*MOMENT, "lasts_s")


def _strike(text: str, target: Target, act: Act = Act.KILL) -> Fault:
    return Fault(text, Strike(target, act))


FAULTS: Mapping[str, Fault] = {
    "connection-cut": _strike(
        "the connection is cut; for lasts_s each new one that has an agent, too", Target.CONNECTION
    ),
    "black-hole": _strike(
        "the connection goes silent and nobody is told; it goes on after lasts_s (0: never)",
        Target.CONNECTION,
        Act.STOP,
    ),
    "agent-killed": _strike("the agent is killed; for lasts_s each one that comes, too", Target.AGENT),
    "agent-stopped": _strike(
        "the agent is stopped (SIGSTOP); it goes on after lasts_s (0: never)", Target.AGENT, Act.STOP
    ),
    "supervisor-killed": _strike("the supervisor of the round is killed", Target.SUPERVISOR),
    "supervisor-stopped": _strike(
        "the supervisor of the round is stopped; it goes on after lasts_s (0: never)",
        Target.SUPERVISOR,
        Act.STOP,
    ),
    "power-cut": Fault("the device is gone, and does not come back", Strike(Target.MACHINE), takes=MOMENT),
    "restarted": Fault(
        "the power is cut, and the device is back after lasts_s (default 2) with another boot id: needs the "
        "right to mount files (root)",
        Strike(Target.MACHINE, lasts_s=2.0),
    ),
    "first-connect-reset": Fault(
        "the first connections are reset, so many as times says (default 2)",
        line=Line(resets=2),
        takes=("times",),
    ),
    "first-connect-refused": Fault(
        "nobody listens for the first lasts_s (default 2)", line=Line(deaf_s=2.0), takes=("lasts_s",)
    ),
}
"""All of them. The names are those of the oddities with the same effect."""


def in_words(strike: Strike) -> str:
    """`connection-cut (run 2, iteration 1)`: the name of a strike's fault, and its moment."""
    run = f"run {strike.run}" if strike.run else "each run"
    return f"{name_of(strike)} ({run}, iteration {strike.iteration})"


def name_of(strike: Strike) -> str:
    """The name of its fault."""
    if strike.target is Target.MACHINE:
        return "restarted" if strike.lasts_s else "power-cut"
    return next(
        name
        for name, fault in FAULTS.items()
        if fault.strike and (fault.strike.target, fault.strike.act) == (strike.target, strike.act)
    )
