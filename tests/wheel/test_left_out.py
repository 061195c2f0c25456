"""The library without cuRAND's tables computes the same, and who reads one of them is told."""

from __future__ import annotations

import ctypes
import json
import signal
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from farm import resources
from farm.runtime.install import InstalledRuntime
from farm.runtime.wheel import WHEEL
from tests.wheel.conftest import BUNDLED, Load, Wheel

pytestmark = pytest.mark.wheel
JOE_KUO_64 = 103
RELATIVE = 8
PREAMBLE = f"""
import ctypes, os, sys
sys.path.insert(0, {str(resources.folder("agents") / "wheel")!r})
from mge.bindings import left_out, lite
library = lite.Library(sys.argv[1])
left_out.lock(library)
vectors = ctypes.c_void_p()
assert library.core.curandGetDirectionVectors64(ctypes.byref(vectors), {JOE_KUO_64}) == 0
def show(offset, size):
    os.write(1, ctypes.string_at(vectors.value + offset, size).hex().encode() + b" ")
"""
Reads = Callable[[Path, str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def reads() -> Reads:
    """A program that loads the libraries of a folder as a run does, and then does what it is told."""

    def run(libraries: Path, words: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-B", "-c", f"{PREAMBLE}\n{words}\nos._exit(0)", str(libraries))
        return subprocess.run(command, capture_output=True, text=True, check=False)

    return run


def test_reading_a_table_that_was_left_out_ends_with_a_clear_error(cpu_libraries: Path, reads: Reads) -> None:
    ended = reads(cpu_libraries, "show(100_000, 8)")
    assert (ended.returncode, ended.stdout) == (69, "")
    assert ended.stderr.startswith("load_and_run.py: not available here: a table of cuRAND was read")
    assert len(ended.stderr.splitlines()) == 1


def test_a_thread_that_reads_a_table_is_told_too(cpu_libraries: Path, reads: Reads) -> None:
    words = (
        "import threading; one = threading.Thread(target=show, args=(100_000, 8)); one.start(); one.join()"
    )
    assert reads(cpu_libraries, words).returncode == 69


def test_what_is_left_of_a_table_is_as_it_was(
    cpu_libraries: Path, wheel_runtime: InstalledRuntime, reads: Reads
) -> None:
    left, whole = (reads(folder, "show(0, 3840)") for folder in (cpu_libraries, wheel_runtime.root / "lib"))
    assert left.returncode == whole.returncode == 0
    assert left.stdout == whole.stdout
    assert len(left.stdout.strip("0 ")) > 1000


def test_the_whole_library_is_not_locked(wheel_runtime: InstalledRuntime, reads: Reads) -> None:
    ended = reads(wheel_runtime.root / "lib", "show(100_000, 8)")
    assert (ended.returncode, ended.stdout) == (0, "0000000000e81162 ")


def test_a_crash_elsewhere_ends_as_it_always_did(cpu_libraries: Path, reads: Reads) -> None:
    assert reads(cpu_libraries, "ctypes.string_at(8)").returncode == -signal.SIGSEGV


def test_the_tables_are_those_that_a_pack_lacks(module: Load, wheel_runtime: InstalledRuntime) -> None:
    left_out = module("bindings.left_out")
    assert tuple((offset, size) for offset, _, size in left_out.TABLES) == WHEEL.cuda_tables
    with wheel_runtime.libraries[0].path.open("rb") as stream:
        parts = list(ELFFile(stream).iter_segments("PT_LOAD"))
    for offset, address, size in left_out.TABLES:
        (part,) = (one for one in parts if one["p_offset"] <= offset < one["p_offset"] + one["p_filesz"])
        assert offset + size <= part["p_offset"] + part["p_filesz"]
        assert address - offset == part["p_vaddr"] - part["p_offset"]
        assert address % 4096 == size % 4096 == 0


def test_the_loader_writes_nothing_into_a_table_and_only_two_pointers_lead_there(
    module: Load, wheel_runtime: InstalledRuntime
) -> None:
    """The two are cuRAND's list of direction vectors, and lead to their beginnings."""
    tables = [(address, address + size) for _, address, size in module("bindings.left_out").TABLES]
    with wheel_runtime.libraries[0].path.open("rb") as stream:
        data = ELFFile(stream).get_section_by_name(".rela.dyn").data()
    inside = {first: 0 for first, _ in tables}
    leading = set()
    for place, kind, value in struct.iter_unpack("<QQq", data):
        for first, end in tables:
            inside[first] += first <= place < end
            if kind & 0xFFFFFFFF == RELATIVE and first <= value < end:
                leading.add(value)
    assert set(inside.values()) == {0}
    # The first begins in the page before the table: that page is in the file.
    assert leading == {0x5B67B100}


@pytest.mark.parametrize("name", sorted(json.loads((BUNDLED / "models.json").read_text())))
def test_outputs_are_bit_equal_to_those_of_the_whole_library(
    wheel: Wheel, wheel_folder: Path, cpu_libraries: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    for one in wheel_folder.iterdir():
        if one.name != "lib":
            (folder / one.name).symlink_to(one)
    (folder / "lib").symlink_to(cpu_libraries)
    (tmp_path / "run").mkdir()
    whole = wheel.model(name, "--cpu").passed()
    small = Wheel(folder, tmp_path / "run").model(name, "--cpu").passed()
    assert whole.output().tobytes() == small.output().tobytes()


def test_the_handler_of_faults_has_the_size_that_the_system_wants(module: Load) -> None:
    assert ctypes.sizeof(module("bindings.left_out").SignalAction) == 152
