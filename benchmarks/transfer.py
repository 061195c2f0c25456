"""Files to devices and back: farm beside what users would take instead, in one run.

    .venv/bin/python -m benchmarks.transfer [--devices 1,10] [--repeat 3] [--size-mb 200] [--files 2000]
        [--rivals VENV] [--only NAME,NAME] [--sets model,small,pull] [--out FILE]

Starts so many simulated devices (a real sshd each). In an order that is drawn for each repetition, each
contender pushes a set of files to all of them at once: `cold`, `unchanged`, and for the model file after one
layer was `changed` (5 % of its bytes, two bytes longer); and pulls it as what a round left. farm is timed
from before it connects until all is kept under its digest, in a process that runs already; the others from
the start of their process. `ssh` has the same promise: the bytes are written by `cat` (or `tar`) and then
hashed by `sha256sum`; scp and parallel-ssh look at no digest. VENV is a virtual environment with what
benchmarks/rivals/requirements.txt names. Then each does the same once with one device behind a proxy that
counts bytes. Each measurement is a line of FILE (benchmarks/data/transfer.jsonl). Prints medians, ratios,
and pass or fail; exit code 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import raw_records
from benchmarks.rivals import hosts
from benchmarks.transfer_sets import Devices, FileSet, model_set, small_set
from farm.model.device import KNOWN_HOSTS
from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from farm.store.cache.kept import KeptStore
from tests.proxy import ChaosProxy

OUT = Path(__file__).parent / "data" / "transfer.jsonl"
RIVALS = Path(__file__).parent / "rivals"
FARM, SSH = "farm", "ssh"
EACH = "xargs -a {names} -P {count} -I@ "
PUSH, PULL = "push", "pull"
LINE = "{:<14}{:<11}{:>9}{:>10}{:>9}{:>14}{:>10}"


@dataclass(frozen=True)
class Contender:
    """A rival's commands, in which {names} are filled in. `needs`: its program."""

    name: str
    push: str
    pull: str
    needs: str = ""


CONTENDERS = (
    Contender(
        SSH,
        EACH + "sh -c '{send} | ssh -F {config} @ \"{take}\"' >/dev/null",
        EACH
        + "sh -c 'mkdir -p {into}/@ && ssh -F {config} @ \"tar cf - -C {folder} .\" | tar xf - -C {into}/@'",
    ),
    Contender(
        "scp",
        EACH + "scp -O -q -r -F {config} {folder} @:moved",
        EACH + "scp -O -q -r -F {config} @:{folder} {into}/@",
        "scp",
    ),
    Contender(
        "rsync",
        EACH + "rsync -a -e 'ssh -F {config}' {folder}/ @:moved/",
        EACH + "rsync -a -e 'ssh -F {config}' @:{folder}/ {into}/@/",
        "rsync",
    ),
    Contender(
        "parallel-ssh",
        "{rpython} {rivals}/parallel_copy.py {hosts} push {folder} moved",
        "{rpython} {rivals}/parallel_copy.py {hosts} pull {into}/p {folder}",
        "{rpython}",
    ),
)
ONE_FILE = ("cat {folder}/*", "mkdir -p moved && cat >moved/f && sha256sum moved/f")
MANY_FILES = ("tar cf - -C {folder} .", "mkdir -p moved && tar xf - -C moved && sha256sum moved/*")


