"""Packs made here and rebuilt by agents/wheel/unpack.py, with the demo wheel and with the real one."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import lzma
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from farm import agents, resources
from farm.errors import RunError
from farm.files import sha256_of
from farm.runtime import compact, install
from farm.runtime.files import wheel_files
from farm.runtime.wheel import WHEEL
from tests.runtime.conftest import pythons

LIMIT_ON_DEVICE_BYTES = 450_000_000
LIMIT_OF_PACK_BYTES = 40_000_000


def quiet(*_: object) -> None:
    pass


def unpack(pack: Path, store: Path, *options: str, python: str = sys.executable, **environment: str):
    store.mkdir(exist_ok=True)
    command = (python, "-B", str(agents.unpack_script().path), str(pack), str(store), *options)
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"], **environment}
    )


def stored(store: Path) -> dict[str, Path]:
    return {path.name: path for path in store.rglob("*") if path.is_file()}


def disk_bytes(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*"))


@pytest.fixture
def demo(demo_wheel, tmp_path) -> install.InstalledRuntime:
    return install.install(quiet, wheel=demo_wheel[0], root=tmp_path / "root", pinned=demo_wheel[1])


@pytest.fixture(scope="session")
def shared_demo(demo_wheel, tmp_path_factory) -> install.InstalledRuntime:
    """For tests that only read it: making a pack takes a second."""
    root = tmp_path_factory.mktemp("demo") / "root"
    return install.install(quiet, wheel=demo_wheel[0], root=root, pinned=demo_wheel[1])


@pytest.fixture(scope="session", params=[compact.cpu_pack, compact.full_pack], ids=["xz", "zlib"])
def demo_pack(request, shared_demo, demo_wheel) -> compact.Pack:
    """Of several streams, as the real ones are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "PART_BYTES", 1_000_000)
        return request.param(shared_demo, quiet, wheel=demo_wheel[1])


@pytest.mark.parametrize("python", pythons())
def test_a_pack_becomes_the_same_files_with_holes_for_zeros(shared_demo, demo_pack, tmp_path, python):
    done = unpack(demo_pack.artifact.path, tmp_path / "store", python=python)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{sha256} {size} made {name}" for name, sha256, size in demo_pack.files
    ]
    found = stored(tmp_path / "store")
    assert {name: sha256_of(path) for name, path in found.items()} == {
        sha256: sha256 for _, sha256, _ in demo_pack.files
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in found.values()} == {0o444}
    assert {path.parent.name for path in found.values()} == {name[:2] for name in found}
    large = found[shared_demo.libraries[0].sha256]
    assert large.stat().st_blocks * 512 < large.stat().st_size - 900_000


def test_a_pack_is_made_once_and_named_by_its_digest(demo, demo_wheel):
    finished = []

    def progress(_: str, done: int, total: int | None) -> None:
        finished.extend([done] if done == total else [])

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: compact.cpu_pack(demo, progress, wheel=demo_wheel[1]), range(2))
    assert first == second
    assert len(finished) == 1
    assert sha256_of(first.artifact.path) == first.artifact.sha256
    assert len(list(demo.root.glob("*.pack"))) == 1


async def test_who_does_not_wait_for_a_pack_any_more_stops_its_making(demo, demo_wheel):
    loop, begun, go = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def progress(*_: object) -> None:
        loop.call_soon_threadsafe(begun.set)
        go.wait()

    packing = asyncio.ensure_future(wheel_files(demo, progress, wheel=demo_wheel[1]).cpu_pack())
    await begun.wait()
    packing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await packing
    go.set()
    await loop.shutdown_default_executor()
    assert [
        path.name for path in demo.root.parent.rglob("*") if ".pack" in path.name or ".staging" in path.name
    ] == []
    assert compact.cpu_pack(demo, quiet, wheel=demo_wheel[1]).artifact.path.is_file()


def test_files_that_are_there_stay_and_the_pack_goes(demo_pack, tmp_path):
    pack = tmp_path / "copy.pack"
    shutil.copy(demo_pack.artifact.path, pack)
    unpack(pack, tmp_path / "store")
    gone = stored(tmp_path / "store")[demo_pack.files[1][1]]
    gone.unlink()
    done = unpack(pack, tmp_path / "store", "--remove-pack")
    assert [line.split()[2] for line in done.stdout.splitlines()] == ["kept", "made", "kept"]
    assert not pack.exists()
    assert sha256_of(gone) == gone.name


