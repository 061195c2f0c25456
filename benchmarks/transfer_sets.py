"""What `benchmarks.transfer` moves: the sets of files, and how farm moves them."""

from __future__ import annotations

import asyncio
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from farm import agents
from farm.device.disk.room import Room
from farm.device.jobs import start_job, wait_for_job
from farm.device.session import Session
from farm.device.spool import JobSpec
from farm.model.artifact import Artifact
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Round, RoundKind
from farm.model.options import OptionSet
from farm.run.pull.collect import Rules, collect
from farm.run.push.pusher import LEAST_COMPARED_BYTES, Pusher
from farm.run.push.supply import Supply
from farm.sim.device import SimulatedDevice
from farm.store.artifacts import artifact_of
from farm.store.cache.kept import KeptStore
from farm.store.folder import RoundFolder
from farm.transport.ssh import transport_for

LAYER_PART = 0.05
"""Of a model's bytes, those of the layer that changes."""


@dataclass(frozen=True)
class FileSet:
    """Files of one folder, and the same after one layer changed (None: there is no such thing)."""

    name: str
    folder: Path
    changed: Path | None = None

    def artifacts(self, *, is_changed: bool = False) -> list[Artifact]:
        folder = self.changed if is_changed and self.changed else self.folder
        return [artifact_of(path) for path in sorted(folder.iterdir())]

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.folder.iterdir())


def model_set(folder: Path, size_mb: float) -> FileSet:
    """One file of float32 weights as training leaves them, and the same with one layer trained on, two bytes
    longer: all behind it moved.
    """
    weights = np.random.default_rng(1).normal(0, 0.05, int(size_mb * 250_000)).astype("<f4").tobytes()
    begin = int(len(weights) * 0.4)
    end = begin + int(len(weights) * LAYER_PART)
    layer = np.random.default_rng(2).normal(0, 0.05, (end - begin) // 4 + 1).astype("<f4").tobytes()
    before, after = folder / "model", folder / "model-changed"
    for place, content in (
        (before, weights),
        (after, weights[:begin] + layer[: end - begin + 2] + weights[end:]),
    ):
        place.mkdir(parents=True)
        (place / "model.mge").write_bytes(content)
    return FileSet("model", before, after)


def small_set(folder: Path, count: int) -> FileSet:
    """So many files of 1 to 16 KiB, half of which is text."""
    place, drawn = folder / "small", random.Random(3)
    place.mkdir(parents=True)
    for number in range(count):
        size = drawn.randint(1 << 9, 1 << 13)
        (place / f"{number:04}.npy").write_bytes(drawn.randbytes(size) + b"0.125 " * (size // 6))
    return FileSet("small", place)


class Counted:
    """Requests to the agent of a session, while it is open and its connection lives."""

    def __init__(self, session: Session) -> None:
        assert session._agent is not None  # noqa: SLF001
        self._line = session._agent._line  # noqa: SLF001
        self.requests = 0

    def __enter__(self) -> Self:
        call = self._line.call

        async def counted(verb: str, *words: str, **more: Any) -> Any:
            self.requests += 1
            return await call(verb, *words, **more)

        self._line.call = counted  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        del self._line.call


@dataclass(frozen=True)
class Moved:
    """What farm says of one device: bytes of files, requests, and seconds from before the connection was
    made.
    """

    payload_bytes: int
    requests: int
    wall_s: float


class Devices:
    """Simulated devices as farm reaches them; `ports` has those of proxies."""

    def __init__(
        self, running: Sequence[SimulatedDevice], known: Path, kept: KeptStore, ports: Sequence[int] = ()
    ) -> None:
        self._devices = [one.device() for one in running]
        if ports:
            self._devices = [
                replace(one, address=replace(one.address, port=port))
                for one, port in zip(self._devices, ports, strict=True)
            ]
        self._homes = [one.home for one in running]
        self._known = known
        self._kept = kept

    def clear(self) -> None:
        """Nothing that was moved is there any more."""
        for home in self._homes:
            for place in (
                home / "moved",
                *home.glob(".cache/farm/cas/*"),
                *home.glob(".cache/farm/incoming/*"),
            ):
                if place.is_dir():
                    shutil.rmtree(place)
                else:
                    place.unlink(missing_ok=True)

    async def push(self, artifacts: Sequence[Artifact]) -> Moved:
        """To all at once, as a run of its own; large files are kept before, as a run does it."""
        for artifact in artifacts:
            if artifact.size_bytes >= LEAST_COMPARED_BYTES:
                await asyncio.to_thread(self._kept.keep, artifact)
        supply = Supply(self._kept)
        return _all(await asyncio.gather(*(self._push(one, artifacts, supply) for one in self._devices)))

    async def pull(self, source: Path, into: Path) -> Moved:
        """Of all at once, what a round leaves: copies of the files in `source`, made before it is timed."""
        return _all(
            await asyncio.gather(*(self._pull(one, source, into / one.name) for one in self._devices))
        )

    def _session(self, device: Device) -> Session:
        return Session(
            device,
            transport_for(device, known_hosts=self._known),
            agents.agent_script(),
            holder="a benchmark",
            deadlines=Deadlines(),
            note=lambda text: print(f"{device.name}: {text}", file=sys.stderr),
        )

    async def _push(self, device: Device, artifacts: Sequence[Artifact], supply: Supply) -> Moved:
        began = time.monotonic()
        async with self._session(device) as session:
            pusher = Pusher(session, Room(session), supply=supply)
            with Counted(session) as counted:
                await pusher.push(artifacts)
            return Moved(pusher.pushed.bytes, counted.requests, time.monotonic() - began)

    async def _pull(self, device: Device, source: Path, into: Path) -> Moved:
        began = time.monotonic()
        async with self._session(device) as session:
            there_s = time.monotonic() - began
            spec = JobSpec("j", ("/bin/sh", "-c", f"cp {source}/* ."), 300)
            await start_job(session, spec)
            await wait_for_job(session, spec)
            began = time.monotonic()
            (into / "artifacts").mkdir(parents=True)
            one = Round(RoundKind.TIMED, 0, OptionSet())
            with Counted(session) as counted:
                pulled = await collect(session, "j", RoundFolder(into, into / "round"), one, Rules())
            took_s = time.monotonic() - began
            assert not pulled.refused, pulled.refused
            size_bytes = sum(kept.size_bytes for kept in pulled.artifacts)
            await session.call(lambda agent: agent.drop("j"))
            return Moved(size_bytes, counted.requests, there_s + took_s)


def _all(moved: Sequence[Moved]) -> Moved:
    """The most of all devices."""
    return Moved(
        max(one.payload_bytes for one in moved),
        max(one.requests for one in moved),
        max(one.wall_s for one in moved),
    )
