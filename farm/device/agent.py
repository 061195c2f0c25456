"""The controller's side of the agent: one method per verb of docs/agent-protocol.md."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from farm.device.faults import broken, lost, refuse
from farm.device.probe import parse_facts
from farm.device.start import accepted, start_agent, written
from farm.device.wire import Reply, Status, WireError, decode, parse_reply, request
from farm.errors import DeviceError
from farm.model.artifact import Artifact, Tree
from farm.model.device import Facts
from farm.transport.base import Channel, Connection

UPLOAD_BLOCK_BYTES = 1 << 18
UPLOAD_TRIES = 3
PROBE_LIMIT_BYTES = 4 << 20
LISTING_LIMIT_BYTES = 64 << 20

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Missing:
    """An artifact that is not on the device, and how much of an interrupted upload is."""

    sha256: str
    present_bytes: int


@dataclass(frozen=True)
class JobState:
    """Where a job is: `exit_code` is None while it runs; `why` is `-` or what ended it from outside.

    The sizes are what was written to each stream so far, in bytes.
    """

    exit_code: int | None
    why: str
    stdout_bytes: int = 0
    stderr_bytes: int = 0
    telemetry_bytes: int = 0


@dataclass(frozen=True)
class FileEntry:
    """A file under a job's out/. `path` is relative and stays below it; else it is as the device says."""

    path: str
    sha256: str
    size_bytes: int