def test_a_library_damaged_on_the_controller_is_not_packed(demo, demo_wheel):
    path = demo.libraries[0].path
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.write(b"other")
    with pytest.raises(RunError, match="damaged"):
        compact.cpu_pack(demo, quiet, wheel=demo_wheel[1])
    assert list(demo.root.parent.rglob("*.pack")) == []
    assert list(demo.root.parent.glob(".staging-*")) == []


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.99])
def test_a_damaged_pack_leaves_no_file_that_is_wrong(demo_pack, tmp_path, place):
    data = bytearray(demo_pack.artifact.path.read_bytes())
    at = int(len(data) * place)
    data[at : at + 20] = bytes(byte ^ 0xFF for byte in data[at : at + 20])
    (tmp_path / "bad.pack").write_bytes(data)
    done = unpack(tmp_path / "bad.pack", tmp_path / "store")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert all(sha256_of(path) == name for name, path in stored(tmp_path / "store").items())


def test_a_pack_that_is_damaged_anywhere_is_refused_or_does_not_matter(demo_pack, tmp_path):
    """A bit in each of twenty places, half of them in the header, whose names of files nothing depends on."""
    whole, chosen = demo_pack.artifact.path.read_bytes(), random.Random(15)
    wanted = {sha256 for _, sha256, _ in demo_pack.files}
    refused = 0
    for number in range(20):
        data = bytearray(whole)
        data[chosen.randrange(whole.index(b"\n") if number % 2 else len(data))] ^= 1 << chosen.randrange(8)
        (tmp_path / "bad.pack").write_bytes(data)
        store = tmp_path / str(number)
        done = unpack(tmp_path / "bad.pack", store)
        assert all(sha256_of(path) == path.name for path in stored(store).values())
        if done.returncode == 0:
            assert set(stored(store)) == wanted
        else:
            refused += 1
            assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
            assert done.stderr.startswith(f"unpack.py: {tmp_path / 'bad.pack'}: ")
    assert refused > 10


def test_a_pack_that_wants_a_device_s_memory_is_refused(tmp_path):
    greedy = [{"id": lzma.FILTER_LZMA2, "dict_size": 256 << 20}]
    file = {"name": "lib/x.so", "sha256": "0" * 64, "size": 2 << 20}
    header = json.dumps({"farm_pack": 2, "codec": "xz", "files": [file]}).encode()
    (tmp_path / "bad.pack").write_bytes(header + b"\n" + lzma.compress(bytes(100), filters=greedy))
    done = unpack(tmp_path / "bad.pack", tmp_path / "store")
    assert (done.returncode, "damaged: Memory usage limit" in done.stderr) == (1, True)


def test_a_pack_of_an_older_farm_is_still_unpacked(demo_pack, shared_demo, tmp_path):
    """Version 1 had one stream."""
    header, _, body = demo_pack.artifact.path.read_bytes().partition(b"\n")
    if b'"zlib"' in header:
        stream = b""
        while body:
            one = zlib.decompressobj()
            stream, body = stream + one.decompress(body), one.unused_data
        body = zlib.compress(stream, 1)
    else:
        body = lzma.compress(lzma.decompress(body), preset=0)
    old = header.replace(b'"farm_pack":2', b'"farm_pack":1') + b"\n" + body
    assert b'"farm_pack":1' in old
    (tmp_path / "old.pack").write_bytes(old)
    assert unpack(tmp_path / "old.pack", tmp_path / "store").returncode == 0
    assert set(stored(tmp_path / "store")) == {sha256 for _, sha256, _ in demo_pack.files}


def test_a_pack_with_other_holes_is_made_anew_once_and_the_old_one_goes(demo, demo_wheel):
    old = demo.root / f"cpu-{'a' * 64}.pack"
    old.write_bytes(b"of an older farm")
    first = compact.cpu_pack(demo, quiet, wheel=demo_wheel[1])
    assert [path.name for path in demo.root.glob("*.pack")] == [first.artifact.path.name]
    assert compact.cpu_pack(demo, quiet, wheel=demo_wheel[1]) == first
    kept = demo.root / f"cuda-{'b' * 64}.pack"
    kept.write_bytes(b"whole: nothing in it has changed")
    assert compact.full_pack(demo, quiet, wheel=demo_wheel[1]).artifact.path == kept


