"""What a hostile device may answer when its files are pulled."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.device.spool import FileEntry, Gathered, Stream
from farm.errors import DeviceError, Fault, Stage
from farm.model.matrix import Round, RoundKind
from farm.options import parse
from farm.run.pull.collect import (
    BLOCK_BYTES,
    MOST_ASKED,
    MOST_NOTES,
    Allowance,
    Limits,
    Pulled,
    Rules,
    collect,
)
from farm.run.pull.keeping import Announced, in_batches
from farm.run.pull.together import MOST_BYTES, MOST_FILES, SMALL_BYTES
from farm.store.runs import RunDirectory

EMPTY = hashlib.sha256(b"").hexdigest()
ONE = Round(RoundKind.PROFILE, 0, parse(["--profile=p.json"]))


class Device:
    """A device that answers as it likes: `files` are announced, `content` is what comes."""

    def __init__(self, files: tuple[FileEntry, ...], content: dict[str, bytes]) -> None:
        self._files = files
        self.content = content
        self.dropped: list[str] = []
        self.picked: list[int] = []
        """Of how many files at once."""

    async def call(self, conversation: Any) -> Any:
        return await conversation(self)

    async def read(self, job: str, path: str, offset: int, count: int) -> bytes:
        return self.content.get(path, b"")[offset : offset + count]

    async def pick(self, job: str, paths: list[str], size_bytes: int) -> bytes:
        self.picked.append(len(paths))
        return b"".join(self.content.get(path, b"") for path in paths)[:size_bytes].ljust(size_bytes, b"\0")

    async def gather(self, job: str, limit_bytes: int) -> Gathered:
        contents = [self.content.get(name, b"") for name in ("stdout", "stderr", "telemetry")]
        stdout, stderr, telemetry = [Stream(data[:limit_bytes], len(data)) for data in contents]
        return Gathered(stdout, stderr, telemetry, self._files)

    async def drop(self, job: str) -> None:
        self.dropped.append(job)


def entry(path: str, data: bytes, *, size_bytes: int | None = None) -> FileEntry:
    return FileEntry(path, hashlib.sha256(data).hexdigest(), len(data) if size_bytes is None else size_bytes)


async def pull(tmp_path: Path, device: Device, rules: Rules | None = None) -> tuple[RunDirectory, Any]:
    run = RunDirectory.create(tmp_path, "run")
    folder = run.round_folder("d", "m", "v", "profile-0")
    return run, await collect(device, "job", folder, ONE, rules or Rules())  # type: ignore[arg-type]


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
    broken = Device(
        (entry("p.json", announced), entry("other", b"whole")), {"out/p.json": content, "out/other": b"whole"}
    )
    if announced == b"short":
        broken = Device((entry("p.json", b"other", size_bytes=5), entry("other", b"whole")), broken.content)
    run, pulled = await pull(tmp_path, broken)
    assert [(one.role, "damaged" in one.why) for one in pulled.refused] == [("profile", True)]
    assert pulled.paths == {"other"}  # the files after it are kept
    assert [path.read_bytes() for path in (run.path / "artifacts").rglob("*") if path.is_file()] == [b"whole"]
    assert broken.dropped == []  # until it is on disk here


HUGE = 10**17


@pytest.mark.parametrize(
    ("entries", "why"),
    [
        ((FileEntry("", "0" * 64, 1),), "it has no name"),
        ((FileEntry("x/", "0" * 64, 0),), "it has no name"),
        ((FileEntry("huge", "0" * 64, HUGE),), "more than 1,073,741,824 in a file"),
        ((FileEntry("/".join("abcdefghijklmnopqr"), EMPTY, 0),), "folders"),
        ((FileEntry("a", EMPTY, 0), FileEntry("a/b", EMPTY, 0)), "no file can be called so"),
        ((FileEntry("a/b", EMPTY, 0), FileEntry("a", EMPTY, 0)), "no file can be called so"),
        ((FileEntry("a", EMPTY, 0), FileEntry("a", EMPTY, 0)), "names it twice"),
        ((FileEntry("a", EMPTY, 0), FileEntry("./a", EMPTY, 0)), "names it twice"),
    ],
)
async def test_a_bad_name_or_size_is_a_note_on_its_round_and_no_other_file_is_lost(
    tmp_path: Path, entries: tuple[FileEntry, ...], why: str
) -> None:
    device = Device((*entries, entry("p.json", b"{}")), {"out/p.json": b"{}", "stderr": b"log\n"})
    _, pulled = await pull(tmp_path, device)
    (refused,) = pulled.refused
    assert why in refused.why
    assert (pulled.logs["stderr"].read_text(), "p.json" in pulled.paths) == ("log\n", True)
    (note,) = pulled.notes
    assert why in note


@pytest.mark.parametrize("name", ["stdout.txt", "stdout.txt/x", "out", "telemetry.txt"])
async def test_no_name_takes_the_place_of_a_log(tmp_path: Path, name: str) -> None:
    device = Device((entry(name, b"mine"),), {f"out/{name}": b"mine", "stdout": b"log\n", "telemetry": b"t"})
    run, pulled = await pull(tmp_path, device)
    assert pulled.refused == ()
    kept = {one.role: (run.path / one.path).read_bytes() for one in pulled.artifacts}
    assert kept == {"stdout": b"log\n", "telemetry": b"t", "file": b"mine"}


async def test_a_name_that_is_not_utf8_is_kept_under_one_that_can_be_written(tmp_path: Path) -> None:
    name = b"caf\xe9.txt".decode("utf-8", "surrogateescape")
    run, pulled = await pull(tmp_path, Device((entry(name, b"x"),), {f"out/{name}": b"x"}))
    (kept,) = pulled.artifacts
    kept.path.encode()
    assert (run.path / kept.path).read_bytes() == b"x"


@pytest.mark.parametrize("limits", [Limits(files=3, round_bytes=25), Limits(files=2)], ids=["bytes", "files"])
async def test_more_files_or_bytes_than_anyone_needs_are_left_behind_with_one_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits
) -> None:
    monkeypatch.setattr("farm.run.pull.collect.LIMITS", limits)
    contents = {f"out/f{index}": bytes([index]) * 10 for index in range(20)}
    files = tuple(entry(name.removeprefix("out/"), data) for name, data in contents.items())
    _, pulled = await pull(tmp_path, Device(files, contents))
    assert pulled.paths == {"f0", "f1"}
    assert len(pulled.refused) == 18
    assert len(pulled.notes) == MOST_NOTES + 1
    assert "13 more" in pulled.notes[-1]


async def test_a_device_sends_no_more_in_all_its_rounds_than_a_run_may_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.run.pull.collect.LIMITS", Limits(device_bytes=25))
    rules = Rules(allowance=Allowance())
    run = RunDirectory.create(tmp_path, "run")

    async def round_of(number: int, data: bytes, log: bytes = b"") -> Pulled:
        device = Device((entry("f", data),), {"out/f": data, "stderr": log})
        folder = run.round_folder("d", "m", "v", f"timed-{number}")
        return await collect(device, "job", folder, ONE, rules)  # type: ignore[arg-type]

    first, second = await round_of(1, b"1" * 10), await round_of(2, b"2" * 10)
    again = await round_of(3, b"1" * 10)  # it is here already: nothing is sent
    late = await round_of(4, b"4" * 10, b"log\n")
    later = await round_of(5, b"5", b"more\n")
    assert [one.paths for one in (first, second, again, late)] == [{"f"}, {"f"}, {"f"}, frozenset()]
    assert late.logs["stderr"].read_text() == "log\n"
    (note,) = late.notes
    assert note.startswith("not kept: f: more than 25 bytes of one device in a run; run fewer")
    assert [one.role for one in later.refused] == ["stderr"]  # and what fits still comes
    kept = [path for path in (run.path / "artifacts").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in kept) <= 25
    assert (await pull(tmp_path / "other", Device((entry("f", b"x" * 20),), {"out/f": b"x" * 20})))[1].paths


async def test_a_secret_is_in_no_log_that_is_kept(tmp_path: Path) -> None:
    device = Device((), {"stdout": b"token=hush-hush\n"})
    run = RunDirectory.create(tmp_path, "run")
    folder = run.round_folder("d", "m", "v", "profile-0")
    hide: Callable[[bytes], bytes] = lambda log: log.replace(b"hush-hush", b"***")  # noqa: E731
    pulled = await collect(device, "job", folder, ONE, Rules(hide=hide))  # type: ignore[arg-type]
    assert pulled.logs["stdout"].read_text() == "token=***\n"
    kept = [path for path in run.path.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
    assert kept == []
    (stdout,) = pulled.artifacts
    assert stdout.sha256 == hashlib.sha256(b"token=***\n").hexdigest()


async def test_a_stream_longer_than_what_comes_at_once_goes_on_by_offset(tmp_path: Path) -> None:
    content = {"stderr": b"x" * (1 << 20) + b"y" * (2 << 20), "stdout": b"", "telemetry": b"t"}
    device = Device((), content)
    run, pulled = await pull(tmp_path, device)
    assert pulled.logs["stderr"].read_bytes() == content["stderr"]
    assert {one.role for one in pulled.artifacts} == {"stderr", "telemetry"}
    assert device.dropped == []
    assert all((run.path / one.path).read_bytes() == content[one.role] for one in pulled.artifacts)


async def test_a_stream_that_is_shorter_than_announced_is_refused(tmp_path: Path) -> None:
    device = Device((), {"stderr": b"x" * (2 << 20)})
    whole = device.gather

    async def announce_more(job: str, limit_bytes: int) -> Gathered:
        left = await whole(job, limit_bytes)
        return replace(left, stderr=Stream(left.stderr.begin, 3 << 20))

    device.gather = announce_more  # type: ignore[method-assign]
    _, pulled = await pull(tmp_path, device)
    assert [one.role for one in pulled.refused] == ["stderr"]


async def test_a_log_over_the_limit_is_cut_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.run.pull.collect.LIMITS", Limits(log_bytes=2 << 20))
    _, pulled = await pull(tmp_path, Device((), {"stderr": b"x" * (3 << 20)}))
    assert pulled.logs["stderr"].stat().st_size == 2 << 20
    (note,) = pulled.notes
    assert "stderr after its first 2 MiB" in note


async def test_a_device_that_sends_byte_by_byte_is_asked_once(tmp_path: Path) -> None:
    """A file of a job that has ended comes in whole blocks: what comes in less has ended, whatever was announced."""
    data = b"x" * 1000
    device = Device((entry("p.json", data),), {"out/p.json": data})
    asked = 0

    async def drip(job: str, path: str, offset: int, count: int) -> bytes:
        nonlocal asked
        asked += 1
        return b"x"

    device.read = drip  # type: ignore[method-assign]
    _, pulled = await pull(tmp_path, device)
    assert asked == 1
    assert pulled.notes == ("not kept: p.json: it changed while it was pulled, or arrived damaged",)


class Slow(Device):
    """Answers when so many were asked as are asked at once, and then from the last to the first; the second
    block is lost where `is_lost`.
    """

    most = 0
    waiting = 0
    is_lost = False

    async def read(self, job: str, path: str, offset: int, count: int) -> bytes:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        for _ in range(20 - offset // BLOCK_BYTES):
            await asyncio.sleep(0)
        self.waiting -= 1
        if self.is_lost and offset == BLOCK_BYTES:
            raise DeviceError("gone", stage=Stage.CONNECT, fault=Fault.NETWORK, cause="connection-lost")
        return await super().read(job, path, offset, count)


async def test_blocks_are_asked_for_ahead_and_kept_in_their_order(tmp_path: Path) -> None:
    data = b"".join(bytes([number]) * BLOCK_BYTES for number in range(7)) + b"end"
    device = Slow((entry("p.json", data),), {"out/p.json": data})
    run, pulled = await pull(tmp_path, device)
    (kept,) = pulled.artifacts
    assert (run.path / kept.path).read_bytes() == data
    assert device.most == MOST_ASKED


async def test_a_block_that_is_lost_for_good_ends_all_that_were_asked_for(tmp_path: Path) -> None:
    data = bytes(9 * BLOCK_BYTES)
    device = Slow((entry("p.json", data),), {"out/p.json": data})
    device.is_lost = True
    before = asyncio.all_tasks()
    with pytest.raises(DeviceError, match="gone"):
        await pull(tmp_path, device)
    assert asyncio.all_tasks() == before
    assert not [path for path in (tmp_path / "run" / "artifacts").rglob("*") if path.is_file()]


async def test_small_files_come_together_and_equal_ones_once(tmp_path: Path) -> None:
    contents = {f"dump/{number:04}": f"{number // 2}".encode() * 9 for number in range(500)}
    device = Device(
        tuple(entry(path, data) for path, data in contents.items()),
        {f"out/{path}": data for path, data in contents.items()},
    )
    run, pulled = await pull(tmp_path, device)
    assert pulled.notes == ()
    kept = {one.path.partition("/out/")[2]: (run.path / one.path).read_bytes() for one in pulled.artifacts}
    assert kept == contents
    assert device.picked == [200, 50]


def test_no_more_of_them_is_in_memory_at_once_than_of_a_call() -> None:
    sizes = [SMALL_BYTES] * 100 + [0] * 500 + [HUGE] + [SMALL_BYTES] * 3
    files = [Announced(FileEntry(f"{n}", EMPTY, size), "file") for n, size in enumerate(sizes)]
    batches = list(in_batches(files))
    assert [one for batch in batches for one in batch] == files
    assert all(len(batch) <= MOST_FILES for batch in batches)
    most = MOST_BYTES // SMALL_BYTES
    assert [sum(one.entry.size_bytes == SMALL_BYTES for one in batch) for batch in batches[:6]] == [most] * 6
    assert len(batches) == 7 + 2


async def test_one_that_changed_meanwhile_takes_no_other_of_its_call_with_it(tmp_path: Path) -> None:
    contents = {f"{number}": f"content of {number}".encode() for number in range(9)}
    device = Device(
        tuple(entry(path, data) for path, data in contents.items()),
        {f"out/{path}": data for path, data in contents.items()} | {"out/3": b"longer than it was told"},
    )
    _, pulled = await pull(tmp_path, device)
    assert pulled.paths == contents.keys() - {"3"}
    assert pulled.notes == ("not kept: 3: it changed while it was pulled, or arrived damaged",)


async def test_where_one_of_many_is_gone_the_others_are_read_alone(tmp_path: Path) -> None:
    contents = {f"{number}": f"content of {number}".encode() for number in range(9)}
    device = Device(
        tuple(entry(path, data) for path, data in contents.items()),
        {f"out/{path}": data for path, data in contents.items()},
    )

    async def gone(job: str, paths: list[str], size_bytes: int) -> bytes:
        raise DeviceError("not there", stage=Stage.DEPLOY, fault=Fault.DEVICE, cause="missing")

    device.pick = gone  # type: ignore[method-assign]
    _, pulled = await pull(tmp_path, device)
    assert pulled.paths == contents.keys()


async def test_a_device_that_is_lost_among_small_files_leaves_no_call_behind(tmp_path: Path) -> None:
    contents = {f"{number:04}": f"content of {number}".encode() for number in range(500)}
    device = Device(tuple(entry(path, data) for path, data in contents.items()), {})

    async def lost(job: str, paths: list[str], size_bytes: int) -> bytes:
        if "out/0000" not in paths:
            await asyncio.Event().wait()
        raise DeviceError("gone", stage=Stage.CONNECT, fault=Fault.NETWORK, cause="connection-lost")

    device.pick = lost  # type: ignore[method-assign]
    before = asyncio.all_tasks()
    with pytest.raises(DeviceError, match="gone"):
        await pull(tmp_path, device)
    assert asyncio.all_tasks() == before


async def test_what_was_asked_for_ahead_and_is_refused_leaves_no_call_behind(tmp_path: Path) -> None:
    deep = "/".join("abcdefghijklmnopqr")
    names = [f"{deep}/{number}" if 200 <= number < 400 else f"{number}" for number in range(600)]
    contents = {name: f"content of {name}".encode() for name in names}
    device = Device(
        tuple(entry(path, data) for path, data in contents.items()),
        {f"out/{path}": data for path, data in contents.items()},
    )
    pick, asked = device.pick, list[object]()

    async def hang_for_deep_ones(job: str, paths: list[str], size_bytes: int) -> bytes:
        if deep in paths[0]:
            asked.append(asyncio.current_task())  # it would be gone with its last reference
            await asyncio.Event().wait()
        return await pick(job, paths, size_bytes)

    device.pick = hang_for_deep_ones  # type: ignore[method-assign]
    before = asyncio.all_tasks()
    _, pulled = await pull(tmp_path, device)
    assert asyncio.all_tasks() == before
    assert pulled.paths == {name for name in names if deep not in name}
    assert device.picked == [200, 200]
