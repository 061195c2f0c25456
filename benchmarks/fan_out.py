"""Reaching many devices and asking what they are: farm beside what users would take instead, in one run.

    .venv/bin/python -m benchmarks.fan_out [--devices 10,100] [--repeat 3] [--delay-ms 0] [--rivals VENV]
        [--only NAME,NAME] [--out FILE]

Starts so many simulated devices (a real sshd each), lets each contender reach all of them in turn, in an
order that is drawn for each repetition (farm and the bare loops, whose ratios are close to what is wanted,
three times in each), and counts wall time, processor time and the memory of its largest
process (not below that of this script, which starts them). VENV is a virtual environment with what
benchmarks/rivals/requirements.txt names; without it only what farm's own has is measured. `facts`: the
contender asks what a device is (pyinfra for what it has of the facts that farm asks for); the others run
`uname -a`, or ask for one fact that is as much. farm's work on the device is that of the bare
loop with its agent, which is on the devices already for both. The home folder of all has no SSH
configuration: what reading one costs is not seen here (decision 0047). With --delay-ms each device is behind
a proxy that holds each piece back for half as long in each direction; it runs on the same cores, so it is for
few.

Each measurement is a line of FILE (benchmarks/data/fan_out.jsonl). Prints medians, ratios to farm, and pass
or fail; exit code 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import shlex
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
from farm import agents
from farm.device.start import BOOTSTRAP
from farm.model.device import KNOWN_HOSTS
from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Properties
from farm.transport.channel import command_line
from tests.proxy import ChaosProxy

OUT = Path(__file__).parent / "data" / "fan_out.jsonl"
RIVALS = Path(__file__).parent / "rivals"
FORKS = 50
REQUESTS = "1 date\n2 probe\n3 holder\n4 settings\n5 bye\n"
"""What `farm devices check` asks an agent for."""
LINE = "{:<16}{:>8}{:>10}{:>12}{:>14}{:>12}{:>10}"


@dataclass(frozen=True)
class Contender:
    """What reaches all hosts: its command, in which {names} are filled in. `in_rivals`: it runs in their
    environment; `most`: it is left out above so many hosts.
    """

    name: str
    command: str
    is_facts: bool = False
    in_rivals: bool = True
    most: int = 10_000


PYINFRA_FACTS = (
    "server.Hostname server.KernelVersion server.Arch server.LinuxDistribution server.Date "
    "hardware.Cpus hardware.Memory hardware.BlockDevices"
)
"""What it can tell of that which farm's agent tells: a third of it."""
AGENT, BARE, FARM, ANSIBLE = "asyncssh agent", "asyncssh uname", "farm", "ansible raw"
CLOSE, CLOSE_TURNS = frozenset({AGENT, BARE, FARM}), 3
"""Those whose ratios differ from their bounds by less than one measurement from the next: each has more."""
CONTENDERS = (
    Contender(FARM, "{python} -m farm devices check --inventory {inventory} --json", True, False),
    Contender(AGENT, "{python} {rivals}/bare.py {hosts} {known} {agent} '5 ok' {requests}", True, False),
    Contender(BARE, "{python} {rivals}/bare.py {hosts} {known} 'uname -a' Linux", in_rivals=False),
    Contender("ssh", "xargs -a {names} -P {forks} -I@ ssh -F {config} @ uname -a", in_rivals=False),
    Contender("fabric", "{rpython} {rivals}/fabric_group.py {hosts} {known}"),
    Contender("parallel-ssh", "{rpython} {rivals}/parallel_ssh.py {hosts}"),
    Contender("clush", "{bin}/clush -S -f {forks} -o '-F {config}' -w {range} uname -a"),
    Contender("pyinfra", "{bin}/pyinfra -y --parallel {forks} {pyinfra} exec -- uname -a"),
    Contender("pyinfra kernel", "{bin}/pyinfra -y --parallel {forks} {pyinfra} fact server.Kernel"),
    Contender("pyinfra facts", "{bin}/pyinfra -y --parallel {forks} {pyinfra} fact " + PYINFRA_FACTS, True),
    Contender(ANSIBLE, "{bin}/ansible all -i {ansible} -f {forks} -m raw -a 'uname -a'"),
    Contender("ansible facts", "{bin}/ansible all -i {ansible} -f {forks} -m setup", True, most=100),
)


