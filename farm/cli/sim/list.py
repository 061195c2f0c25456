"""`farm sim list`."""

from __future__ import annotations

from typing import Any

from farm.cli import arguments as args
from farm.cli.terminal.console import out
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.sim.lab.faults import FAULTS
from farm.sim.lab.kinds import KINDS
from farm.sim.oddities import ODDITIES

SETTINGS: dict[str, Any] = {"epilog": "Examples:\n\n  farm sim list\n\n  farm sim list --json"}


def command(json: args.Json = False) -> None:
    """List what a lab file can name: kinds of devices, faults and oddities."""
    if json:
        show_json(
            {
                "kinds": {name: {"text": kind.text} for name, kind in KINDS.items()},
                "faults": {name: {"text": one.text, "takes": one.takes} for name, one in FAULTS.items()},
                "oddities": {name: {"text": one.text} for name, one in ODDITIES.items()},
            }
        )
        return
    out.print(simple_table(("like:", "what it is"), [(name, kind.text) for name, kind in KINDS.items()]))
    out.print()
    rows = [(name, ", ".join(one.takes), one.text) for name, one in FAULTS.items()]
    out.print(simple_table(("faults:", "takes", "what happens"), rows))
    out.print()
    out.print(simple_table(("oddity:", "what is odd"), [(name, one.text) for name, one in ODDITIES.items()]))
