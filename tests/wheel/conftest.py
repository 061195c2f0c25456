"""The wheel runtime as it lies on a device: the program's files and the libraries, one folder, by symbolic links."""

from __future__ import annotations

import compileall
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from farm import agents, resources
from farm.runtime.compact import for_gpus
from farm.runtime.install import InstalledRuntime
from farm.runtime.wheel import WHEEL

BUNDLED = resources.folder("bundled")
GOLDEN = Path(__file__).parent.parent / "golden"
WALL_S = 120
Load = Callable[[str], ModuleType]
HEADER_BYTES = 40
DTYPES = {0: "<f4", 1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 9: "<f2", 13: "<u2"}
RELATIVE = 1e-5
# MKL-DNN of this wheel cannot read the caches of some processors (AMD) and ends the process; see docs/wheel-runtime.md.
XBYAK = "Xbyak::Error"


@dataclass(frozen=True)
class Ended:
    """A run that is over; `folder` is where it ran."""

    code: int
    out: str
    err: str
    folder: Path

    def output(self, folder: str = "o", run: int = -1) -> np.ndarray:
        """The only output of a run (the last one) as --bin-out-dump wrote it."""
        files = sorted((self.folder / folder).iterdir(), key=lambda path: int(path.name[3:].split("-")[0]))
        return read_tensor(files[run])

    def passed(self, *, anywhere: bool = False) -> Ended:
        """Itself, when the exit code is 0; skips where the library cannot work, unless it works `anywhere`."""
        if XBYAK in self.err and not anywhere:
            pytest.skip("this wheel's MKL-DNN does not run on this processor")
        assert self.code == 0, self.err
        return self

    def why(self) -> str:
        """What an aborted run says."""
        assert self.code == 134, (self.code, self.err)
        return self.err.split("what():", 1)[1]

    @property
    def e2e_ms(self) -> list[float]:
        return [
            float(text) for text in re.findall(r"iter \d+/\d+: e2e=([\d.]+) ms \(host=[\d.]+ ms\)", self.err)
        ]


def read_tensor(path: Path) -> np.ndarray:
    """A file of --bin-io-dump or --bin-out-dump."""
    data = path.read_bytes()
    name_bytes, dtype, dims, *shape = struct.unpack_from("<10I", data)
    assert dims == 7
    array = np.frombuffer(data[HEADER_BYTES + name_bytes :], DTYPES[dtype])
    return array.reshape([size for size in shape if size])


def golden(name: str) -> np.ndarray:
    return np.load(GOLDEN / f"{name}.npy")


def close(one: np.ndarray, other: np.ndarray, relative: float = RELATIVE) -> bool:
    return one.shape == other.shape and float(np.abs(one - other).max()) <= relative * float(
        np.abs(other).max()
    )


def inputs_of(model: str) -> str:
    names = {"two_inputs": ("image", "weights")}.get(model, ("data",))
    return ";".join(f"{name}:{BUNDLED / f'{model}.{name}.npy'}" for name in names)


NO_SPIN = {"MGB_WORKER_MAX_SPIN": "0"}
"""MegEngine's threads wait for each other without a pause, for seconds where they have to share a core."""


class Wheel:
    """The program in `folder`, run with a clean environment as the agent runs it."""

    def __init__(self, folder: Path, scratch: Path, python: str = sys.executable) -> None:
        self.folder, self.scratch, self.python = folder, scratch, python

    def command(self, *arguments: str | Path) -> list[str]:
        return [self.python, "-B", "-I", "-S", str(self.folder / "load_and_run.py"), *map(str, arguments)]

    def place(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.scratch))

    def __call__(
        self, *arguments: str | Path, within: Path | None = None, stdin: str | None = None, **settings: str
    ) -> Ended:
        """`settings` are further variables of its environment."""
        folder = within or self.place()
        done = subprocess.run(
            self.command(*arguments),
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C", "TMPDIR": str(folder)}
            | NO_SPIN
            | settings,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=WALL_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr, folder)

    def model(self, name: str, *options: str | Path, **more: Any) -> Ended:
        """A bundled model with its input, two iterations, its outputs dumped."""
        options = (*options, "--iter", "2", "--input", inputs_of(name), "--bin-out-dump", "o")
        return self(BUNDLED / f"{name}.mge", *options, **more)