def test_tables_that_only_gpus_need_are_left_out(demo, demo_wheel, tmp_path):
    table = (16_384, 1_000_000)
    data = bytearray(demo.libraries[0].path.read_bytes())
    data[table[0] : sum(table)] = bytes(table[1])
    pin = replace(demo_wheel[1], cuda_tables=(table,), zeroed_sha256=hashlib.sha256(data).hexdigest())
    with pytest.MonkeyPatch.context() as patch:
        # The file of the demonstration is noise, and no ELF file has no sections to look for.
        patch.setattr(compact, "for_gpus", lambda *_: ((table[0], sum(table)),))
        pack = compact.cpu_pack(demo, quiet, wheel=pin)
    assert unpack(pack.artifact.path, tmp_path / "store").returncode == 0
    assert stored(tmp_path / "store")[pin.zeroed_sha256].read_bytes() == data


def test_a_file_that_is_not_what_the_pack_says_is_not_kept(demo_pack, tmp_path):
    sha256 = demo_pack.files[0][1]
    other = sha256[:-1] + ("0" if sha256[-1] != "0" else "1")
    data = demo_pack.artifact.path.read_bytes()
    (tmp_path / "bad.pack").write_bytes(data.replace(sha256.encode(), other.encode()))
    done = unpack(tmp_path / "bad.pack", tmp_path / "store")
    assert done.returncode == 1
    assert f"SHA-256 of {other} is wrong" in done.stderr
    assert stored(tmp_path / "store") == {}


@pytest.mark.parametrize("wrong", ["../outside", "0" * 63, "A" * 64])
def test_a_name_in_a_pack_that_is_no_digest_is_refused(demo_pack, tmp_path, wrong):
    data = demo_pack.artifact.path.read_bytes()
    (tmp_path / "bad.pack").write_bytes(data.replace(demo_pack.files[0][1].encode(), wrong.encode()))
    done = unpack(tmp_path / "bad.pack", tmp_path / "store")
    assert (done.returncode, done.stderr.rpartition(": ")[2]) == (1, "its header is damaged\n")
    assert stored(tmp_path / "store") == {}


@pytest.mark.parametrize(
    "records",
    [[((2 << 20) - 1, b"ab")], [(4, b"ab"), (4, b"c")], [(0, bytes((1 << 20) + 1))]],
    ids=["beyond its end", "backwards", "too long"],
)
def test_records_that_leave_their_file_or_their_order_are_refused(tmp_path, records):
    file = {"name": "lib/x.so", "sha256": "0" * 64, "size": 2 << 20}
    header = json.dumps({"farm_pack": 1, "codec": "zlib", "files": [file]}).encode()
    body = b"".join(compact.RECORD.pack(offset, len(data)) + data for offset, data in [*records, (0, b"")])
    (tmp_path / "bad.pack").write_bytes(header + b"\n" + zlib.compress(body))
    done = unpack(tmp_path / "bad.pack", tmp_path / "store")
    assert (done.returncode, done.stderr.rpartition(": ")[2]) == (1, "its records are damaged\n")
    assert stored(tmp_path / "store") == {}


@pytest.mark.parametrize("left", [0, 10, 1000, 1_000_000])
def test_a_pack_cut_short_leaves_nothing(demo_pack, tmp_path, left):
    (tmp_path / "cut.pack").write_bytes(demo_pack.artifact.path.read_bytes()[:left])
    done = unpack(tmp_path / "cut.pack", tmp_path / "store")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert stored(tmp_path / "store") == {}


def test_a_full_disk_is_said_with_code_28_and_left_as_it_was(demo_pack, small_disk):
    done = unpack(demo_pack.artifact.path, small_disk / "store")
    assert done.returncode == 28
    assert "full" in done.stderr
    assert stored(small_disk) == {}