@dataclass(frozen=True)
class Place:
    """Where all is that contenders need; `proxies` count what goes through."""

    folder: Path
    devices: Devices
    count: int
    venv: Path | None
    proxies: Sequence[ChaosProxy] = ()

    def words(self, folder: Path, into: Path) -> dict[str, Any]:
        send, take = MANY_FILES if len(list(folder.iterdir())) > 1 else ONE_FILE
        return {
            "names": self.folder / "names",
            "count": self.count,
            "config": self.folder / "ssh_config",
            "hosts": self.folder / "hosts.json",
            "folder": folder,
            "into": into,
            "send": send.format(folder=folder),
            "take": take,
            "rivals": RIVALS,
            "rpython": self.venv and self.venv / "bin" / "python",
        }

    def has(self, contender: Contender) -> bool:
        program = contender.needs.format(rpython=self.venv and self.venv / "bin" / "python")
        return not program or shutil.which(program) is not None

    async def rival(self, command: str) -> dict[str, Any]:
        began = time.monotonic()
        process = await asyncio.create_subprocess_shell(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder
        )
        _, said = await process.communicate()
        wall_s = time.monotonic() - began
        if process.returncode:
            print(f"exit code {process.returncode} of {command}: {said[-300:]!r}", file=sys.stderr)
        return {"wall_s": round(wall_s, 3), "exit_code": process.returncode}

    async def move(self, name: str, way: str, files: FileSet, *, is_changed: bool = False) -> dict[str, Any]:
        """One contender, once."""
        folder = files.changed if is_changed and files.changed else files.folder
        into = self.folder / "pulled"
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        before = sum(proxy.bytes_up + proxy.bytes_down for proxy in self.proxies)
        if name != FARM:
            contender = next(one for one in CONTENDERS if one.name == name)
            command = contender.push if way == PUSH else contender.pull
            done = await self.rival(command.format(**self.words(folder, into)))
        else:
            artifacts = await asyncio.to_thread(files.artifacts, is_changed=is_changed)
            moved = await (self.devices.push(artifacts) if way == PUSH else self.devices.pull(folder, into))
            done = {
                "wall_s": round(moved.wall_s, 3),
                "exit_code": 0,
                "payload_bytes": moved.payload_bytes,
                "requests": moved.requests,
            }
        if self.proxies:
            await asyncio.sleep(0.2)
            after = sum(proxy.bytes_up + proxy.bytes_down for proxy in self.proxies)
            done["link_bytes"] = after - before
        return done


async def measure(place: Place, names: Sequence[str], files: FileSet, ways: Sequence[str], out: Path) -> None:
    """Each contender once, in every state."""
    for name in random.sample(names, len(names)):
        states = [("cold", PUSH, False), ("unchanged", PUSH, False)] if PUSH in ways else []
        states += [("changed", PUSH, True)] if PUSH in ways and files.changed else []
        states += [("pull", PULL, False)] if PULL in ways else []
        await asyncio.to_thread(place.devices.clear)
        for state, way, is_changed in states:
            done = await place.move(name, way, files, is_changed=is_changed)
            record = {
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "load": os.getloadavg()[0],
                "contender": name,
                "set": files.name,
                "set_bytes": files.size_bytes,
                "state": state,
                "devices": place.count,
                **done,
            }
            raw_records.append(out, record)
            print(
                f"{name:<14}{files.name:<7}{state:<11}{place.count:>3}  {done}", file=sys.stderr, flush=True
            )
    await asyncio.to_thread(place.devices.clear)


async def measured(given: argparse.Namespace, count: int) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sets = {"model": lambda: model_set(folder / "sets", given.size_mb),
                "small": lambda: small_set(folder / "sets", given.files)}  # fmt: skip
        files = [make() for name, make in sets.items() if name in given.sets]
        ways = [PUSH, *([PULL] if "pull" in given.sets else [])]
        async with contextlib.AsyncExitStack() as stack:
            names = {f"d{number}": Properties() for number in range(1, count + 1)}
            running = await stack.enter_async_context(fleet(names, folder))
            known, kept = running.inventory.parent / KNOWN_HOSTS, KeptStore(folder / "kept")
            simulated = list(running.devices.values())
            listed = [
                hosts.Host(
                    one.name, "127.0.0.1", one.port, str(one.entry()["user"]), str(one.entry()["identity"])
                )
                for one in simulated
            ]
            hosts.write(folder, listed, known)
            (folder / "names").write_text("".join(f"{one.name}\n" for one in listed))
            place = Place(folder, Devices(simulated, known, kept), count, given.rivals)
            chosen = [FARM, *(one.name for one in CONTENDERS if place.has(one))]
            chosen = [name for name in chosen if not given.only or name in given.only]
            await place.devices.push([])  # the agent gets there
            for _ in range(given.repeat):
                for one in files:
                    await measure(place, chosen, one, ways, given.out)
            if count > 1:
                return
            proxy = await stack.enter_async_context(ChaosProxy(simulated[0].port))
            line = simulated[0].known_hosts_line.replace(f":{simulated[0].port} ", f":{proxy.port} ")
            known.write_text(line + "\n")
            hosts.write(
                folder, [hosts.Host("d1", "127.0.0.1", proxy.port, listed[0].user, listed[0].identity)], known
            )
            place = Place(folder, Devices(simulated, known, kept, [proxy.port]), count, given.rivals, [proxy])
            for one in files:
                await measure(place, chosen, one, ways, given.out)