@dataclass(frozen=True)
class Place:
    """Where the files of this benchmark are, and how many devices there are."""

    folder: Path
    inventory: Path
    known: Path
    count: int
    delay_ms: float
    venv: Path | None

    def command(self, contender: Contender) -> list[str]:
        script = agents.agent_script()
        start = ("sh", "-c", BOOTSTRAP, "farm", "serve", "~/.cache/farm", script.sha256, "0")
        words = {
            "python": sys.executable,
            "rivals": RIVALS,
            "inventory": self.inventory,
            "hosts": self.folder / "hosts.json",
            "known": self.known,
            "agent": shlex.quote(command_line(start)),
            "requests": shlex.quote(REQUESTS),
            "names": self.folder / "names",
            "config": self.folder / "ssh_config",
            "range": f"d[1-{self.count}]",
            "pyinfra": self.folder / "pyinfra_hosts.py",
            "ansible": self.folder / "ansible.ini",
            "forks": FORKS,
            "bin": self.venv and self.venv / "bin",
            "rpython": self.venv and self.venv / "bin" / "python",
        }
        return shlex.split(contender.command.format(**words))

    @property
    def environment(self) -> dict[str, str]:
        return {
            **as_installed(),
            "HOME": str(self.folder),
            "ANSIBLE_SSH_ARGS": f"-F {self.folder}/ssh_config",
            "ANSIBLE_HOST_KEY_CHECKING": "True",
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
        }


