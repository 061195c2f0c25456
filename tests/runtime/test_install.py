from __future__ import annotations

import dataclasses
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from farm.errors import RequestError, RunError
from farm.files import sha256_of
from farm.runtime import cache, install, wheel

INSTALL = """
import sys
from pathlib import Path
from farm.runtime import install
from farm.runtime.wheel import Library, Wheel
install.install(lambda *_: None, root=Path(sys.argv[1]), pinned=eval(sys.argv[2]))
"""


def quiet(*_: object) -> None:
    pass


def start(root: Path, pin: wheel.Wheel) -> subprocess.Popen:
    return subprocess.Popen((sys.executable, "-c", INSTALL, str(root), repr(pin)), stderr=subprocess.PIPE)


def listing(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.name != ".lock")


def whole(pin: wheel.Wheel) -> list[str]:
    return sorted((pin.key, f"{pin.key}/lib", *(f"{pin.key}/lib/{one.name}" for one in pin.libraries)))


def processes_of(root: Path) -> list[str]:
    """Command lines of what still runs for an installation into `root`."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return [line for line in lines if str(root / cache.STAGING) in line]


def wait_until(condition) -> None:
    while not condition():  # the test's own time limit ends this
        time.sleep(0.02)


@pytest.fixture(params=["pip", "uv"])
def tool(request, monkeypatch, bare_python) -> str:
    if request.param == "uv":
        folder = Path(sys.executable).parent
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setattr(sys, "executable", bare_python)
    return request.param


def test_the_users_index_gives_the_libraries_and_nothing_else_stays(index, demo_wheel, tool, tmp_path):
    _, pin = demo_wheel
    seen = []
    found = install.install(lambda *step: seen.append(step), root=tmp_path / "root", pinned=pin)
    assert listing(tmp_path / "root") == whole(pin)
    assert [sha256_of(one.path) for one in found.libraries] == [one.sha256 for one in pin.libraries]
    assert {stat.S_IMODE(one.path.stat().st_mode) for one in found.libraries} == {0o444}
    assert seen[-1] == ("unpacking the libraries", pin.libraries_bytes, pin.libraries_bytes)
    assert all(done <= total for _, done, total in seen if total is not None)
    assert index.sent == 1


def test_a_runtime_that_is_here_is_not_fetched_again(index, demo_wheel, tmp_path):
    for _ in range(2):
        install.install(quiet, root=tmp_path, pinned=demo_wheel[1])
    assert index.sent == 1


def test_a_damaged_runtime_is_replaced(index, demo_wheel, tmp_path):
    _, pin = demo_wheel
    broken = install.install(quiet, root=tmp_path, pinned=pin).libraries[0].path
    broken.chmod(0o644)
    broken.write_bytes(b"half")
    assert install.installed(root=tmp_path, wheel=pin) is None
    install.install(quiet, root=tmp_path, pinned=pin)
    assert broken.stat().st_size == pin.libraries[0].size_bytes
    assert listing(tmp_path) == whole(pin)


def test_a_wheel_file_given_by_the_user_needs_no_index(demo_wheel, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    path, pin = demo_wheel
    install.install(quiet, wheel=path, root=tmp_path, pinned=pin)
    assert listing(tmp_path) == whole(pin)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: b"x" + data[1:]], ids=["short", "changed"]
)
def test_another_wheel_file_is_refused(demo_wheel, tmp_path, damage):
    path, pin = demo_wheel
    other = tmp_path / "other.whl"
    other.write_bytes(damage(path.read_bytes()))
    with pytest.raises(RequestError, match="a different wheel") as caught:
        install.install(quiet, wheel=other, root=tmp_path / "root", pinned=pin)
    assert pin.sha256 in caught.value.hint
    assert listing(tmp_path / "root") == []


def test_a_missing_wheel_file_is_a_wrong_request(demo_wheel, tmp_path):
    with pytest.raises(RequestError, match="No such file"):
        install.install(quiet, wheel=tmp_path / "none.whl", root=tmp_path / "root", pinned=demo_wheel[1])


def test_an_index_with_another_file_of_that_version_is_refused(index, demo_wheel, tool, tmp_path):
    pin = dataclasses.replace(demo_wheel[1], sha256="0" * 64)
    with pytest.raises(RunError, match=r"(?si)could not download.*hash"):
        install.install(quiet, root=tmp_path / "root", pinned=pin)
    assert listing(tmp_path / "root") == []


def test_a_library_that_is_not_the_pinned_one_is_refused(demo_wheel, tmp_path):
    path, pin = demo_wheel
    wrong = dataclasses.replace(pin.libraries[1], sha256="0" * 64)
    pin = dataclasses.replace(pin, libraries=(pin.libraries[0], wrong))
    with pytest.raises(RunError, match="SHA-256 mismatch of"):
        install.install(quiet, wheel=path, root=tmp_path, pinned=pin)
    assert listing(tmp_path) == []


def test_what_the_tool_brought_is_checked_even_if_the_tool_did_not(demo_wheel):
    path, pin = demo_wheel
    install._check_fetched(path, pin, quiet)
    with pytest.raises(RunError, match="SHA-256 mismatch"):
        install._check_fetched(path, dataclasses.replace(pin, sha256="0" * 64), quiet)


def test_of_a_library_that_is_larger_than_the_pinned_one_no_more_is_written(demo_wheel, tmp_path):
    path, pin = demo_wheel
    seen = []
    pin = dataclasses.replace(pin, libraries=(dataclasses.replace(pin.libraries[0], size_bytes=10),))
    with pytest.raises(RunError, match="SHA-256 mismatch of"):
        install.install(
            lambda label, done, _: seen.append((label, done)), wheel=path, root=tmp_path, pinned=pin
        )
    assert max(done for label, done in seen if label.startswith("unpacking")) == 11


def test_an_index_out_of_reach_is_said_with_the_tools_own_words(
    index, demo_wheel, tool, tmp_path, monkeypatch
):
    for name in ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        monkeypatch.setenv(name, "http://user:hunter2@127.0.0.1:9/simple/")
    with pytest.raises(RunError, match=rf"{tool} could not download") as caught:
        install.install(quiet, root=tmp_path / "root", pinned=demo_wheel[1])
    assert "farm-demo-runtime" in caught.value.message.partition("\n")[2]
    assert "--wheel" in caught.value.hint
    assert "hunter2" not in caught.value.message
    assert listing(tmp_path / "root") == []


def test_without_pip_and_uv_the_error_says_what_to_type(
    index, demo_wheel, bare_python, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "executable", bare_python)
    with pytest.raises(RunError, match="neither pip nor uv") as caught:
        install.install(quiet, root=tmp_path, pinned=demo_wheel[1])
    assert "ensurepip" in caught.value.hint


def test_the_pip_of_another_python_serves_too(index, demo_wheel, bare_python, tmp_path, monkeypatch):
    other = tmp_path / "bin" / "python3"
    other.parent.mkdir()
    other.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    monkeypatch.setattr(sys, "executable", bare_python)
    install.install(quiet, root=tmp_path / "root", pinned=demo_wheel[1])
    assert listing(tmp_path / "root") == whole(demo_wheel[1])


def test_a_password_in_the_index_address_is_not_shown(index, demo_wheel, bare_python, tmp_path, monkeypatch):
    talker = tmp_path / "bin" / "python3"
    talker.parent.mkdir()
    talker.write_text('#!/bin/sh\necho "cannot reach $PIP_INDEX_URL"\n[ "$3" = --version ]\n')
    talker.chmod(0o755)
    monkeypatch.setenv("PATH", str(talker.parent))
    monkeypatch.setattr(sys, "executable", bare_python)
    with pytest.raises(RunError, match="cannot reach http://") as caught:
        install.install(quiet, root=tmp_path / "root", pinned=demo_wheel[1])
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_installation_leaves_nothing(index, demo_wheel, tmp_path, number):
    index.gate.clear()
    with start(tmp_path, demo_wheel[1]) as process:
        index.half_way.wait()
        process.send_signal(number)
        process.communicate()
    assert process.returncode != 0
    assert listing(tmp_path) == []
    assert processes_of(tmp_path) == []


def test_a_killed_installation_is_cleaned_by_the_next(index, demo_wheel, tmp_path):
    _, pin = demo_wheel
    index.gate.clear()
    with start(tmp_path, pin) as process:
        index.half_way.wait()
        process.kill()
        process.communicate()
    assert install.installed(root=tmp_path, wheel=pin) is None
    wait_until(lambda: processes_of(tmp_path) == [])  # what it had started tidies up on its own
    assert listing(tmp_path) != [], "it was killed in the middle"
    index.gate.set()
    install.install(quiet, root=tmp_path, pinned=pin)
    assert listing(tmp_path) == whole(pin)


def test_an_exception_from_the_progress_callback_stops_it_cleanly(index, demo_wheel, tmp_path):
    index.gate.clear()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install.install(stop, root=tmp_path, pinned=demo_wheel[1])
    assert listing(tmp_path) == []
    assert processes_of(tmp_path) == []


def test_two_at_once_fetch_it_once(index, demo_wheel, tmp_path):
    _, pin = demo_wheel
    index.gate.clear()
    with start(tmp_path, pin) as first, start(tmp_path, pin) as second:
        index.half_way.wait()
        index.gate.set()
        first.communicate()
        second.communicate()
    assert (first.returncode, second.returncode) == (0, 0)
    assert index.sent == 1
    assert listing(tmp_path) == whole(pin)


def test_who_waits_for_the_lock_says_so(index, demo_wheel, tmp_path):
    _, pin = demo_wheel
    index.gate.clear()
    seen = []

    def progress(label: str, *_: object) -> None:
        seen.append(label)
        index.gate.set()

    with start(tmp_path, pin) as process:
        index.half_way.wait()
        install.install(progress, root=tmp_path, pinned=pin)
        process.communicate()
    assert set(seen) == {"waiting for another farm process"}


def test_too_little_room_is_found_before_anything_is_fetched(index, demo_wheel, small_disk):
    with pytest.raises(RunError, match=r"[kM]B needed") as caught:
        install.install(quiet, root=small_disk, pinned=demo_wheel[1])
    assert "FARM_CACHE_DIR" in caught.value.hint
    assert not index.half_way.is_set()
    assert listing(small_disk) == []


@pytest.mark.parametrize("given", [True, False], ids=["unpacking", "fetching"])
def test_a_disk_that_becomes_full_is_left_as_it_was(index, demo_wheel, small_disk, monkeypatch, given):
    monkeypatch.setattr(cache, "need_space", quiet)
    path, pin = demo_wheel
    with pytest.raises(RunError) as caught:
        install.install(quiet, wheel=path if given else None, root=small_disk, pinned=pin)
    assert "FARM_CACHE_DIR" in caught.value.hint
    assert "full" in caught.value.message or "No space left" in caught.value.message
    assert listing(small_disk) == []


def test_a_folder_that_cannot_be_made_is_said(demo_wheel, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot install the runtime") as caught:
        install.install(quiet, wheel=demo_wheel[0], root=tmp_path / "file" / "root", pinned=demo_wheel[1])
    assert "FARM_CACHE_DIR" in caught.value.hint


def test_what_is_installed_is_listed(demo_wheel, tmp_path):
    path, pin = demo_wheel
    assert install.list_installed(root=tmp_path, wheel=pin) == ()
    install.install(quiet, wheel=path, root=tmp_path, pinned=pin)
    assert [one.root for one in install.list_installed(root=tmp_path, wheel=pin)] == [tmp_path / pin.key]


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path))
    assert cache.default_root() == tmp_path / "runtimes"
    monkeypatch.delenv("FARM_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.default_root().parts[-2:] == ("farm", "runtimes")
