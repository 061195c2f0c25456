"""A device with a small disk: what a run removes to make room, and what never goes."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from farm import agents
from farm.cli.devices.clean import command as clean_command
from farm.device.disk.room import Room
from farm.device.session import Session
from farm.errors import DeviceError, RequestError
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Facts, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.model.limits.disk import Portion, StoreLimits
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.run.deploy import Deployed, Part, deploy, own_files_of
from farm.run.devices.check import check_devices
from farm.run.devices.clean import Cleaned, Cleaning, clean_devices
from farm.run.push.pusher import Pusher
from farm.store.artifacts import artifact_of
from farm.transport.pool import open_transports
from tests.e2e.conftest import LOOKALIKE, Farm
from tests.e2e.conftest import Lab as ProcessLab
from tests.forked import Forks
from tests.servers import LoopbackFarm, known_hosts, sshd
from tests.unit.plans import plan_of

MB = 1_000_000


@contextlib.contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A working directory on a disk of 4 MiB."""
    with small_disk(tmp_path / "work", "4m"):
        yield tmp_path / "work"


class Lab:
    """One device, this machine, and the files that are made for it."""

    def __init__(self, folder: Path, workdir: Path, limits: StoreLimits = StoreLimits()) -> None:  # noqa: B008
        self.folder = folder
        self.workdir = workdir
        self.limits = limits
        self.notes: list[str] = []

    def device(self, program: Path | None = None) -> Device:
        runtime = Runtime(RuntimeKind.NATIVE, program=str(program))
        return Device("here", Address("local"), runtime, workdir=str(self.workdir), store=self.limits)

    def file(self, name: str, size_bytes: int) -> Path:
        path = self.folder / name
        path.write_bytes(random.Random(name).randbytes(size_bytes))
        return path

    @contextlib.asynccontextmanager
    async def session(self, device: Device | None = None) -> AsyncIterator[Session]:
        device = device or self.device()
        async with (
            open_transports([device], known_hosts=self.folder / "known_hosts") as transports,
            Session(
                device,
                transports.to(device),
                agents.agent_script(),
                holder="a test",
                deadlines=Deadlines(),
                note=self.notes.append,
            ) as session,
        ):
            yield session

    async def deploy(
        self,
        build: Path,
        model: Artifact,
        facts: Facts = Facts(),  # noqa: B008 - frozen
    ) -> tuple[Deployed, Pusher]:
        """As a bench does, of one cell."""
        device = self.device(build)
        plan = plan_of([device], [Model("m", model)], [Variant("v", OptionSet())])
        async with self.session(device) as session:
            pusher = Pusher(session, Room(session, self.notes.append))
            parts = {device.runtime: Part(await own_files_of(device.runtime))}
            return await deploy(pusher, plan.cells, facts, None, parts), pusher

    def kept(self) -> set[str]:
        """Digests of the whole files in the store."""
        return {path.name for path in self.workdir.glob("cas/*/*")}


def program_of(deployed: Deployed) -> Path:
    """The only one, on the device."""
    (program,) = deployed.programs.values()
    return Path(program.argv[0])