def test_a_kill_in_the_middle_leaves_nothing(demo_pack, tmp_path):
    data = demo_pack.artifact.path.read_bytes()
    store, pipe = tmp_path / "store", tmp_path / "pipe"
    store.mkdir()
    os.mkfifo(pipe)
    command = (sys.executable, str(agents.unpack_script().path), str(pipe), str(store))
    with subprocess.Popen(command) as process:
        with pipe.open("wb") as feed:
            # More than a pipe and a file buffer hold: when it is through, the file is being written.
            feed.write(data[: len(data) // 2])
            feed.flush()
            process.send_signal(signal.SIGTERM)
        process.wait()
    assert process.returncode == 128 + signal.SIGTERM
    assert stored(store) == {}


def test_a_python_without_lzma_uses_the_program_xz(demo, demo_wheel, tmp_path, monkeypatch):
    if shutil.which("xz") is None:
        pytest.skip("needs the program xz")
    (tmp_path / "lzma.py").write_text("raise ImportError('No module named _lzma')\n")
    monkeypatch.setattr(compact, "PART_BYTES", 1_000_000)
    pack = compact.cpu_pack(demo, quiet, wheel=demo_wheel[1])
    assert pack.artifact.path.read_bytes().count(b"\xfd7zXZ") > 1
    with_xz = unpack(pack.artifact.path, tmp_path / "store", PYTHONPATH=str(tmp_path))
    assert (with_xz.returncode, with_xz.stderr) == (0, "")
    without = unpack(pack.artifact.path, tmp_path / "other", PYTHONPATH=str(tmp_path), PATH="/nowhere")
    assert without.returncode == 1
    assert "install xz-utils" in without.stderr


def test_wrong_arguments_are_answered_with_the_usage(tmp_path):
    done = unpack(tmp_path / "x", tmp_path / "store", "--what")
    assert done.returncode == 2
    assert "usage" in done.stderr


@pytest.mark.wheel
def test_the_rebuilt_library_is_small_and_runs_a_model(wheel_runtime, tmp_path):
    pack = compact.cpu_pack(wheel_runtime, quiet)
    assert pack.artifact.size_bytes <= LIMIT_OF_PACK_BYTES
    copy, store = tmp_path / "device.pack", tmp_path / "store"
    shutil.copy(pack.artifact.path, copy)
    peak = []
    watched = threading.Event()

    def watch() -> None:
        while not watched.wait(0.05):
            with contextlib.suppress(FileNotFoundError):  # what is renamed in this moment
                peak.append(disk_bytes(tmp_path))

    watcher = threading.Thread(target=watch)
    watcher.start()
    done = unpack(copy, store, "--remove-pack", python=pythons()[0])
    watched.set()
    watcher.join()
    assert done.returncode == 0, done.stderr
    assert max(peak) < LIMIT_ON_DEVICE_BYTES
    assert disk_bytes(store) <= pack.unpacked_bytes < 1.05 * disk_bytes(store)
    assert disk_bytes(tmp_path) < LIMIT_ON_DEVICE_BYTES - pack.artifact.size_bytes

    wanted = compact.files(wheel_runtime, cuda=False)
    assert [(name, one.sha256, one.size_bytes) for name, one in wanted] == list(pack.files)
    assert wanted[0][1].sha256 == WHEEL.zeroed_sha256
    tree = tmp_path / "tree"
    libraries = [(name, store / one.sha256[:2] / one.sha256) for name, one in wanted]
    for name, path in (*libraries, *((name, one.path) for name, one in agents.runner_files())):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(path)
    model = resources.folder("bundled") / "tiny.mge"
    for python in {pythons()[0], pythons()[-1]}:
        command = (python, "-B", str(tree / "load_and_run.py"), str(model), "--iter", "2", "--cpu")
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        assert "finished test #0" in ran.stderr


@pytest.mark.wheel
def test_with_cuda_the_pristine_files_are_named(wheel_runtime):
    named = compact.files(wheel_runtime, cuda=True)
    assert [name for name, _ in named] == [f"lib/{one.name}" for one in WHEEL.libraries]
    assert [one for _, one in named] == list(wheel_runtime.libraries)
    assert all(one.path.stat().st_size == one.size_bytes for one in wheel_runtime.libraries)
