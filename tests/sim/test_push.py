"""Pushing to real SSH servers, over lines that break off, with files that change."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from farm import agents
from farm.device.disk.room import Room
from farm.device.push import compression
from farm.device.push.recipe import Recipe
from farm.device.session import Session
from farm.errors import DeviceError
from farm.model.artifact import Artifact
from farm.model.limits.deadlines import Deadlines
from farm.run.push.pusher import Pusher
from farm.run.push.supply import Supply
from farm.sim.device import SimulatedDevice
from farm.store.artifacts import artifact_of
from farm.store.cache.kept import KeptStore
from farm.transport.ssh import transport_for
from tests.proxy import ChaosProxy

pytestmark = pytest.mark.sshd
SIZE = 20_000_000


class Lab:
    """A device behind a proxy, and what a run pushes to it."""

    def __init__(self, folder: Path, device: SimulatedDevice, proxy: ChaosProxy) -> None:
        self.folder = folder
        self.proxy = proxy
        self.notes: list[str] = []
        self.kept = KeptStore(folder / "kept")
        self.supply = Supply(self.kept)
        self.store = device.home / ".cache" / "farm" / "cas"
        at = device.device()
        self._device = replace(at, address=replace(at.address, port=proxy.port))
        self._known = folder / "known_hosts"
        self._known.write_text(device.known_hosts_line.replace(f":{device.port} ", f":{proxy.port} ") + "\n")

    def file(self, name: str, content: bytes) -> Artifact:
        path = self.folder / "files" / f"{random.Random(content).random()}" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        artifact = artifact_of(path)
        self.kept.keep(artifact)
        return artifact

    @contextlib.asynccontextmanager
    async def pusher(self) -> AsyncIterator[Pusher]:
        session = Session(
            self._device,
            transport_for(self._device, known_hosts=self._known),
            agents.agent_script(),
            holder="a test",
            deadlines=Deadlines(),
            note=self.notes.append,
        )
        async with session:
            yield Pusher(session, Room(session, self.notes.append), supply=self.supply)

    async def push(self, *artifacts: Artifact) -> int:
        """The bytes of files that travelled."""
        async with self.pusher() as pusher:
            await pusher.push(artifacts)
            return pusher.pushed.bytes

    def has(self, artifacts: Sequence[Artifact]) -> bool:
        stored = [self.store / one.sha256[:2] / one.sha256 for one in artifacts]
        return all(
            path.read_bytes() == one.path.read_bytes() for path, one in zip(stored, artifacts, strict=True)
        )


@pytest.fixture
async def lab(tmp_path: Path, devices: Path) -> AsyncIterator[Lab]:
    async with SimulatedDevice("d", folder=devices) as device, ChaosProxy(device.port) as proxy:
        yield Lab(tmp_path, device, proxy)


@pytest.fixture
def old() -> bytes:
    return random.Random(1).randbytes(SIZE)


@pytest.fixture
def new(old: bytes) -> bytes:
    """One layer of it trained on, and two bytes longer."""
    return old[:8_000_000] + random.Random(2).randbytes(1_000_002) + old[9_000_000:]


async def test_a_cut_connection_loses_nothing_of_a_large_file(lab: Lab, old: bytes) -> None:
    artifact = lab.file("model.mge", old)
    async with lab.pusher() as pusher:
        lab.proxy.cut_after_bytes = lab.proxy.bytes_up + lab.proxy.bytes_down + SIZE // 2
        before = lab.proxy.bytes_up
        await pusher.push([artifact])
        assert lab.proxy.connections == 2
        assert lab.proxy.bytes_up - before < 1.3 * SIZE
    assert lab.has([artifact])
    assert "connected again" in lab.notes


async def test_a_cut_connection_loses_nothing_of_small_files(lab: Lab) -> None:
    artifacts = [lab.file(f"{number}", random.Random(number).randbytes(5000)) for number in range(200)]
    async with lab.pusher() as pusher:
        lab.proxy.cut_after_bytes = lab.proxy.bytes_up + lab.proxy.bytes_down + 300_000
        await pusher.push(artifacts)
    assert lab.proxy.connections == 2
    assert lab.has(artifacts)
    assert await lab.push(*artifacts) == 0


async def test_of_a_changed_file_only_what_is_new_travels(lab: Lab, old: bytes, new: bytes) -> None:
    first, second = lab.file("model.mge", old), lab.file("model.mge", new)
    assert await lab.push(first) == SIZE
    before = lab.proxy.bytes_up
    assert await lab.push(second) < 0.1 * SIZE
    assert lab.proxy.bytes_up - before < 0.1 * SIZE
    assert lab.has([first, second])


async def test_a_cut_connection_loses_nothing_of_a_changed_file(lab: Lab, old: bytes, new: bytes) -> None:
    first, second = lab.file("model.mge", old), lab.file("model.mge", new)
    await lab.push(first)
    async with lab.pusher() as pusher:
        lab.proxy.cut_after_bytes = lab.proxy.bytes_up + lab.proxy.bytes_down + 700_000
        connections = lab.proxy.connections
        await pusher.push([second])
        assert lab.proxy.connections == connections + 1
    assert lab.has([second])
    assert not list(lab.store.parent.glob("incoming/*"))


@pytest.mark.parametrize("damage", ["gone", "other"])
async def test_a_file_is_sent_whole_where_its_older_version_went_in_between(
    lab: Lab, old: bytes, new: bytes, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = lab.file("model.mge", old), lab.file("model.mge", new)
    await lab.push(first)
    stored = lab.store / first.sha256[:2] / first.sha256
    compare = lab.supply.recipe

    async def recipe(artifact: Artifact, older: Sequence[Artifact]) -> Recipe | None:
        """The device was asked what it has: then it changes."""
        await asyncio.to_thread(stored.unlink)
        if damage == "other":
            await asyncio.to_thread(stored.write_bytes, bytes(SIZE))
        return await compare(artifact, older)

    monkeypatch.setattr(lab.supply, "recipe", recipe)
    assert await lab.push(second) == second.size_bytes
    assert lab.has([second])
    assert any("is sent whole" in note for note in lab.notes)


async def test_a_version_that_another_run_pushed_is_only_used_where_the_device_has_it(
    lab: Lab, old: bytes, new: bytes
) -> None:
    lab.file("model.mge", old)
    second = lab.file("model.mge", new)
    assert await lab.push(second) == second.size_bytes
    assert lab.has([second])


async def test_a_file_that_changes_after_it_was_planned_fails_with_its_name(lab: Lab, old: bytes) -> None:
    artifacts = [lab.file("one", b"1" * 100), lab.file("two", b"2" * 100)]
    artifacts[1].path.write_bytes(b"3" * 100)
    with pytest.raises(DeviceError, match="two was changed or removed") as error:
        await lab.push(*artifacts)
    assert error.value.cause == "file-changed"
    artifacts[1].path.unlink()
    with pytest.raises(DeviceError, match="two was changed or removed"):
        await lab.push(*artifacts)
    large = lab.file("large", old)
    large.path.write_bytes(old[:-1])
    with pytest.raises(DeviceError, match="large was changed or removed"):
        await lab.push(large)


async def test_a_slow_line_gets_a_file_compressed(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as slow depends on how busy this machine is: here every line does."""
    monkeypatch.setattr(compression, "TIMES_FASTER", 0)
    drawn = random.Random(3)
    words = [drawn.randbytes(6).hex() for _ in range(500)]
    text = " ".join(drawn.choices(words, k=2_600_000)).encode()
    artifact, before = lab.file("text.npy", text), lab.proxy.bytes_up
    sent = await lab.push(artifact)
    assert sent < 0.9 * artifact.size_bytes
    assert lab.proxy.bytes_up - before < 1.1 * sent
    assert any("text.npy was compressed on its way: the line takes" in note for note in lab.notes)
    assert lab.has([artifact])


async def test_what_cannot_be_compressed_travels_as_it_is(
    lab: Lab, old: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compression, "TIMES_FASTER", 0)
    artifact = lab.file("model.mge", old)
    assert await lab.push(artifact) == artifact.size_bytes
    assert lab.has([artifact])


async def test_a_file_is_read_once_for_all_devices(tmp_path: Path, devices: Path, old: bytes) -> None:
    async with contextlib.AsyncExitStack() as stack:
        labs = []
        for name in ("a", "b", "c"):
            device = await stack.enter_async_context(SimulatedDevice(name, folder=devices))
            proxy = await stack.enter_async_context(ChaosProxy(device.port))
            (tmp_path / name).mkdir()
            labs.append(Lab(tmp_path / name, device, proxy))
        artifact, supply = labs[0].file("model.mge", old), labs[0].supply
        for lab in labs:
            lab.supply = supply
        await asyncio.gather(*(lab.push(artifact) for lab in labs))
        assert all(lab.has([artifact]) for lab in labs)
        assert supply.source.read_bytes == SIZE