async def test_each_night_has_room_for_its_build_and_earlier_ones_go(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path, small)
    model = artifact_of(lab.file("model.mge", MB // 10))
    builds = [artifact_of(lab.file(f"build-{night}", MB)) for night in range(5)]
    removed = []
    for night, build in enumerate(builds):
        deployed, pusher = await lab.deploy(build.path, model)
        assert program_of(deployed).read_bytes() == build.path.read_bytes()
        assert lab.kept() == {model.sha256, build.sha256}, "half of 4 MiB has room for one build"
        assert pusher.pushed.bytes == MB + (MB // 10 if night == 0 else 0)
        removed.append((pusher.room.freed.files, len(list(small.glob("trees/native-*")))))
    assert removed == [(0, 1), *[(1, 1)] * 4]
    assert sum("removed 1 files" in note for note in lab.notes) == 4


async def test_within_the_share_earlier_builds_stay(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path, small, StoreLimits(share=Portion(60)))
    model = artifact_of(lab.file("model.mge", 1000))
    builds = [artifact_of(lab.file(f"build-{night}", MB)) for night in range(3)]
    for build in builds:
        await lab.deploy(build.path, model)
    assert lab.kept() == {model.sha256, builds[1].sha256, builds[2].sha256}


@pytest.mark.parametrize(
    ("free_bytes", "stays"),
    [(3 * MB, True), (MB // 20, False), (None, False)],
    ids=["enough", "none", "unknown"],
)
async def test_where_nothing_is_to_be_pushed_room_is_made_for_the_reserve_alone(
    tmp_path: Path, small: Path, free_bytes: int | None, stays: bool
) -> None:
    lab = Lab(tmp_path, small, StoreLimits(share=Portion(100)))
    model, old = artifact_of(lab.file("model.mge", 1000)), artifact_of(lab.file("old", MB))
    build = artifact_of(lab.file("build", MB))
    await lab.deploy(old.path, model)
    await lab.deploy(build.path, model)
    lab.limits = StoreLimits(share=Portion(30))
    facts = Facts(disk_bytes=4 * MB, disk_free_bytes=free_bytes)
    await lab.deploy(build.path, model, facts)
    assert (old.sha256 in lab.kept()) is stays
    new = artifact_of(lab.file("new", 1000))
    await lab.deploy(new.path, model, facts)
    assert old.sha256 not in lab.kept()


async def test_what_can_never_fit_is_refused_before_anything_is_pushed_or_removed(
    tmp_path: Path, small: Path
) -> None:
    lab = Lab(tmp_path, small)
    model = artifact_of(lab.file("model.mge", 1000))
    first = artifact_of(lab.file("first", MB))
    await lab.deploy(first.path, model)
    with pytest.raises(DeviceError) as refused:
        await lab.deploy(lab.file("large", 5 * MB), model)
    assert (refused.value.cause, refused.value.stage) == ("disk-full", "deploy")
    assert "5.0 MB are to be pushed" in refused.value.message
    assert "MB are free" in refused.value.message
    assert "workdir" in (refused.value.hint or "")
    assert lab.kept() == {model.sha256, first.sha256}
    assert list(small.glob("incoming/*")) == []


async def test_what_goes_into_the_reserve_is_refused_with_the_setting(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path, small, StoreLimits(reserve=Portion(50)))
    build, model = lab.file("build", 3 * MB), artifact_of(lab.file("model.mge", 1000))
    with pytest.raises(DeviceError, match=r"2\.1 MB stay in reserve") as refused:
        await lab.deploy(build, model)
    assert "store: {reserve: 0}" in (refused.value.hint or "")
    lab.limits = StoreLimits(reserve=Portion(most_bytes=0))
    await lab.deploy(build, model)


async def test_a_disk_that_is_full_in_an_upload_is_cleaned_and_the_upload_done_once_more(
    tmp_path: Path, small: Path
) -> None:
    lab = Lab(tmp_path, small, StoreLimits(reserve=Portion(most_bytes=0)))
    old, needed, new = (artifact_of(lab.file(name, MB)) for name in ("old", "needed", "new"))
    async with lab.session() as session:
        await Pusher(session, Room(session)).push([old])
    async with lab.session() as session:
        room = Room(session, lab.notes.append)
        await Pusher(session, room).push([needed])
        (small / "ballast").write_bytes(bytes(3 * MB // 2))  # another program's, since farm looked
        await Pusher(session, room).push([new])
        assert lab.kept() == {needed.sha256, new.sha256}
        assert any("disk is full" in note for note in lab.notes)
        assert room.freed.files == 1
        last = artifact_of(lab.file("last", MB))
        with pytest.raises(DeviceError, match="could be removed") as refused:
            await Pusher(session, room).push([last])
    assert refused.value.cause == "disk-full"
    assert lab.kept() == {needed.sha256, new.sha256}


async def test_a_disk_that_farm_filled_to_the_last_byte_takes_agent_lease_and_build(
    tmp_path: Path, small: Path
) -> None:
    """As an earlier version did, whose agent is there, and which knew no limit but 8 GiB."""
    lab = Lab(tmp_path, small)
    model = artifact_of(lab.file("model.mge", 1000))
    await lab.deploy(lab.file("first", 1000), model)
    (script,) = small.glob("agents/*.sh")
    script.rename(script.with_name(f"{'0' * 64}.sh"))
    filler = small / "cas" / "ab" / ("ab" * 32)
    filler.parent.mkdir(exist_ok=True)
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as stream:
        while stream.write(bytes(4096)):
            pass
    assert shutil.disk_usage(small).free == 0
    build = lab.file("second", MB)
    deployed, _ = await lab.deploy(build, model)
    assert program_of(deployed).read_bytes() == build.read_bytes()
    assert not filler.exists()


def cleaning(lab: Lab, keep: Portion = Portion(most_bytes=0), *, remove: bool = False) -> Cleaning:  # noqa: B008
    return Cleaning("ann", keep, remove, Deadlines(), lambda _, text: lab.notes.append(text))


async def clean(lab: Lab, what: Cleaning) -> Cleaned:
    (one,) = await clean_devices([lab.device()], lab.folder / "known_hosts", what)
    return one


async def test_a_cleaning_shows_first_what_it_removes_then_and_what_that_frees(
    tmp_path: Path, small: Path
) -> None:
    lab = Lab(tmp_path, small)
    model, build = artifact_of(lab.file("model.mge", 1000)), lab.file("build", MB)
    await lab.deploy(build, model)
    before = lab.kept()
    shown = await clean(lab, cleaning(lab))
    assert lab.kept() == before
    assert shown.left_bytes is None
    sizes = {file.name: file.size_bytes for file in shown.files}
    assert sizes == {"m.mge": 4096, "load_and_run": 1_003_520}
    done = await clean(lab, cleaning(lab, remove=True))
    assert done.gone == shown.gone
    assert done.freed_bytes == shown.freed_bytes == shown.held_bytes == 1_007_616
    assert done.left_bytes - done.free_bytes >= done.freed_bytes
    assert lab.kept() == set()
    assert list(small.glob("trees/*")) == []
    assert (await clean(lab, cleaning(lab, remove=True))).gone == ()
    await lab.deploy(build, model)
    assert lab.kept() == before


async def test_a_cleaning_keeps_what_was_used_last_where_it_is_told_to(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path, small, StoreLimits(share=Portion(100)))
    model = artifact_of(lab.file("model.mge", 1000))
    builds = [artifact_of(lab.file(f"build-{night}", MB)) for night in range(2)]
    for build in builds:
        await lab.deploy(build.path, model)
    await clean(lab, cleaning(lab, Portion(percent=30), remove=True))
    assert lab.kept() == {model.sha256, builds[1].sha256}


async def test_nothing_is_cleaned_on_a_device_that_somebody_else_holds(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path, small)
    await lab.deploy(lab.file("build", 1000), artifact_of(lab.file("model.mge", 1000)))
    before = lab.kept()
    async with lab.session():
        for remove in (False, True):
            refused = await clean(lab, cleaning(lab, remove=remove))
            assert refused.stage == "lease"
            assert "held by a test" in (refused.error or "")
            assert "--wait" in (refused.hint or "")
    assert lab.kept() == before


async def test_a_check_shows_the_disk_and_warns_when_it_is_nearly_full(tmp_path: Path, small: Path) -> None:
    lab = Lab(tmp_path, small)
    for ballast, warnings in ((0, 0), (7 * MB // 2, 0), (4 * MB, 1)):
        (small / "ballast").write_bytes(bytes(ballast))
        (checked,) = await check_devices([lab.device()], tmp_path / "known_hosts")
        assert checked.facts is not None
        assert checked.facts.disk_bytes == 4 << 20
        assert len(checked.warnings) == warnings
    assert "nearly full" in checked.warnings[0]
    assert "farm devices clean here" in checked.warnings[0]


def test_clean_changes_nothing_without_yes(farm: Farm, tmp_path: Path) -> None:
    kept = tmp_path / "home" / ".cache" / "farm" / "cas" / "ab" / ("ab" * 32)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(bytes(200_000))
    shown = farm("devices", "clean", "local")
    assert shown.code == 0, shown.stderr
    assert "abababababab" in shown.stdout
    assert "--yes" in shown.stderr
    assert kept.exists()
    (done,) = json.loads(farm("devices", "clean", "local", "--yes", "--json").stdout)
    assert (done["removed"], done["freed_bytes"]) == (True, pytest.approx(200_000, rel=0.05))
    assert not kept.exists()


def test_an_amount_to_keep_that_is_none_is_refused() -> None:
    with pytest.raises(RequestError, match="25%"):
        clean_command("local", keep="half")


@pytest.mark.long
@pytest.mark.sshd
@pytest.mark.timeout(1800)
def test_twelve_nights_of_a_new_build_of_60_mb_run_on_a_disk_of_230_mb(tmp_path: Path, forks: Forks) -> None:
    with sshd(tmp_path / "device") as server, small_disk(server.home / ".cache", "230000000"):
        servers = LoopbackFarm({"one": server}, known_hosts(tmp_path / "known_hosts", server))
        lab = ProcessLab(tmp_path, servers, forks)
        for night in range(12):
            build = tmp_path / "builds" / str(night)
            build.parent.mkdir(exist_ok=True)
            program = LOOKALIKE.read_bytes() + b"\nexit 0\n"
            build.write_bytes(program + random.Random(night).randbytes(60 * MB))
            build.chmod(0o755)
            lab.write({"kind": "native", "program": str(build)})
            done = lab.farm("bench", "--model", "bundled:tiny", "--rounds", "1", "--iter", "2", "--json")
            assert done.code == 0, done.stderr
            (device,) = done.results["devices"]
            usage = shutil.disk_usage(server.home / ".cache")
            builds = [path for path in server.home.glob(".cache/farm/cas/*/*") if path.stat().st_size > MB]
            print(f"night {night + 1}: pushed {device['pushed_bytes']:,}, removed {device['removed_bytes']:,} bytes; "
                  f"kept {len(builds)} builds, {usage.free:,} bytes free")  # fmt: skip
            assert len(builds) == 1
            assert device["removed_files"] == (1 if night else 0)
            build.unlink()
