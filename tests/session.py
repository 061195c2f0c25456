"""A pytest plugin: one temporary folder for all that a session writes, gone when it passed. Nothing else stays,
neither a file in the folder for temporary files nor a process: what does is an error of the session.

All that tests start inherits TMPDIR or is given it, and so leads back here.
"""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

PATIENCE_S = float(os.environ.get("PATIENCE_S", "60"))
FOLDER = pytest.StashKey[Path]()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    # A shell's background jobs ignore SIGINT, those of `nohup` SIGHUP, and so would all that tests start and end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    if hasattr(config, "workerinput"):  # a worker of xdist lives in its controller's folder
        return
    folder = Path(tempfile.mkdtemp(prefix="farm-tests-"))
    folder.chmod(0o711)  # some tests become users without rights
    config.stash[FOLDER] = folder
    config.option.basetemp = config.option.basetemp or str(folder / "pytest")
    (folder / "tmp").mkdir()
    os.environ["TMPDIR"] = tempfile.tempdir = str(folder / "tmp")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: more than there are cores, since many tests wait for a second to pass on a device."""
    return len(os.sched_getaffinity(0)) * 2


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the files (`--dist loadfile`): those that wait among those that compute, so
    that no core is idle, and in the same order in each process. One that needs MegEngine's wheel is the first,
    the others are the last: on a new machine it is fetched while other tests run.
    """
    if not hasattr(config, "workerinput"):
        return
    needs = {file_of(item) for item in items if "wheel_runtime" in getattr(item, "fixturenames", ())}
    shuffled = sorted(map(file_of, items), key=lambda file: (file in needs, crc32(file.encode())))
    files = list(dict.fromkeys(shuffled))
    first = len(files) - len(needs)
    place = {file: -1 if number == first else number for number, file in enumerate(files)}
    items.sort(key=lambda item: place[file_of(item)])


def file_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: no collection of garbage has to look at them again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    folder = session.config.stash.get(FOLDER, None)
    if folder is None:
        return
    wait(lambda: not processes(folder))
    found = [f"file {path}" for path in sorted((folder / "tmp").iterdir())]
    found += [f"process {pid}: {command}" for pid, command in processes(folder).items()]
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        report = pytest.CollectReport("the session: what it left behind", "failed", "\n".join(found), [])
        session.config.hook.pytest_collectreport(report=report)
    if session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        shutil.rmtree(folder)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [f"folder: {config.stash[FOLDER]} (kept if a test fails)"] if FOLDER in config.stash else []


def processes(folder: Path) -> dict[int, str]:
    """Living processes but this one that name `folder` in their command, environment or current folder."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            said = command + (entry / "environ").read_bytes() + os.fsencode((entry / "cwd").readlink())
            if os.fsencode(folder) in said:
                found[int(entry.name)] = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()[:200]
    return found


def wait(condition: Callable[[], object]) -> None:
    """For what is about to come; whether it came is asked afterwards."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
