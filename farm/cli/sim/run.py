"""`farm sim run`."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated, Any

import typer

from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.sim.arguments import LabDeadlines, LabFile
from farm.cli.sim.child import completed, ended, require_program
from farm.cli.sim.telling import say_missed, short
from farm.cli.terminal.console import say
from farm.cli.terminal.loop import run
from farm.errors import PassedOn, RequestError
from farm.model.limits.deadlines import Deadlines
from farm.sim.lab.reader import Lab, load
from farm.sim.lab.running import running

VARIABLE = "FARM_SIM_INVENTORY"

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm sim run lab.yaml -- farm devices check\n\n"
    "  farm sim run lab.yaml -- farm bench --suite suite.yaml --run-id ci\n\n"
    "  farm sim run lab.yaml -- ./ci.sh {inventory}",
}


def command(
    lab: LabFile,
    words: Annotated[
        list[str] | None, typer.Argument(help="A command, behind `--`.", metavar="COMMAND...")
    ] = None,
    deadline: LabDeadlines = None,
) -> None:
    """Start the devices of a lab file, run a command on them, and end with its exit code.

    `{inventory}` in its words is the path of the inventory; so is $FARM_SIM_INVENTORY. A command of farm that
    takes --inventory gets it.
    """
    if not words:
        raise RequestError("no command is given", hint=f"farm sim run {lab} -- farm bench")
    require_program(words)
    deadlines = with_deadlines(Deadlines(), deadline or ())
    code = run(_run(load(lab), words, deadlines))
    raise typer.Exit(PassedOn(code))


async def _run(lab: Lab, words: list[str], deadlines: Deadlines) -> int:
    say(f"starting {len(lab.devices)} simulated devices ...")
    async with running(lab, deadlines) as fleet:
        say(f"up: {short([*fleet.devices])}")
        environment = {**os.environ, VARIABLE: str(fleet.inventory)}
        whole = await asyncio.to_thread(completed, words, fleet.inventory)
        code = await ended(whole, environment, deadlines)
        await asyncio.to_thread(say_missed, fleet)
    return code
