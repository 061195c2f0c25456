"""An agent in this process that speaks the protocol of docs/agent-protocol.md, and lies where an attack says so."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import asyncssh

from farm.device.wire import decode, encode
from tests.hostile.attack import Answer, Asked, Attack, Job, Said

ROOT = Path(__file__).parents[2]
TINY = ROOT / "farm" / "bundled" / "tiny.mge"
HOME = "/home/hostile"
STREAMS = ("stdout", "stderr", "telemetry")
PROBE = """\
== uname
Linux hostile 6.1.0 x86_64
== boot
0f0f0f0f-1111-2222-3333-444444444444
== df
/dev/vda 100000000 1000 90000000 1% /
== files
/proc/meminfo:MemTotal: 8000000 kB
/proc/meminfo:MemAvailable: 7000000 kB
/proc/loadavg:0.00 0.00 0.00 1/100 1000
/proc/cpuinfo:processor\t: 0
/proc/cpuinfo:model name\t: Honest Processor
/proc/cpuinfo:flags\t\t: fpu sse sse2 avx avx2
/sys/devices/system/cpu/online:0-3
== shell
sh
"""
TELEMETRY = (
    b"uptime_s load_1m cores running cpu own\n1.0 0.0 0 0 1:1:1:1:1:1:1:1 1\n2.0 0.0 0 0 2:2:2:2:2:2:2:2 2\n"
)


class Program:
    """The simulated program, run once for each command line: the answers of all devices are those."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[tuple[str, ...], asyncio.Task[Job]] = {}

    async def run(self, argv: tuple[str, ...], folders: tuple[str, ...]) -> Job:
        words = argv if "--help" in argv else (str(TINY), *argv[1:])
        if words not in self._jobs:
            self._jobs[words] = asyncio.create_task(
                asyncio.to_thread(self._run, words, folders, len(self._jobs))
            )
        return await asyncio.shield(self._jobs[words])

    def _run(self, words: tuple[str, ...], folders: tuple[str, ...], number: int) -> Job:
        out = self._folder / f"out-{number}"
        for folder in ("", *folders):
            (out / folder).mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"HOME": str(self._folder), "PYTHONPATH": str(ROOT)}
        command = (sys.executable, "-S", "-s", "-B", "-m", "farm.sim.program", *words)
        done = subprocess.run(command, cwd=out, env=environment, capture_output=True, check=False, timeout=60)
        found = {os.fsencode(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}
        streams = {"stdout": done.stdout, "stderr": done.stderr, "telemetry": TELEMETRY}
        return Job(done.returncode, streams, found)


class Agent:
    """The agents of one device: jobs and the counts of its verbs are those of all connections."""

    def __init__(self, attack: Attack, program: Program) -> None:
        self._attack = attack
        self._program = program
        self._jobs: dict[str, Job] = {}
        self._counts: Counter[str] = Counter()
        self.asked: list[str] = []
        """The verbs, for tests of this agent."""

    async def serve(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        """One channel, until its end."""
        greeting = self._attack.greeting
        if greeting is None:
            await _send(process, b"\nfarm-agent 1 4242 " + encode(f"{HOME}/.cache/farm") + b"\n")
        else:
            await _send(process, greeting() if callable(greeting) else greeting)
            if self._attack.ends:
                return
        while line := await process.stdin.readline():
            number, verb, *raw = line.rstrip(b"\n").split(b" ")
            words = tuple(map(decode, raw))
            name = verb.decode()
            self.asked.append(name)
            asked = Asked(
                int(number), name, words, self._counts[name], self._jobs.get(words[0] if words else "")
            )
            self._counts[name] += 1
            honest = await self._honest(asked)
            lie = self._attack.replies.get(name)
            said: Said = honest if lie is None else lie(asked, honest)
            await _send(process, said.line(asked.number) if isinstance(said, Answer) else said)
            if name == "bye":
                return

    async def _honest(self, asked: Asked) -> Answer:
        if asked.verb == "start":
            return await self._start(asked.words)
        make: Callable[[Asked], Answer] | None = getattr(self, f"say_{asked.verb}", None)
        return Answer() if make is None else make(asked)

    async def _start(self, words: tuple[str, ...]) -> Answer:
        _, name, _, _, *rest = words
        lists = []
        for _ in range(3):
            count = int(rest[0])
            lists.append(tuple(rest[1 : 1 + count]))
            rest = rest[1 + count :]
        is_round = any(word.endswith(".mge") for word in rest)
        if not is_round and "--help" not in rest:  # it looks for a file, say
            self._jobs[name] = Job()
            return Answer(("4243",))
        job = replace(await self._program.run(tuple(rest[1:]), lists[1]), is_round=is_round)
        lie = self._attack.job if is_round else self._attack.help
        self._jobs[name] = job if lie is None else lie(job)
        return Answer(("4243",))

    def say_hello(self, asked: Asked) -> Answer:
        return Answer(("shell=sh", *asked.words))

    def say_probe(self, _: Asked) -> Answer:
        text = PROBE.encode()
        return Answer(data=text if self._attack.probe is None else self._attack.probe(text))

    def say_tree(self, asked: Asked) -> Answer:
        return Answer((f"{HOME}/.cache/farm/trees/{asked.words[0]}",))

    def say_lease(self, _: Asked) -> Answer:
        return Answer(("1", "0f0f0f0f-1111-2222-3333-444444444444"))

    def say_poll(self, asked: Asked) -> Answer:
        job = asked.job or Job()
        return Answer(
            ("exited", str(job.code), "-", *(str(len(job.streams.get(one, b""))) for one in STREAMS))
        )

    say_wait = say_poll

    def say_stock(self, _: Asked) -> Answer:
        return Answer(data=b"== df\n/dev/vda 100000000 1000 90000000 1% /\n")

    def say_sense(self, _: Asked) -> Answer:
        return Answer(data=TELEMETRY.split(b"\n", 2)[0] + b"\n3.0 0.0 - - 3:3:3:3:3:3:3:3 -\n")

    def say_processes(self, _: Asked) -> Answer:
        return Answer(data=b"")

    def say_gather(self, asked: Asked) -> Answer:
        job, limit = asked.job or Job(), int(asked.words[1])
        rows = (
            b"%s %d %s\n" % (hashlib.sha256(data).hexdigest().encode(), len(data), _escaped(name))
            for name, data in job.files.items()
        )
        listing = b"".join(rows)
        streams = [job.streams.get(one, b"") for one in STREAMS]
        sizes = (str(len(listing)), *(str(len(one)) for one in streams))
        return Answer(sizes, listing + b"".join(one[:limit] for one in streams))

    def say_read(self, asked: Asked) -> Answer:
        _, path, offset, count = asked.words
        job = asked.job or Job()
        files = {b"out/" + name: data for name, data in job.files.items()}
        data = (files | {one.encode(): data for one, data in job.streams.items()}).get(os.fsencode(path), b"")
        return Answer(data=data[int(offset) : int(offset) + int(count)])

    def say_drop(self, asked: Asked) -> Answer:
        self._jobs.pop(asked.words[0], None)
        return Answer()


def _escaped(name: bytes) -> bytes:
    return encode(name.decode("utf-8", "surrogateescape")) if b"\0" not in name else name


async def _send(process: asyncssh.SSHServerProcess[bytes], said: bytes | AsyncIterator[bytes]) -> None:
    if isinstance(said, bytes):
        process.stdout.write(said)
        await process.stdout.drain()
        return
    async for piece in said:
        if process.is_closing():
            return
        process.stdout.write(piece)
        await process.stdout.drain()