class Agent:
    """A started agent. Calls are answered one after the other; each raises DeviceError.

    A call that is cancelled is still answered in the background, so that the next one finds the line in
    step: after Ctrl-C the lease can be given back. All may be called again after a lost connection: jobs
    and artifacts have names.
    """

    def __init__(self, connection: Connection, channel: Channel, workdir: str, script: str) -> None:
        self.workdir = workdir
        """The absolute working directory on the device."""
        self._connection = connection
        self._channel = channel
        self._script = script
        self._turn = asyncio.Lock()
        self._number = 0

    @classmethod
    async def start(cls, connection: Connection, workdir: str, script: bytes, sha256: str) -> Agent:
        """Start the agent, putting it on the device first when it is not there under its digest."""
        channel, greeting = await start_agent(connection, workdir, script, sha256)
        return cls(connection, channel, greeting.workdir, f"{greeting.workdir}/agents/{sha256}.sh")

    async def probe(self) -> Facts:
        """What the device says of itself."""
        data = await self._data(PROBE_LIMIT_BYTES, "probe")
        return parse_facts(data.decode("utf-8", "replace"))

    async def have(self, digests: Sequence[str]) -> tuple[Missing, ...]:
        """Which of the artifacts are missing."""
        reply = await self._ok("have", *digests)
        pairs = (field.partition("=") for field in reply.fields)
        return tuple(Missing(digest, _number(size)) for digest, _, size in pairs if digest in digests)

    async def upload(self, artifact: Artifact, progress: Callable[[int], None]) -> int:
        """Send what is missing of an artifact and commit it; the bytes that travelled.

        `progress` gets the bytes of the artifact that are there. An upload that broke off goes on where it
        stopped; what came of it is checked, and sent anew if it was damaged.
        """
        moved = 0
        for tries_left in reversed(range(UPLOAD_TRIES)):
            missing = await self.have([artifact.sha256])
            if not missing:
                break
            offset = missing[0].present_bytes if missing[0].present_bytes <= artifact.size_bytes else 0
            try:
                moved += await self._receive(artifact, offset, progress)
                await self._ok("commit", artifact.sha256, str(artifact.size_bytes))
                break
            except DeviceError as error:
                resumable = error.cause in {"digest-mismatch", "short", "offset"}
                if offset == 0 or not resumable or not tries_left:
                    raise
        return moved

    async def link(self, sha256: str, path: str) -> None:
        """Enter a file that is on the device already."""
        await self._ok("link", sha256, path)

    async def tree(self, tree: Tree) -> str:
        """Lay out a tree; its absolute path on the device."""
        pairs = (f"{name}={artifact.sha256}" for name, artifact in tree.files)
        match (await self._ok("tree", tree.name, *pairs)).fields:
            case (path,) if path.startswith("/"):
                return path
            case fields:
                raise broken(f"tree was answered with {fields}")

    async def adopt(self, job: str, path: str, sha256: str) -> None:
        """Keep a file that a job wrote below its out/ in the device's store."""
        await self._ok("adopt", job, path, sha256)

    async def gc(self, epoch: int, quota_kib: int) -> int:
        """Remove what was not used for longest until the store is within its quota; the KiB that were freed.

        Trees go too: ask `have` and `tree` afterwards.
        """
        return _number(*(await self._ok("gc", str(epoch), str(quota_kib))).fields[:1])

    async def lease(self, holder: str, ttl_s: int) -> int:
        """Take the device; the lease's epoch. Raises DeviceError `held` with the holder in its message."""
        return _number(*(await self._ok("lease", holder, str(ttl_s))).fields[:1])

    async def holder(self) -> str | None:
        """Who holds the device, or None."""
        fields = (await self._ok("holder")).fields
        return fields[0] if fields else None

    async def resume(self, epoch: int) -> None:
        """Come back to a lease after a reconnect. Raises DeviceError `stale` when it ended meanwhile."""
        await self._ok("resume", str(epoch))

    async def beat(self, epoch: int) -> None:
        """Renew the lease."""
        await self._ok("beat", str(epoch))

    async def release(self, epoch: int) -> None:
        """Kill what still runs under the lease, and free the device."""
        await self._ok("release", str(epoch))

    async def start_job(
        self,
        epoch: int,
        job: str,
        argv: Sequence[str],
        *,
        wall_s: int,
        silence_s: int,
        environment: Mapping[str, str] | None = None,
        folders: Sequence[str] = (),
        copies: Sequence[tuple[str, str]] = (),
    ) -> int:
        """Start a job in its output folder, into which `folders` are made and `copies` (name, digest) put
        first; the program's pid. A limit of 0 s is none.
        """
        lists = (
            [f"{key}={value}" for key, value in (environment or {}).items()],
            folders,
            [f"{name}={digest}" for name, digest in copies],
        )
        counted = (word for words in lists for word in (str(len(words)), *words))
        reply = await self._ok("start", str(epoch), job, str(wall_s), str(silence_s), *counted, *argv)
        return _number(*reply.fields[:1])

    async def poll(self, job: str) -> JobState:
        """Where a job is. Costs the device no process."""
        match (await self._ok("poll", job)).fields:
            case ("running", _, _, *sizes) if len(sizes) == 3:
                return JobState(None, "-", *map(_number, sizes))
            case ("exited", code, why, *sizes) if len(sizes) == 3:
                return JobState(_number(code), why, *map(_number, sizes))
            case fields:
                raise broken(f"poll was answered with {fields}")

    async def read(self, job: str, path: str, offset: int, count: int) -> bytes:
        """Up to `count` bytes of a file of a job; b"" at its end."""
        return await self._data(count, "read", job, path, str(offset), str(count))

    async def files(self, job: str) -> tuple[FileEntry, ...]:
        """The regular files under the job's out/."""
        return parse_files(await self._data(LISTING_LIMIT_BYTES, "files", job))

    async def jobs(self) -> dict[str, str]:
        """All jobs in the spool: `running` or `exited`."""
        pairs = (field.rpartition("=") for field in (await self._ok("jobs")).fields)
        return {name: state for name, _, state in pairs}

    async def kill(self, job: str) -> None:
        """End a job and all its processes."""
        await self._ok("kill", job)

    async def drop(self, job: str) -> None:
        """Forget a job that has ended, with all its files."""
        await self._ok("drop", job)

    async def bye(self) -> None:
        """End the agent. What it started goes on until the lease ends."""
        await self._ok("bye")
        await self._channel.close()

    async def _ok(self, verb: str, *arguments: str) -> Reply:
        reply, _ = await asyncio.shield(asyncio.create_task(self._exchange(0, verb, *arguments)))
        if reply.status is Status.ERR:
            refuse(reply)
        return reply

    async def _data(self, limit_bytes: int, verb: str, *arguments: str) -> bytes:
        reply, data = await asyncio.shield(asyncio.create_task(self._exchange(limit_bytes, verb, *arguments)))
        if reply.status is Status.ERR:
            refuse(reply)
        return data

    async def _exchange(self, limit_bytes: int, verb: str, *arguments: str) -> tuple[Reply, bytes]:
        """One request and its reply. A line that is out of step is closed: the next call finds it lost."""
        async with self._turn:
            self._number += 1
            try:
                await self._channel.write(request(self._number, verb, *arguments))
                line = await self._channel.readline()
                if not line:
                    raise lost("the agent ended")
                reply = parse_reply(line)
            except WireError as error:
                await self._channel.close()
                raise broken(str(error)) from error
            if reply.id != self._number or reply.size_bytes > limit_bytes:
                await self._channel.close()
                raise broken(f"request {self._number} ({verb}) was answered with {line[:80]!r}")
            return reply, await self._channel.readexactly(reply.size_bytes) if reply.size_bytes else b""

    async def _receive(self, artifact: Artifact, offset: int, progress: Callable[[int], None]) -> int:
        """Send a file from `offset` on over a channel of its own; the bytes sent. One block is in memory."""
        argv = ("sh", self._script, "receive", self.workdir, artifact.sha256, str(offset))
        channel = await self._connection.open(argv)
        sent = 0
        try:
            with artifact.path.open("rb") as stream:
                stream.seek(offset)
                while block := await asyncio.to_thread(stream.read, UPLOAD_BLOCK_BYTES):
                    if not await written(channel, block):
                        break
                    sent += len(block)
                    progress(offset + sent)
            await accepted(channel)
        finally:
            await channel.close()
        return sent


def parse_files(data: bytes) -> tuple[FileEntry, ...]:
    """Lines `<sha256> <size_bytes> <encoded path>`. Raises DeviceError for anything else."""
    entries = []
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            sha256, size, path = map(decode, line.split(b" "))
        except ValueError as error:
            raise broken(f"not a file entry: {line[:80]!r}") from error
        is_below = not path.startswith("/") and ".." not in path.split("/")
        if not _DIGEST.fullmatch(sha256) or not is_below:
            raise broken(f"not a file entry: {line[:80]!r}")
        entries.append(FileEntry(path, sha256, _number(size)))
    return tuple(entries)


def _number(text: str = "") -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise broken(f"not a number: {text[:80]!r}")
    return int(text)
