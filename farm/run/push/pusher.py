"""Push what a device lacks; files that are there are not sent again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from farm.device.agent import Agent, Missing
from farm.device.push.archive import archives, is_small
from farm.device.push.recipe import Recipe
from farm.device.session import Conversation
from farm.errors import DeviceError, Fault, Stage
from farm.files import sha256_of
from farm.model.artifact import Artifact
from farm.model.device import Device
from farm.run.push.relays import RelayError
from farm.run.push.supply import Supply
from farm.run.push.unleased import Unleased

T = TypeVar("T")
FILE_CHANGED = "file-changed"
DAMAGED = frozenset({"digest-mismatch", "short"})
NO_TOOL = "no-tool"
UNMADE = DAMAGED | {"missing", "io", "usage", NO_TOOL}
"""Why a file could not be made of older ones: it is sent whole then."""

LEAST_COMPARED_BYTES = 1 << 20
"""Smaller files are sent whole: to look at their older versions would take longer."""

LEAST_RELAYED_BYTES = 1 << 20
"""Less is sent past the relay: to log in from there takes longer."""

Sent = Callable[[int, int], None]
"""Progress of a transfer: bytes done, bytes in all."""


class Reached(Protocol):
    """A device that can be talked with: farm.device.session.Session, or a relay."""

    @property
    def device(self) -> Device: ...

    async def call(self, conversation: Conversation[T]) -> T:
        """What the conversation with its agent came to."""

    async def missing(self, artifacts: Sequence[Artifact]) -> tuple[Missing, ...]:
        """Which artifacts it lacks."""


class Disk(Protocol):
    """Its store: farm.device.disk.room.Room, or that of a relay."""

    @property
    def note(self) -> Callable[[str], None]: ...

    def need(self, sha256s: Iterable[str]) -> None:
        """These are not removed."""

    async def call(self, conversation: Conversation[T], size_bytes: int) -> T:
        """What writes `size_bytes`."""


R = TypeVar("R", bound=Reached)
D = TypeVar("D", bound=Disk)


@dataclass
class Pushed:
    """What a deployment moved, for the report: a second bench of the same files pushes 0 bytes."""

    bytes: int = 0
    files: int = 0
    reused: int = 0


class Pusher(Generic[R, D]):
    """Pushes artifacts to one device and counts what was sent. `supply` is that of the run."""

    def __init__(
        self,
        session: R,
        room: D,
        sent: Sent = lambda _done, _total: None,
        pushed: Pushed | None = None,
        supply: Supply | None = None,
    ) -> None:
        self.session = session
        self.room = room
        self.pushed = pushed or Pushed()
        self._sent = sent
        self._supply = supply or Supply()

    async def missing(self, artifacts: Sequence[Artifact]) -> tuple[Missing, ...]:
        """Which artifacts the device lacks, in one call."""
        return await self.session.missing(artifacts)

    async def push(
        self, artifacts: Sequence[Artifact], *, own: bool = False, lacking: Container[str] | None = None
    ) -> None:
        """Send only what is missing. On `local` farm's `own` files and the runtime's are linked; those of the
        user are copied, since a file that is replaced meanwhile must not be measured in the place of another.

        `lacking` are the digests of what was missing, where the device was just asked: it is not asked again
        for files that it has.
        """
        if lacking is not None and not any(artifact.sha256 in lacking for artifact in artifacts):
            self.room.need(artifact.sha256 for artifact in artifacts)
            self.pushed.reused += len(artifacts)
            return
        async with self._supply.relays.turn(self.session.device):
            await self._push(artifacts, own=own)

    async def _push(self, artifacts: Sequence[Artifact], *, own: bool) -> None:
        self.room.need(artifact.sha256 for artifact in artifacts)
        there = {one.sha256: one.present_bytes for one in await self.missing(artifacts)}
        wanted = list({one.sha256: one for one in artifacts if one.sha256 in there}.values())
        if wanted and own and self.session.device.is_local:
            paths = {artifact.sha256: str(artifact.path) for artifact in wanted}
            await self.session.call(lambda agent: agent.link(paths))
            wanted = []
        self.pushed.reused += len(artifacts) - len(wanted)
        steps = _Steps(self._sent, sum(artifact.size_bytes for artifact in wanted))
        handed = await self._hand_on(wanted, steps)
        wanted = [artifact for artifact in wanted if artifact.sha256 not in handed]
        small = [one for one in wanted if is_small(one) and not there[one.sha256]]
        together = await self._push_small(small, steps) if len(small) > 1 else set()
        for artifact in wanted:
            if artifact.sha256 not in together:
                await self._push_one(artifact, there[artifact.sha256], steps)

    async def _hand_on(self, wanted: Sequence[Artifact], steps: _Steps) -> set[str]:
        """Let the device's relay send these, which gets them first; the digests of those that are there then:
        where it has no relay, or that cannot be used, all others come from here.
        """
        relay, done = self.session.device.relay, set[str]()
        through = self._supply.relays.to(self.session.device)
        size_bytes = sum(one.size_bytes for one in wanted)
        if relay is None or through is None or size_bytes < LEAST_RELAYED_BYTES:
            return done
        small = [one for one in wanted if is_small(one)]
        groups = [*archives(small), *((one,) for one in wanted if not is_small(one))]
        try:
            await through.take(wanted, self._push_to_relay)
            for group in groups:
                hand = lambda agent, group=group: through.hand(relay, agent, group, steps.moved)  # noqa: E731
                await self.room.call(hand, sum(one.size_bytes for one in group))
                done.update(one.sha256 for one in group)
                size_bytes = sum(one.size_bytes for one in group)
                self._count(steps, size_bytes, size_bytes, len(group))
        except RelayError as error:
            self.room.note(f"{error}; the files come from here")
        return done

    async def _push_to_relay(self, device: Device, agent: Agent, artifacts: Sequence[Artifact]) -> None:
        store = Unleased(device, agent, self.room.note)
        await Pusher(store, store, self._sent, supply=self._supply).push(artifacts)

    async def _push_small(self, small: Sequence[Artifact], steps: _Steps) -> set[str]:
        """Send small files together; the digests of those that are there then."""
        done: set[str] = set()
        for group in archives(small):
            size_bytes = sum(one.size_bytes for one in group)
            try:
                await self.room.call(self._archive(group, steps), size_bytes)
            except DeviceError as error:
                if error.cause == NO_TOOL:
                    break
                await _blame_changed(error, group)
                raise
            except OSError as error:
                raise _gone_of(group, error) from error
            done.update(one.sha256 for one in group)
            self._count(steps, size_bytes, size_bytes, len(group))
        return done

    def _archive(self, group: Sequence[Artifact], steps: _Steps) -> Callable[[Agent], Awaitable[int]]:
        return lambda agent: agent.uploads.small(group, self._supply.source, steps.moved)

    async def _push_one(self, artifact: Artifact, there_bytes: int, steps: _Steps) -> None:
        try:
            moved = None
            if not there_bytes and artifact.size_bytes >= LEAST_COMPARED_BYTES:
                moved = await self._push_changed(artifact, steps)
            if moved is None:
                moved = await self._push_whole(artifact, there_bytes, steps)
        except DeviceError as error:
            await _blame_changed(error, [artifact])
            raise
        except OSError as error:
            raise _gone_of([artifact], error) from error
        self._count(steps, artifact.size_bytes, moved, 1)

    async def _push_whole(self, artifact: Artifact, there_bytes: int, steps: _Steps) -> int:
        known: list[int] = [there_bytes]  # once: after a lost connection there may be more

        async def upload(agent: Agent) -> int:
            there = known.pop() if known else None
            moved = await agent.upload(artifact, steps.moved, self._supply.source, there)
            if (line_bytes_per_s := agent.uploads.slow.pop(artifact.sha256, None)) is not None:
                rate = f"{line_bytes_per_s / 1e6:.2g} MB/s"
                self.room.note(f"{artifact.name} was compressed on its way: the line takes {rate}")
            return moved

        return await self.room.call(upload, artifact.size_bytes)

    async def _push_changed(self, artifact: Artifact, steps: _Steps) -> int | None:
        """Send what is new in a file of which the device has an older version; None where it has not, or that
        is not what it should be.
        """
        older = await self._supply.older(artifact)
        if not older:
            return None
        lacking = {one.sha256 for one in await self.session.call(_asking(older))}
        older = [one for one in older if one.sha256 not in lacking]
        recipe = await self._supply.recipe(artifact, older) if older else None
        if recipe is None:
            return None
        try:
            return await self.room.call(self._assembly(artifact, recipe, steps), artifact.size_bytes)
        except DeviceError as error:
            if error.cause not in UNMADE:
                raise
            self.room.note(f"{artifact.name} is sent whole: not made of its older version: {error.message}")
            return None

    def _assembly(
        self, artifact: Artifact, recipe: Recipe, steps: _Steps
    ) -> Callable[[Agent], Awaitable[int]]:
        copied_bytes = artifact.size_bytes - recipe.sent_bytes
        moved = lambda count: steps.moved(copied_bytes + count)  # noqa: E731
        return lambda agent: agent.uploads.changed(artifact, recipe, self._supply.source, moved)

    def _count(self, steps: _Steps, size_bytes: int, moved_bytes: int, files: int) -> None:
        self.pushed.bytes += moved_bytes
        self.pushed.files += files
        steps.done(size_bytes)


class _Steps:
    """Progress over the files of a push, which come one after the other."""

    def __init__(self, sent: Sent, total_bytes: int) -> None:
        self._sent = sent
        self._total_bytes = total_bytes
        self._done_bytes = 0

    def moved(self, count: int) -> None:
        self._sent(min(self._done_bytes + count, self._total_bytes), self._total_bytes)

    def done(self, size_bytes: int) -> None:
        self._done_bytes += size_bytes
        self.moved(0)


def _asking(artifacts: Sequence[Artifact]) -> Callable[[Agent], Awaitable[tuple[Missing, ...]]]:
    return lambda agent: agent.have([one.sha256 for one in artifacts])


async def _blame_changed(error: DeviceError, artifacts: Sequence[Artifact]) -> None:
    """Raises another error where the files are why: one is not what was planned with any more."""
    if error.cause not in DAMAGED:
        return
    for artifact in artifacts:
        if await asyncio.to_thread(_was_changed, artifact):
            raise _changed(artifact) from error


def _gone_of(artifacts: Sequence[Artifact], error: OSError) -> DeviceError:
    one = next((one for one in artifacts if str(one.path) == str(error.filename)), artifacts[0])
    return _changed(one, f": {error.strerror or error}")


def _was_changed(artifact: Artifact) -> bool:
    try:
        return sha256_of(artifact.path) != artifact.sha256
    except OSError:
        return True


def _changed(artifact: Artifact, why: str = "") -> DeviceError:
    return gone(f"{artifact.path} was changed or removed after the run was planned{why}")


def gone(message: str) -> DeviceError:
    """A file of the user is not what was planned with any more."""
    return DeviceError(
        message,
        stage=Stage.DEPLOY,
        fault=Fault.USER,
        cause=FILE_CHANGED,
        hint="run the bench again when nobody writes this file",
    )
