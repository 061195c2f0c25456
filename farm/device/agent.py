"""The controller's side of the agent: one method per verb of docs/agent-protocol.md."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from farm.device.disk.stock import Stock, parse_stock
from farm.device.faults import HELD_ELSEWHERE, HeldError, RefusedError, broken
from farm.device.line import Line
from farm.device.probe import parse_facts
from farm.device.push.source import Source
from farm.device.push.uploads import Uploads
from farm.device.settings.left import Left
from farm.device.settings.pins import Refusal
from farm.device.spool import Gathered, JobSpec, JobState, parse_gathered, parse_number, parse_state
from farm.device.start import start_agent
from farm.device.wire import Reply
from farm.errors import DeviceError
from farm.logs.processes import Process, Supervised, parse_processes, parse_supervised
from farm.logs.telemetry import parse_telemetry
from farm.model.artifact import Artifact, Script, Tree
from farm.model.device import Facts
from farm.model.limits.deadlines import Deadlines
from farm.model.telemetry import Sample
from farm.transport.base import Connection

T = TypeVar("T")
UPLOAD_TRIES = 3
PROBE_LIMIT_BYTES = 8 << 20
SENSE_LIMIT_BYTES = 1 << 18
PROCESSES_LIMIT_BYTES = 8 << 20
LISTING_LIMIT_BYTES = 16 << 20
STOCK_LIMIT_BYTES = 16 << 20
"""What a reply may have. Such texts are read in threads: one of a device that lies takes seconds, in which
the connections to others must stay alive.
"""
SMALL_TEXT_BYTES = 16 << 10
"""Of a listing that is read at once; a longer one is read in a thread."""
REMOVED_AT_ONCE = 200
SET_AT_ONCE = 60
HELD_FIELDS = {"held": 5, HELD_ELSEWHERE: 6}


@dataclass(frozen=True)
class Missing:
    """An artifact that is not on the device, and how much of an interrupted upload is."""

    sha256: str
    present_bytes: int


@dataclass(frozen=True)
class Lease:
    """The right to use a device, by its number; `boot` is the device's id of its present start, `-` where it
    has none. `is_after_cut`: the device was restarted while somebody had the lease before. `is_alone`: it
    keeps out who uses another workdir of the same machine, too.
    """

    epoch: int
    boot: str
    is_after_cut: bool = False
    is_alone: bool = False


@dataclass(frozen=True)
class Held:
    """A lease that somebody has: since `held_s` seconds, with the last sign of life `seen_s` ago."""

    holder: str
    epoch: int
    held_s: int
    seen_s: int
    ttl_s: int


class Agent:
    """A started agent. Each call raises DeviceError.

    Calls may overlap; the agent carries them out one after the other. One that is cancelled
    is still answered in the background: after Ctrl-C the lease can be given back. All may be called again
    after a lost connection: jobs and artifacts have names.
    """

    def __init__(
        self, connection: Connection, line: Line, workdir: str, script: str, deadlines: Deadlines
    ) -> None:
        self.workdir = workdir
        """The absolute working directory on the device."""
        self.uploads = Uploads(connection, script, workdir, deadlines, line.moved)
        self._line = line

    @classmethod
    async def start(cls, connection: Connection, workdir: str, script: Script, deadlines: Deadlines) -> Agent:
        """Start the agent, putting it on the device first when it is not there under its digest."""
        channel, greeting = await start_agent(connection, workdir, script, deadlines)
        path = f"{greeting.workdir}/agents/{script.sha256}.sh"
        return cls(connection, Line(channel, deadlines), greeting.workdir, path, deadlines)

    def beside(self, other: Agent) -> None:
        """Both have one connection: as long as transfers of the other move, no reply of this one is late."""
        self._line.beside = other._line

    @property
    def is_busy(self) -> bool:
        """Whether it was asked something that is not answered yet."""
        return self._line.is_busy

    @property
    def heard_at(self) -> float:
        """When the last reply came, by the event loop's clock."""
        return self._line.heard_at

    async def probe(self, pythons: Sequence[str] = ()) -> Facts:
        """Facts of the device. Of `pythons` (names or paths) it starts one after the other, until
        one is CPython and new enough.
        """
        _, data = await self._line.call("probe", *pythons, limit_bytes=PROBE_LIMIT_BYTES, deadline="work")
        return await _read(parse_facts, data)

    async def sense(self) -> Sample | None:
        """What the device's sensors and counters say now; None where it makes no sense."""
        _, data = await self._line.call("sense", limit_bytes=SENSE_LIMIT_BYTES)
        return next(iter(await _read(parse_telemetry, data)), None)

    async def processes(self) -> dict[int, Process]:
        """All processes of the device, by number."""
        _, data = await self._line.call("processes", limit_bytes=PROCESSES_LIMIT_BYTES)
        return await _read(parse_processes, data)

    async def others(self) -> tuple[Supervised, ...]:
        """Jobs that run on this machine for other workdirs."""
        _, data = await self._line.call("others", limit_bytes=PROCESSES_LIMIT_BYTES)
        found = await _read(parse_supervised, data)
        return tuple(one for one in found if one.workdir != self.workdir)

    async def have(self, digests: Sequence[str]) -> tuple[Missing, ...]:
        """Which of the artifacts are missing."""
        reply = await self._ok("have", *digests)
        pairs = (field.partition("=") for field in reply.fields)
        asked = frozenset(digests)
        return tuple(Missing(digest, parse_number(size)) for digest, _, size in pairs if digest in asked)

    async def upload(
        self,
        artifact: Artifact,
        progress: Callable[[int], None],
        source: Source | None = None,
        there_bytes: int | None = None,
    ) -> int:
        """Send what is missing of an artifact, which is kept then; the bytes that travelled.

        `progress` gets the bytes of the artifact that are there. An upload that broke off goes on where it
        stopped, after `there_bytes`, where that is known; the result is checked, and sent again if it was
        damaged.
        """
        moved = 0
        for tries_left in reversed(range(UPLOAD_TRIES)):
            if there_bytes is None:
                missing = await self.have([artifact.sha256])
                if not missing:
                    break
                there_bytes = missing[0].present_bytes
            offset, there_bytes = there_bytes if there_bytes <= artifact.size_bytes else 0, None
            try:
                moved += await self.uploads.whole(artifact, offset, source or Source(), progress)
                break
            except DeviceError as error:
                resumable = error.cause in {"digest-mismatch", "short", "offset"}
                if offset == 0 or not resumable or not tries_left:
                    raise
        return moved

    async def verify(self, digests: Sequence[str]) -> tuple[str, ...]:
        """Look at the bytes of the artifacts that are there; those that were damaged, and are gone now."""
        return tuple(one for one in (await self._work("verify", *digests)).fields if one in digests)

    async def link(self, paths: Mapping[str, str]) -> None:
        """Enter files that are on the device already: SHA-256 -> absolute path."""
        await self._ok("link", *chain.from_iterable(paths.items()))

    async def tree(self, tree: Tree) -> str:
        """Lay out a tree; its absolute path on the device."""
        pairs = (f"{name}={artifact.sha256}" for name, artifact in tree.files)
        match (await self._work("tree", tree.name, *pairs)).fields:
            case (path,) if path.startswith("/"):
                return path
            case fields:
                raise broken(f"tree was answered with {fields}")

    async def adopt(self, job: str, path: str, sha256: str) -> None:
        """Keep a file that a job wrote below its out/ in the device's store."""
        await self._work("adopt", job, path, sha256)

    async def stock(self) -> Stock:
        """What the store on the device holds."""
        _, data = await self._line.call("stock", limit_bytes=STOCK_LIMIT_BYTES, deadline="work")
        return await _read(parse_stock, data)

    async def remove(self, epoch: int, paths: Sequence[str]) -> None:
        """Remove files and trees of the store by their paths in the stock, in this order."""
        for begin in range(0, len(paths), REMOVED_AT_ONCE):
            await self._work("remove", str(epoch), *paths[begin : begin + REMOVED_AT_ONCE])

    async def lease(self, holder: str, ttl_s: int, former: int | None = None) -> Lease:
        """Take the device. `former` is the epoch of a lease that is taken over although it
        is held: that one, and no other that followed it. Raises HeldError with the holder in its message.
        """
        words = (holder, str(ttl_s), *(() if former is None else (str(former),)))
        try:
            reply = await self._work("lease", *words)
        except RefusedError as error:
            if len(error.fields) == HELD_FIELDS.get(error.cause):
                raise HeldError(error, error.fields[0], parse_number(error.fields[3])) from error
            raise
        match reply.fields:
            case (epoch, boot, *more):
                return Lease(parse_number(epoch), boot, "restarted" in more, "alone" in more)
            case fields:
                raise broken(f"lease was answered with {fields}")

    async def holder(self) -> str | None:
        """Who holds the device, or None."""
        held = await self.held()
        return held.holder if held else None

    async def held(self) -> Held | None:
        """The lease under which the device is held, or None."""
        match (await self._ok("holder")).fields:
            case ():
                return None
            case (holder, seen_s, ttl_s, epoch, held_s):
                return Held(holder, *map(parse_number, (epoch, held_s, seen_s, ttl_s)))
            case fields:
                raise broken(f"holder was answered with {fields}")

    async def break_lease(self, epoch: int, who: str) -> None:
        """End the lease of this epoch, and no other, whoever holds it: what runs under it is killed, and its
        holder is told by `who`. Raises DeviceError `stale` where it is not held any more.
        """
        await self._work("break", str(epoch), who)

    async def resume(self, lease: Lease) -> Lease:
        """Come back to a lease, after a reconnect or as another process of the same run, which does not know
        its boot. Raises DeviceError `stale` when it ended meanwhile, and `device-restarted` when it ended
        because the device did.
        """
        words = (str(lease.epoch), *((lease.boot,) if lease.boot else ()))
        fields = (await self._ok("resume", *words)).fields
        return Lease(lease.epoch, fields[0] if fields else lease.boot)

    async def beat(self, epoch: int) -> None:
        """Renew the lease."""
        await self._ok("beat", str(epoch))

    async def release(self, epoch: int) -> None:
        """Kill what still runs under the lease, and free the device."""
        await self._work("release", str(epoch))

    async def change(self, epoch: int, how: str, settings: Sequence[tuple[str, str]]) -> tuple[Refusal, ...]:
        """Change settings, (path below /sys, value), for the time of the lease, in this order: the agent
        restores them whatever happens. What is refused.
        """
        refused: list[Refusal] = []
        for begin in range(0, len(settings), SET_AT_ONCE):
            words = chain.from_iterable(settings[begin : begin + SET_AT_ONCE])
            reply = await self._work("set", str(epoch), how, *words)
            refused += (Refusal(*fields) for fields in _groups(reply, 3))
        return tuple(refused)

    async def restore(self, epoch: int) -> tuple[Left, ...]:
        """Restore the settings that were changed; what could not be, of earlier leases too."""
        return tuple(Left(*fields) for fields in _groups(await self._work("unset", str(epoch)), 4))

    async def unrestored(self) -> tuple[Left, ...]:
        """Settings of earlier leases that could not be restored so far."""
        return tuple(Left(*fields) for fields in _groups(await self._ok("settings"), 4))

    async def forbidden(self, how: str, paths: Sequence[str]) -> tuple[Refusal, ...]:
        """Which of these settings, at most eight paths below /sys, the user may not change; changes none."""
        reply = await self._ok("may", how, *paths)
        return tuple(Refusal(path, "", why) for path, why in _groups(reply, 2))

    async def date_s(self) -> int | None:
        """Seconds since 1970 by the device's clock; None where it does not tell."""
        told = "".join((await self._ok("date")).fields)
        return int(told) if re.fullmatch(r"[0-9]{1,15}", told) else None

    async def start_job(self, epoch: int, spec: JobSpec) -> int:
        """Start a job in its output folder; the program's pid."""
        reply = await self._work("start", str(epoch), *spec.words())
        return parse_number(*reply.fields[:1])

    async def kill(self, job: str) -> None:
        """End a job, and return when nothing of it runs; one that has ended stays as it is.

        Raises DeviceError `stuck`.
        """
        await self._work("kill", job)

    async def poll(self, job: str) -> JobState:
        """Where a job is. Costs the device no process."""
        return parse_state(await self._ok("poll", job))

    async def wait(self, job: str) -> JobState:
        """As `poll`, once the job has ended; at once where the device cannot wait for it. Until then this
        agent answers nothing else, and nothing bounds it: whoever waits looks at the job with another one.
        """
        return parse_state((await self._line.call("wait", job, deadline=None))[0])

    async def gather(self, job: str, limit_bytes: int) -> Gathered:
        """What an ended job left behind, with up to `limit_bytes` (at most 9999999) of each stream."""
        all_bytes = LISTING_LIMIT_BYTES + 3 * limit_bytes
        words = ("gather", job, str(limit_bytes))
        reply, data = await self._line.call(*words, limit_bytes=all_bytes, deadline="work")
        if len(data) <= SMALL_TEXT_BYTES:
            return parse_gathered(reply, data, limit_bytes)
        return await asyncio.to_thread(parse_gathered, reply, data, limit_bytes)

    async def read(self, job: str, path: str, offset: int, count: int) -> bytes:
        """Up to `count` bytes of a file of a job; b"" at its end."""
        _, data = await self._line.call("read", job, path, str(offset), str(count), limit_bytes=count)
        return data

    async def pick(self, job: str, paths: Sequence[str], size_bytes: int) -> bytes:
        """Files of a job one after the other: so many bytes in all, whatever became of them meanwhile."""
        words = ("pick", job, str(size_bytes), *paths)
        _, data = await self._line.call(*words, limit_bytes=size_bytes)
        return data

    async def jobs(self) -> dict[str, str]:
        """All jobs in the spool: `running` or `exited`."""
        pairs = (field.rpartition("=") for field in (await self._work("jobs")).fields)
        return {name: state for name, _, state in pairs}

    async def drop(self, *jobs: str) -> None:
        """Forget jobs that have ended, with all their files."""
        await self._work("drop", *jobs)

    async def bye(self) -> None:
        """End the agent. What it started goes on until the lease ends."""
        await self._ok("bye")
        await self._line.close()

    async def _ok(self, verb: str, *arguments: str) -> Reply:
        reply, _ = await self._line.call(verb, *arguments)
        return reply

    async def _work(self, verb: str, *arguments: str) -> Reply:
        """As `_ok`, for what takes the device time."""
        reply, _ = await self._line.call(verb, *arguments, deadline="work")
        return reply


async def _read(parse: Callable[[str], T], data: bytes) -> T:
    """A text of the device, read in a thread."""
    return await asyncio.to_thread(lambda: parse(data.decode("utf-8", "replace")))


def _groups(reply: Reply, size: int) -> tuple[tuple[str, ...], ...]:
    """The fields of a reply, so many for each thing that it tells of."""
    if len(reply.fields) % size:
        raise broken(f"a list of settings has {len(reply.fields)} fields")
    return tuple(reply.fields[begin : begin + size] for begin in range(0, len(reply.fields), size))
