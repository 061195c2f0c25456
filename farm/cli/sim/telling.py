"""What is said of a lab: its devices when it is up, and at its end what was asked for and did not happen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from farm.cli.terminal.console import say
from farm.sim.fleet import Fleet
from farm.sim.lab.reader import Lab
from farm.sim.lab.watch import missed

COLUMNS = ("device", "port", "like", "oddity", "faults")
MOST_NAMED = 5


def rows(lab: Lab, running: Fleet) -> Iterator[tuple[str, ...]]:
    """For a table of COLUMNS."""
    for name, one in lab.devices.items():
        port = str(running.devices[name].port)
        yield name, port, one.like or "", ", ".join(one.oddities), ", ".join(one.faults)


def as_json(lab: Lab, running: Fleet) -> list[dict[str, Any]]:
    """The same, with how each is reached."""
    found = []
    for name, one in lab.devices.items():
        entry = running.devices[name].entry()
        reached = {key: entry[key] for key in ("address", "port", "user", "identity")}
        told = {"like": one.like, "oddities": one.oddities, "faults": one.faults}
        found.append({"name": name, **reached, **told})
    return found


def short(names: Sequence[str]) -> str:
    """`a, b and 3 more`."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


def say_missed(running: Fleet) -> None:
    """Faults that were switched on and did not happen. It reads files: not for an event loop."""
    for name, text in missed(running.devices):
        say(f"{name}: {text}", "yellow")
