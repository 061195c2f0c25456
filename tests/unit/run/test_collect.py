"""What a hostile device may answer when its files are pulled."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.device.spool import FileEntry, Gathered, Stream
from farm.errors import DeviceError
from farm.model.matrix import Round, RoundKind
from farm.options import parse
from farm.run.collect import collect
from farm.store.runs import RunDirectory

ONE = Round(RoundKind.PROFILE, 0, parse(["--profile=p.json"]))


class Device:
    """A device that answers as it likes: `files` are announced, `content` is what comes."""

    def __init__(self, files: tuple[FileEntry, ...], content: dict[str, bytes]) -> None:
        self._files = files
        self._content = content
        self.dropped: list[str] = []

    async def call(self, conversation: Any) -> Any:
        return await conversation(self)

    async def read(self, job: str, path: str, offset: int, count: int) -> bytes:
        return self._content.get(path, b"")[offset : offset + count]

    async def gather(self, job: str, limit_bytes: int) -> Gathered:
        contents = [self._content.get(name, b"") for name in ("stdout", "stderr", "telemetry")]
        stdout, stderr, telemetry = [Stream(data[:limit_bytes], len(data)) for data in contents]
        return Gathered(stdout, stderr, telemetry, self._files)

    async def drop(self, job: str) -> None:
        self.dropped.append(job)


def entry(path: str, data: bytes, *, size_bytes: int | None = None) -> FileEntry:
    return FileEntry(path, hashlib.sha256(data).hexdigest(), len(data) if size_bytes is None else size_bytes)


async def pull(tmp_path: Path, device: Device) -> tuple[RunDirectory, Any]:
    run = RunDirectory.create(tmp_path, "run")
    return run, await collect(device, "job", run, run.cell_path("d", "m", "v", "profile-0"), ONE)  # type: ignore[arg-type]


async def test_a_whole_file_is_kept_under_its_role(tmp_path: Path) -> None:
    data = b"x" * (3 << 20)
    run, pulled = await pull(
        tmp_path, Device((entry("p.json", data),), {"out/p.json": data, "stderr": b"log\n"})
    )
    assert {one.role for one in pulled.artifacts} == {"profile", "stderr"}
    assert all((run.path / one.path).read_bytes() in (data, b"log\n") for one in pulled.artifacts)


@pytest.mark.parametrize(
    ("announced", "content"),
    [(b"what it said", b"another"), (b"longer than it is", b"longer"), (b"short", b"short and more")],
)
async def test_a_damaged_file_is_refused_and_leaves_nothing(
    tmp_path: Path, announced: bytes, content: bytes
) -> None:
    broken = Device((entry("p.json", announced),), {"out/p.json": content})
    if announced == b"short":
        broken = Device((entry("p.json", b"other", size_bytes=5),), {"out/p.json": content})
    with pytest.raises(DeviceError) as caught:
        await pull(tmp_path, broken)
    assert caught.value.cause == "output-refused"
    assert not [path for path in (tmp_path / "run" / "artifacts").rglob("*") if path.is_file()]


async def test_more_files_than_anyone_needs_are_refused(tmp_path: Path) -> None:
    many = tuple(FileEntry(f"f{index}", "0" * 64, 0) for index in range(50_001))
    with pytest.raises(DeviceError, match="50001 files"):
        await pull(tmp_path, Device(many, {}))


async def test_a_stream_longer_than_what_comes_at_once_goes_on_by_offset(tmp_path: Path) -> None:
    content = {"stderr": b"x" * (1 << 20) + b"y" * (2 << 20), "stdout": b"", "telemetry": b"t"}
    device = Device((), content)
    run, pulled = await pull(tmp_path, device)
    assert pulled.stderr.encode() == content["stderr"]
    assert {one.role for one in pulled.artifacts} == {"stderr", "telemetry"}
    assert device.dropped == ["job"]
    assert all((run.path / one.path).read_bytes() == content[one.role] for one in pulled.artifacts)


async def test_a_stream_that_is_shorter_than_announced_is_refused_and_stays_on_the_device(
    tmp_path: Path,
) -> None:
    device = Device((), {"stderr": b"x" * (2 << 20)})
    whole = device.gather

    async def announce_more(job: str, limit_bytes: int) -> Gathered:
        left = await whole(job, limit_bytes)
        return replace(left, stderr=Stream(left.stderr.begin, 3 << 20))

    device.gather = announce_more  # type: ignore[method-assign]
    with pytest.raises(DeviceError, match="stderr"):
        await pull(tmp_path, device)
    assert device.dropped == []