def as_installed() -> dict[str, str]:
    """The environment of a command whose byte code is kept, as that of an installed one is."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def run(place: Place, contender: Contender) -> dict[str, Any]:
    """One measurement."""
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(
            place.command(contender), stdout=said, stderr=said, cwd=place.folder, env=place.environment
        )
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if process.returncode:
        print(f"{contender.name}: exit code {process.returncode}: {text[-600:]}", file=sys.stderr)
    return {
        "contender": contender.name,
        "devices": place.count,
        "delay_ms": place.delay_ms,
        "exit_code": process.returncode,
        "wall_s": round(wall_s, 3),
        "cpu_s": round(used.ru_utime + used.ru_stime, 3),
        "largest_mb": round(used.ru_maxrss / 1024, 1),
    }


async def placed(running: Fleet, folder: Path, delay_ms: float, venv: Path | None) -> Place:
    """The files of all contenders, for devices that run."""
    listed = [
        hosts.Host(
            name, "127.0.0.1", device.port, str(device.entry()["user"]), str(device.entry()["identity"])
        )
        for name, device in running.devices.items()
    ]
    known = running.inventory.parent / KNOWN_HOSTS
    hosts.write(folder, listed, known)
    (folder / "names").write_text("".join(f"{one.name}\n" for one in listed))
    return Place(folder, running.inventory, known, len(listed), delay_ms, venv)


async def through_proxies(stack: contextlib.AsyncExitStack, running: Fleet, place: Place) -> None:
    """Every host gets another port, behind which its line is slow."""
    changed, known = [], ""
    inventory = {}
    for host in hosts.read(str(place.folder / "hosts.json")):
        proxy = await stack.enter_async_context(ChaosProxy(host.port, delay_s=place.delay_ms / 2000))
        device = running.devices[host.name]
        changed.append(hosts.Host(host.name, host.address, proxy.port, host.user, host.identity))
        known += device.known_hosts_line.replace(f":{host.port} ", f":{proxy.port} ") + "\n"
        inventory[host.name] = {**device.entry(), "port": proxy.port}
    place.known.write_text(known)
    place.inventory.write_text(json.dumps({"devices": inventory}))
    hosts.write(place.folder, changed, place.known)


async def measured(given: argparse.Namespace, count: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wanted = {f"d{number}": Properties() for number in range(1, count + 1)}
        async with contextlib.AsyncExitStack() as stack:
            running = await stack.enter_async_context(fleet(wanted, folder))
            place = await placed(running, folder, given.delay_ms, given.rivals)
            if given.delay_ms:
                await through_proxies(stack, running, place)
            chosen = [one for one in CONTENDERS if count <= one.most and (given.rivals or not one.in_rivals)]
            chosen = [one for one in chosen if not given.only or one.name in given.only]
            await asyncio.to_thread(run, place, CONTENDERS[0])  # the agent gets there
            for _ in range(given.repeat):
                turns = [one for one in chosen for _ in range(CLOSE_TURNS if one.name in CLOSE else 1)]
                for contender in random.sample(turns, len(turns)):
                    record = await asyncio.to_thread(run, place, contender)
                    at = datetime.now(UTC).isoformat(timespec="seconds")
                    raw_records.append(given.out, {"at": at, "load": os.getloadavg()[0], **record})
                    print(LINE.format(contender.name, count, f"{record['wall_s']:.2f} s",
                                      f"{record['cpu_s']:.2f} s", "", "", ""), file=sys.stderr)  # fmt: skip


def told(records: Sequence[dict[str, Any]]) -> bool:
    """Print medians and what is wanted of them; whether all is met."""
    print(LINE.format("contender", "devices", "wall", "wall/farm", "CPU each, ms", "largest, MB", "failed"))
    is_all = True
    for count, delay_ms in sorted({(one["devices"], one["delay_ms"]) for one in records}):
        mine = [one for one in records if (one["devices"], one["delay_ms"]) == (count, delay_ms)]
        walls = {
            one.name: statistics.median(found)
            for one in CONTENDERS
            if (found := [r["wall_s"] for r in mine if r["contender"] == one.name and not r["exit_code"]])
        }
        print(f"-- {count} devices" + (f", {delay_ms:g} ms there and back" if delay_ms else ""))
        for name, wall_s in sorted(walls.items(), key=lambda pair: pair[1]):
            rows = [r for r in mine if r["contender"] == name]
            cpu_ms = 1000 * statistics.median(r["cpu_s"] for r in rows) / count
            failed = sum(r["exit_code"] != 0 for r in rows)
            ratio = f"{wall_s / walls[FARM]:.2f}" if FARM in walls else "-"
            largest = statistics.median(r["largest_mb"] for r in rows)
            print(
                LINE.format(name, count, f"{wall_s:.2f} s", ratio, f"{cpu_ms:.1f}", f"{largest:.0f}", failed)
            )
        is_all &= met(walls, count, delay_ms)
    return is_all


def met(walls: dict[str, float], count: int, delay_ms: float) -> bool:
    """Print pass or fail for what is wanted of these medians."""
    if FARM not in walls:
        return True
    farm, rules = walls[FARM], []
    if delay_ms and count == 1 and BARE in walls:
        rules.append(("at most 0.1 s over asyncssh's uname", farm - walls[BARE] <= 0.1))
    if not delay_ms and count >= 100:
        facts = [
            walls[one.name] for one in CONTENDERS if one.is_facts and one.in_rivals and one.name in walls
        ]
        rules += [(f"at most 1.15x {AGENT}", farm <= 1.15 * walls[AGENT])] if AGENT in walls else []
        rules += [(f"at most 1.5x {BARE}", farm <= 1.5 * walls[BARE])] if BARE in walls else []
        rules += [("4x faster than Ansible", 4 * farm <= walls[ANSIBLE])] if ANSIBLE in walls else []
        rules += [("faster than every rival that gathers facts", farm < min(facts))] if facts else []
    for what, holds in rules:
        print(f"  {'pass' if holds else 'FAIL'}  {what}")
    return all(holds for _, holds in rules)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--devices", default="10,100", type=lambda text: [int(one) for one in text.split(",")]
    )
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--rivals", type=Path)
    parser.add_argument("--only", type=lambda text: text.split(","), default=[])
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    known = len(raw_records.read(given.out))
    for count in given.devices:
        asyncio.run(measured(given, count))
    return 0 if told(raw_records.read(given.out)[known:]) else 1


if __name__ == "__main__":
    raise SystemExit(main())