def told(records: Sequence[dict[str, Any]]) -> bool:
    """Print medians and what is wanted of them; whether all is met."""
    print(LINE.format("contender", "state", "wall", "ssh/this", "MB/s", "link bytes", "failed"))
    is_all = True
    for count, name in sorted({(one["devices"], one["set"]) for one in records}):
        mine = [one for one in records if (one["devices"], one["set"]) == (count, name)]
        print(f"-- {name}, {count} devices")
        walls: dict[tuple[str, str], float] = {}
        for one in mine:
            key = (one["contender"], one["state"])
            timed = [
                r["wall_s"] for r in mine if (r["contender"], r["state"]) == key and "link_bytes" not in r
            ]
            if timed:
                walls[key] = statistics.median(timed)
        for (contender, state), wall_s in sorted(walls.items(), key=lambda pair: (pair[0][1], pair[1])):
            rows = [r for r in mine if (r["contender"], r["state"]) == (contender, state)]
            beside = walls.get((SSH, state))
            links = [r["link_bytes"] for r in rows if "link_bytes" in r]
            print(
                LINE.format(
                    contender, state, f"{wall_s:.2f} s", f"{beside / wall_s:.2f}" if beside else "-",
                    f"{count * rows[0]['set_bytes'] / wall_s / 1e6:.0f}", f"{links[0]:,}" if links else "-",
                    sum(r["exit_code"] != 0 for r in rows),
                )
            )  # fmt: skip
        is_all &= met(mine, walls, count, name)
    return is_all


def met(rows: Sequence[dict[str, Any]], walls: dict[tuple[str, str], float], count: int, name: str) -> bool:
    """Print pass or fail for what is wanted."""
    mine = [r for r in rows if r["contender"] == FARM]
    rules = []
    if unchanged := [r for r in mine if r["state"] == "unchanged"]:
        rules.append(("unchanged: no byte of a file", all(r["payload_bytes"] == 0 for r in unchanged)))
        rules.append(("unchanged: 1 round trip", all(r["requests"] == 1 for r in unchanged)))
    if changed := [r for r in mine if r["state"] == "changed"]:
        most = max(r.get("link_bytes", r["payload_bytes"]) / r["set_bytes"] for r in changed)
        rules.append((f"one layer changed: at most 10 % of the bytes ({100 * most:.1f} %)", most <= 0.1))
    if name == "model" and (FARM, "cold") in walls and (SSH, "cold") in walls:
        least, ratio = (1.0 if count == 1 else 0.8), walls[(SSH, "cold")] / walls[(FARM, "cold")]
        rules.append((f"cold: at least {least}x of ssh cat and sha256sum ({ratio:.2f}x)", ratio >= least))
    for what, holds in rules:
        print(f"  {'pass' if holds else 'FAIL'}  {what}")
    return all(holds for _, holds in rules)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", default="1,10", type=lambda text: [int(one) for one in text.split(",")])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--size-mb", type=float, default=200.0)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--rivals", type=Path)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--sets", type=lambda text: text.split(","), default=["model", "small", "pull"])
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    known = len(raw_records.read(given.out))
    for count in given.devices:
        asyncio.run(measured(given, count))
    return 0 if told(raw_records.read(given.out)[known:]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
