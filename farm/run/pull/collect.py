"""Pull everything a round left behind, whether it passed or failed, and keep it by digest.

What a device says of its files is hostile: what cannot be kept is a note on the round; the device goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

from farm.device.disk.room import Room
from farm.device.session import Conversation, Session
from farm.device.spool import FileEntry, Gathered, Stream
from farm.model.artifact import Produced
from farm.model.matrix import Round
from farm.options import outputs
from farm.run.measure.readings import BESIDE
from farm.run.pull.keeping import Announced, in_batches, kept_at_once
from farm.run.pull.together import Together
from farm.store.folder import OUT, BadNameError, Incoming, RoundFolder
from farm.visible import one_line

BLOCK_BYTES = 1 << 20
MOST_ASKED = 3
"""Blocks of a file that are asked for before the first of them has come."""
STREAMS = ("stdout", "stderr", "telemetry")
MOST_NOTES = 5
LONGEST_NAME = 80
OTHER = "file"
"""The role of a file that no option announced."""


@dataclass(frozen=True)
class Limits:
    """What is pulled of one round, and of a device in a run, at most: the table in docs/run-directory.md."""

    log_bytes: int = 64 << 20
    file_bytes: int = 1 << 30
    round_bytes: int = 4 << 30
    files: int = 10_000
    device_bytes: int = 64 << 30
    """Of all rounds of a device in a run, logs too, equal files each time: what it may send."""


LIMITS = Limits()


class RefusedError(Exception):
    """The message says why a file is not kept."""


class Allowance:
    """What a device may still send in a run: a program that writes without an end does not fill a disk here
    in a night of a thousand rounds. What is here already, by its digest, is not sent. A run that is resumed
    begins anew.
    """

    def __init__(self) -> None:
        self._left_bytes = LIMITS.device_bytes

    def take(self, size_bytes: int) -> None:
        """Let so much come. Raises RefusedError when that is more than is left; nothing counts then."""
        if size_bytes > self._left_bytes:
            raise RefusedError(
                f"more than {LIMITS.device_bytes:,} bytes of one device in a run; run fewer rounds at once, "
                "or dump less"
            )
        self._left_bytes -= size_bytes


@dataclass(frozen=True)
class Rules:
    """How the files of a round are kept: where there is room to `adopt` them, they also stay in the device's
    store; `hide` takes secrets out of the streams; `allowance` is the device's.
    """

    adopt: Room | None = None
    hide: Callable[[bytes], bytes] | None = None
    allowance: Allowance = field(default_factory=Allowance)


@dataclass(frozen=True)
class Refused:
    """A file that was not kept, and why, for people."""

    role: str
    why: str


@dataclass(frozen=True)
class Pulled:
    """The files of a round, kept or refused; `logs` are the kept streams by name, and what farm had written
    beside them by role.
    """

    logs: Mapping[str, Path]
    artifacts: tuple[Produced, ...]
    paths: frozenset[str]
    refused: tuple[Refused, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was refused: the first ones, and how many more."""
        why = [f"not kept: {one.why}" for one in self.refused]
        more = len(why) - MOST_NOTES
        return (*why[:MOST_NOTES], *([f"not kept: {more} more files"] if more > 0 else []))


async def collect(
    session: Session,
    job: str,
    folder: RoundFolder,
    one: Round,
    rules: Rules,
    left: Gathered | None = None,
) -> Pulled:
    """Pull the streams and the files under the job's out/, of which `left` is here already; the device keeps
    them until the job is dropped.

    Raises DeviceError when the device cannot go on, OSError when this machine's disk cannot.
    """
    if left is None:
        left = await session.call(lambda agent: agent.gather(job, BLOCK_BYTES))
    lacking = await asyncio.to_thread(_lacking, folder, left.files) if left.files else []
    together = Together(session, job, lacking, LIMITS.files)
    round_ = _Collection(session, job, folder, rules, together)
    try:
        await round_.streams({name: getattr(left, name) for name in STREAMS})
        for batch in in_batches(Announced(entry, role_of(entry.path, one)) for entry in left.files):
            await round_.files(batch)
    finally:
        await together.close()
    return round_.pulled()


def _lacking(folder: RoundFolder, entries: Iterable[FileEntry]) -> list[FileEntry]:
    """Those whose content is not here, one of each content."""
    first: dict[str, FileEntry] = {}
    for entry in islice(entries, LIMITS.files):
        first.setdefault(entry.sha256, entry)
    return [entry for entry in first.values() if not folder.has(entry.sha256, entry.size_bytes)]