@pytest.fixture(scope="session")
def wheel_folder(wheel_runtime: InstalledRuntime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    files = {f"lib/{library.name}": library.path for library in wheel_runtime.libraries}
    store = tmp_path_factory.mktemp("cas")  # where files have no names by which modules could be found
    for name, artifact in agents.runner_files():
        files[name] = Path(shutil.copyfile(artifact.path, store / artifact.sha256))
    for name, path in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(path)
    compileall.compile_dir(folder, quiet=1)  # once, and not by each of some hundred processes
    return folder


@pytest.fixture(scope="session")
def cpu_libraries(wheel_runtime: InstalledRuntime, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries as a device without a GPU gets them: what is for GPUs are zeros."""
    folder = tmp_path_factory.mktemp("cpu")
    for library in wheel_runtime.libraries:
        target = folder / library.name
        if library.name != "libmegengine_shared.so":
            target.symlink_to(library.path)
            continue
        with library.path.open("rb") as source, target.open("wb") as copy:
            copy.truncate(library.size_bytes)
            place = 0
            spans = sorted(for_gpus(library.path, WHEEL))
            for end, after in [*spans, (library.size_bytes, 0)]:
                os.lseek(copy.fileno(), place, os.SEEK_SET)
                while place < end:  # between file systems, too
                    place += os.sendfile(copy.fileno(), source.fileno(), place, end - place)
                place = after
    return folder


@pytest.fixture
def wheel(wheel_folder: Path, tmp_path: Path) -> Wheel:
    return Wheel(wheel_folder, tmp_path)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Iterator[Load]:
    """Imports one of the program's modules into this process."""
    monkeypatch.syspath_prepend(str(resources.folder("agents") / "wheel"))
    before = set(sys.modules)
    yield lambda name: import_module(f"mge.{name}")
    for name in set(sys.modules) - before:
        del sys.modules[name]


def interpreters() -> list[str]:
    """Every CPython from 3.6 on that is found here, with ctypes: in pyenv's folder, or on the path. None is started:
    every process of a test session asks.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found: dict[str, str] = {}
    for minor in range(6, 15):
        candidates = [str(path) for path in sorted(pyenv.glob(f"3.{minor}.*/bin/python3"))]
        if on_path := shutil.which(f"python3.{minor}"):
            candidates.append(on_path)
        for candidate in candidates:
            modules = Path(candidate).resolve().parents[1] / f"lib/python3.{minor}/lib-dynload"
            if any(modules.glob("_ctypes.*")):
                found.setdefault(f"3.{minor}", candidate)
    return list(found.values())


LOADER = """
#include <stdio.h>
#include <stddef.h>
static void start(const void* (*get)(int), const char* by) { printf("%s %d\\n", by, get(0x24) != NULL); fflush(stdout); }
void mgb_c_opr_init(const void* (*get)(int)) { start(get, "usual"); }
void other_init(const void* (*get)(int)) { start(get, "other"); }
"""
DEVICE = "void copr_param_device_ptr_malloc(void){} void copr_param_device_ptr_free(void){} void copr_param_device_ptr_h2d(void){}"


@pytest.fixture
def loader(tmp_path: Path) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("there is no C compiler")
    for name, text in (("loader", LOADER), ("device", LOADER + DEVICE)):
        (tmp_path / f"{name}.c").write_text(text)
        command: list[str | Path] = [
            compiler,
            "-shared",
            "-fPIC",
            "-o",
            tmp_path / f"{name}.so",
            tmp_path / f"{name}.c",
        ]
        subprocess.run(command, check=True)
    return tmp_path
