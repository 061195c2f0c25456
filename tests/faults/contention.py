"""Two controllers that want the same devices at the same time: no two rounds of a device ever overlap.

    scripts/faults contention [--rounds N] [--devices N] [--apart | --unshared]

Each controller runs one bench after the other with --wait, under names of its own for the devices, until each
device has had N rounds. When a round began and ended is read from the devices' own records, which their
programs write. With --apart the controllers also have a workdir each on the devices, where the lease is: what
keeps them apart then is the lock of the machine. With --unshared the machine has no folder for that lock,
either: nothing keeps them apart, and what is counted shows that overlaps are found.

Prints what was counted, and pass or fail; exit code 1 when two rounds overlapped, or one is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from farm.model.device import KNOWN_HOSTS
from farm.sim.device import SimulatedDevice
from farm.sim.fleet import Fleet, fleet
from farm.sim.places import Span
from farm.sim.properties import Login, Program, Properties
from tests.faults.process import make_place, run


class Place(StrEnum):
    """Where the controllers meet on a device."""

    WORKDIR = "one workdir"
    MACHINE = "a workdir each"
    NOWHERE = "a workdir each, no shared folder"


CONTROLLERS = ("ann", "bob")
ROUNDS_AT_ONCE = 5
"""In one bench: after that the other controller may have the device."""
DEVICE = Properties(Program(latency_ms=8.0, pace=1.0))
"""Its rounds take about a quarter of a second."""
WAIT_S = "600"


@dataclass
class Contention:
    """What came of it. `turns`: how often a device went from one controller to the other."""

    benches: int = 0
    rounds: int = 0
    overlaps: int = 0
    turns: int = 0
    problems: list[str] = field(default_factory=list)


def device_for(place: Place) -> Properties:
    """The device on which controllers meet there."""
    if place is not Place.NOWHERE:
        return DEVICE
    return replace(DEVICE, login=Login(environment=(("FARM_SHARED", "/dev/null"),)))


def overlaps(spans: Sequence[Span]) -> int:
    """How many runs began before an earlier one had ended; one without an end goes on for ever."""
    found, busy_until_s = 0, float("-inf")
    for one in sorted(spans, key=lambda span: span.began_s):
        found += one.began_s < busy_until_s
        busy_until_s = max(busy_until_s, float("inf") if one.ended_s is None else one.ended_s)
    return found


def inventory_of(who: str, running: Fleet, folder: Path, *, place: Place) -> Path:
    """The same devices under names of this controller's own."""
    home = folder / who
    home.mkdir()
    more = {"workdir": f"~/{who}"} if place is not Place.WORKDIR else {}
    devices = {f"{who}-{name}": device.entry() | more for name, device in running.devices.items()}
    path = home / "inventory.yaml"
    path.write_text(json.dumps({"devices": devices}), "utf-8")
    (home / KNOWN_HOSTS).write_bytes((running.inventory.parent / KNOWN_HOSTS).read_bytes())
    return path


async def controller(who: str, inventory: Path, folder: Path, rounds: int, done: Contention) -> None:
    """One bench after the other, until it has had its half of the rounds."""
    for number, left in enumerate(range(rounds, 0, -ROUNDS_AT_ONCE)):
        code, said = await run(
            folder, "bench", "--inventory", str(inventory), "--model", "bundled:tiny", "--iter", "25",
            "--variant", f"{who}=--enable-nchw44" if who == CONTROLLERS[1] else f"{who}=",
            "--rounds", str(min(left, ROUNDS_AT_ONCE)), "--check", "off", "--wait", WAIT_S,
            "--run-id", f"{who}-{number}",
        )  # fmt: skip
        done.benches += 1
        if code != 0:
            done.problems.append(f"{who}, bench {number}: exit code {code}: {said[-500:]}")


async def contend(running: Fleet, folder: Path, rounds: int, *, place: Place = Place.WORKDIR) -> Contention:
    """So many rounds on each device, half of them by each controller, and what the devices say of it."""
    done = Contention()
    async with asyncio.TaskGroup() as group:
        for who in CONTROLLERS:
            inventory = inventory_of(who, running, folder, place=place)
            group.create_task(controller(who, inventory, folder, rounds // 2, done))
    for device in running.devices.values():
        look_at(device, rounds // 2 * 2, done)
    return done


def look_at(device: SimulatedDevice, rounds: int, done: Contention) -> None:
    """Count what a device's own record says."""
    spans, commands = device.spans(), device.runs()
    done.rounds += len(spans)
    done.overlaps += overlaps(spans)
    whose = ["--enable-nchw44" in words for words in commands]
    done.turns += sum(one != other for one, other in itertools.pairwise(whose))
    if len(spans) != rounds or len(commands) != rounds:
        done.problems.append(f"{device.name}: {len(spans)} runs, wanted {rounds}")
    if any(one.ended_s is None for one in spans):
        done.problems.append(f"{device.name}: a run without an end")


async def measured(devices: int, rounds: int, *, place: Place) -> Contention:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_place(folder)
        wanted = {f"board-{number}": device_for(place) for number in range(1, devices + 1)}
        async with fleet(wanted, folder / "devices") as running:
            return await contend(running, folder, rounds, place=place)


def told(done: Contention, *, place: Place) -> bool:
    """Print it; whether it is as it should be."""
    print(
        f"{done.benches} benches of 2 controllers, {done.rounds} rounds, {done.turns} times a device went "
        f"from one to the other, {done.overlaps} overlaps"
    )
    for problem in done.problems:
        print(problem)
    is_free = place is Place.NOWHERE
    is_good = not done.problems and (done.overlaps > 0) is is_free
    print("pass" if is_good else "FAIL", "overlaps are found" if is_free else "no two rounds overlap")
    return is_good


def main() -> int:
    arguments: Any = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--rounds", type=int, default=100, help="of each device, half by each controller")
    arguments.add_argument("--devices", type=int, default=5)
    apart = arguments.add_mutually_exclusive_group()
    apart.add_argument(
        "--apart", action="store_const", dest="place", const=Place.MACHINE, help="a workdir each"
    )
    apart.add_argument(
        "--unshared", action="store_const", dest="place", const=Place.NOWHERE, help="and no folder to meet in"
    )
    given = arguments.parse_args()
    place = given.place or Place.WORKDIR
    done = asyncio.run(measured(given.devices, given.rounds, place=place))
    return 0 if told(done, place=place) else 1


if __name__ == "__main__":
    raise SystemExit(main())