def role_of(path: str, one: Round) -> str:
    """The role in results.json of a file that a round wrote; `file` for one that nobody announced."""
    if path in BESIDE:
        return BESIDE[path]
    for output in outputs(one.options):
        if path == output.path or path.startswith(f"{output.path}/"):
            return output.role
    return OTHER


@dataclass(frozen=True)
class Wanted:
    """A file of a job: how much of it, its beginning where that is here already, its digest if announced."""

    name: str
    size_bytes: int
    begin: bytes = b""
    sha256: str | None = None


@dataclass
class _Collection:
    """The files of one round as they come in."""

    session: Session
    job: str
    folder: RoundFolder
    rules: Rules
    together: Together
    left: Counter[str] = field(default_factory=lambda: Counter(bytes=LIMITS.round_bytes, files=LIMITS.files))
    kept: list[Produced] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    named: set[Path] = field(default_factory=set)
    logs: dict[str, Path] = field(default_factory=dict)

    def pulled(self) -> Pulled:
        return Pulled(dict(self.logs), tuple(self.kept), frozenset(self.paths), tuple(self.refused))

    async def streams(self, streams: Mapping[str, Stream]) -> None:
        """Those that are here already are kept in one go: devices wait for this between two rounds."""
        here, far = dict[str, bytes](), list[Wanted]()
        for name, stream in streams.items():
            size_bytes = min(stream.size_bytes, LIMITS.log_bytes)
            if stream.size_bytes > size_bytes:
                why = f"{name} after its first {size_bytes >> 20} MiB, of {stream.size_bytes:,} bytes"
                self.refused.append(Refused(OTHER, why))
            if len(stream.begin) < size_bytes:
                far.append(Wanted(name, size_bytes, stream.begin))
            elif size_bytes and self._may_take(name, size_bytes):
                here[name] = stream.begin[:size_bytes]
        kept = await asyncio.to_thread(self._keep_logs, here) if here else {}
        for wanted in far:
            try:
                incoming = await self._pull(wanted)
            except RefusedError as error:
                self.refused.append(Refused(wanted.name, str(error)))
            else:
                kept[wanted.name] = await asyncio.to_thread(self._keep_stream, incoming, wanted.name)
        for name in filter(kept.__contains__, streams):
            self.kept.append(kept[name])
            self.logs[name] = self.folder.path(kept[name])

    def _may_take(self, name: str, size_bytes: int) -> bool:
        try:
            self.rules.allowance.take(size_bytes)
        except RefusedError as error:
            self.refused.append(Refused(name, str(error)))
            return False
        return True

    def _keep_logs(self, logs: Mapping[str, bytes]) -> dict[str, Produced]:
        hide = self.rules.hide or bytes
        return {
            name: self.folder.keep_content(hide(log), role=name, name=f"{name}.txt")
            for name, log in logs.items()
        }

    def _keep_stream(self, incoming: Incoming, name: str) -> Produced:
        if self.rules.hide is not None:
            log = incoming.path.read_bytes()
            if (clean := self.rules.hide(log)) != log:
                incoming.discard()
                incoming = self.folder.incoming()
                incoming.add(clean)
        return self.folder.keep(incoming, role=name, name=f"{name}.txt")

    async def files(self, entries: Sequence[Announced]) -> None:
        """Those that are small or here already in one go, then each of the others."""
        admitted = [one for one in entries if self._is_admitted(one)]
        arrived = [one for one in [await self._arrived(one) for one in admitted] if one is not None]
        kept = await asyncio.to_thread(kept_at_once, self.folder, arrived) if arrived else []
        for one, result in zip(arrived, kept, strict=True):
            await self._take(one, await self._alone(one) if result is None else result)

    def _is_admitted(self, one: Announced) -> bool:
        try:
            self._admit(one.entry)
        except (RefusedError, BadNameError) as error:
            self._refuse(one, error)
            return False
        return True

    def _admit(self, entry: FileEntry) -> None:
        """Raises RefusedError for what is over a limit, BadNameError for a name."""
        self.left["files"] -= 1
        if self.left["files"] < 0:
            raise RefusedError(f"more than {LIMITS.files:,} files in a round")
        place = self.folder.place(f"{OUT}/{entry.path}")
        if place in self.named:
            raise RefusedError("the device names it twice")
        if entry.size_bytes > LIMITS.file_bytes:
            raise RefusedError(f"{entry.size_bytes:,} bytes, more than {LIMITS.file_bytes:,} in a file")
        if entry.size_bytes > self.left["bytes"]:
            raise RefusedError(f"more than {LIMITS.round_bytes:,} bytes in a round")
        self.left["bytes"] -= entry.size_bytes
        self.named.add(place)

    def _refuse(self, one: Announced, error: Exception) -> None:
        name = one_line(one.entry.path, LONGEST_NAME) or "(no name)"
        self.refused.append(Refused(one.role, f"{name}: {error}"))

    async def _arrived(self, one: Announced) -> Announced | None:
        """With its content, where that comes together with others; None: it may not come."""
        if one.entry not in self.together:
            return one
        try:
            self.rules.allowance.take(one.entry.size_bytes)
        except RefusedError as error:
            self._refuse(one, error)
            return None
        return replace(one, content=await self.together.read(one.entry))

    async def _alone(self, one: Announced) -> Produced | Exception:
        """A file that did not come with others, or not as it was announced; or why it is not kept."""
        entry = one.entry
        (kept,) = await asyncio.to_thread(kept_at_once, self.folder, [replace(one, content=b"")])
        if kept is not None:
            return kept  # an equal one came before it
        try:
            incoming = await self._pull(Wanted(one.name, entry.size_bytes, sha256=entry.sha256))
            return await asyncio.to_thread(self.folder.keep, incoming, role=one.role, name=one.name)
        except (RefusedError, BadNameError) as error:
            return error

    async def _take(self, one: Announced, kept: Produced | Exception) -> None:
        entry = one.entry
        if isinstance(kept, Exception):
            self._refuse(one, kept)
            return
        self.kept.append(kept)
        if entry.path in BESIDE:
            self.logs[one.role] = self.folder.path(kept)
        self.paths.add(entry.path)
        if (adopt := self.rules.adopt) is not None:
            adopt.need([entry.sha256])
            await adopt.call(_adopting(self.job, entry), entry.size_bytes)

    async def _pull(self, wanted: Wanted) -> Incoming:
        """One file in blocks into a scratch file; a lost connection goes on where it stopped.

        Raises RefusedError when it is not what the device announced, or more than it may still send.
        """
        self.rules.allowance.take(wanted.size_bytes)
        incoming = await asyncio.to_thread(self.folder.incoming)
        try:
            begin = wanted.begin[: wanted.size_bytes]
            await asyncio.to_thread(incoming.add, begin)
            size = len(begin)
            async with aclosing(self._blocks(wanted, size)) as blocks:
                async for block in blocks:
                    await asyncio.to_thread(incoming.add, block)
                    size += len(block)
            digest = await asyncio.to_thread(incoming.done)
            if size != wanted.size_bytes or wanted.sha256 not in (None, digest):
                raise RefusedError("it changed while it was pulled, or arrived damaged")
        except BaseException:
            await asyncio.to_thread(incoming.discard)
            raise
        return incoming

    async def _blocks(self, wanted: Wanted, offset: int) -> AsyncGenerator[bytes]:
        """What follows `offset`, in order; some blocks are on their way while one is written here."""
        asked: deque[tuple[int, asyncio.Task[bytes]]] = deque()
        try:
            while asked or offset < wanted.size_bytes:
                while len(asked) < MOST_ASKED and offset < wanted.size_bytes:
                    count = min(BLOCK_BYTES, wanted.size_bytes - offset)
                    reading = self.session.call(_reading(self.job, wanted.name, offset, count))
                    asked.append((count, asyncio.ensure_future(reading)))
                    offset += count
                count, answer = asked.popleft()
                block = await answer
                yield block
                if len(block) < count:  # it ends here, whatever was announced: no byte by byte for ever
                    break
        finally:
            for _, answer in asked:
                answer.cancel()
            await asyncio.gather(*(answer for _, answer in asked), return_exceptions=True)


def _reading(job: str, name: str, offset: int, count: int) -> Conversation[bytes]:
    return lambda agent: agent.read(job, name, offset, count)


def _adopting(job: str, entry: FileEntry) -> Conversation[None]:
    return lambda agent: agent.adopt(job, entry.path, entry.sha256)
