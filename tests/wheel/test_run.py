"""A run: its numbers are MegEngine's, its lines the C++ program's, its threads where they were asked for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from farm import resources
from farm.dumps.profile import read_profile
from farm.logs.exact_times import parse_exact_times
from farm.logs.load_and_run import parse_log
from farm.run.measure.readings import with_exact_times

from .conftest import BUNDLED, WALL_S, Wheel, close, golden, inputs_of, interpreters

pytestmark = pytest.mark.wheel
TINY = BUNDLED / "tiny.mge"
MODELS = ["tiny", "two_inputs", "int8", "shufflenet_v2_x0_5"]


@pytest.mark.parametrize("model", MODELS)
def test_outputs_are_those_that_megengine_computes(wheel: Wheel, model: str) -> None:
    done = wheel.model(model).passed()
    assert close(done.output(), golden(model))


@pytest.mark.parametrize("python", interpreters(), ids=lambda path: str(path).removeprefix(str(Path.home())))
def test_every_python_from_3_6_on_computes_the_same(wheel: Wheel, python: str) -> None:
    done = (
        Wheel(wheel.folder, wheel.scratch, python)
        .model("two_inputs", "--profile", "p.json", "--model-info")
        .passed()
    )
    assert close(done.output(), golden("two_inputs"))
    with (done.folder / "p.json").open("rb") as file:
        assert read_profile(file).operators


@pytest.mark.parametrize(
    "options",
    [("--cpu",), ("--cpu-default",), ("--multithread", "2"), ("--multithread-default", "2"), ("--mdl",),
     ("--share-param-mem",), ("--copy-to-host",)],
    ids=" ".join,
)  # fmt: skip
def test_devices_and_modes_compute_the_same(wheel: Wheel, options: tuple[str, ...]) -> None:
    done = wheel.model("tiny", *options).passed()
    assert close(done.output(), golden("tiny"))


def test_the_log_is_one_that_farm_reads(wheel: Wheel) -> None:
    done = wheel(TINY, "--iter", "4", "--warmup-iter", "2").passed()
    parsed = parse_log(done.err)
    assert list(parsed.e2e_ms) == done.e2e_ms
    assert (len(parsed.warmup_ms), parsed.engine) == (2, "MegBrain 1.13.0, MegDNN 9.3.0")
    assert parsed.complete
    assert parsed.skipped_lines == 0


def test_the_exact_times_are_those_of_the_log_and_only_written_where_they_are_asked_for(wheel: Wheel) -> None:
    done = wheel(TINY, "--iter", "12", FARM_TIMES="exact.txt").passed()
    exact_ns = parse_exact_times((done.folder / "exact.txt").read_text())
    printed = parse_log(done.err)
    measurement, note = with_exact_times(printed, exact_ns)
    assert (len(exact_ns), note) == (12, None)
    assert [round(time_ms, 3) for time_ms in measurement.e2e_ms] == pytest.approx(printed.e2e_ms, abs=0.0011)
    assert any(e2e_ns % 1000 for e2e_ns, _ in exact_ns)
    assert all(0 < host_ns <= e2e_ns for e2e_ns, host_ns in exact_ns)
    assert [one.name for one in wheel(TINY).passed().folder.iterdir()] == []


def test_exact_times_that_cannot_be_written_end_no_run(wheel: Wheel) -> None:
    done = wheel(TINY, "--iter", "2", FARM_TIMES="/nowhere/exact.txt").passed()
    assert parse_log(done.err).complete
    assert "was not written: No such file or directory" in done.err


def test_the_summary_is_made_of_the_iterations(wheel: Wheel) -> None:
    done = wheel(TINY, "--iter", "5").passed()
    words = dict(re.findall(r"(\w+)=([-\w.]+) ms", done.err.split("=== finished test #0: ")[1]))
    times = done.e2e_ms
    assert len(times) == 5
    assert float(words["min"]) == min(times)
    assert float(words["max"]) == max(times)
    assert float(words["time"]) == pytest.approx(sum(times), abs=0.01)
    assert float(words["avg_time"]) == pytest.approx(sum(times) / 5, abs=0.002)


def test_one_iteration_has_no_deviation_and_none_has_no_summary(wheel: Wheel) -> None:
    assert "standard_deviation=-nan ms" in wheel(TINY, "--iter", "1").passed().err
    done = wheel(TINY, "--iter", "0").passed()
    assert "finished test" not in done.err
    assert "=== total time: 0.000ms" in done.err


def test_model_info_is_printed_before_and_after(wheel: Wheel) -> None:
    done = wheel(BUNDLED / "two_inputs.mge", "--model-info", "--iter", "1").passed()
    rows = re.findall(r"\| +(INPUT|OUTPUT) +\| +(\w+) +\| +(\S+) +\| +(\w+) +\|", done.err)
    table = [("INPUT", "image", "{1,32,32,3}", "uint8"), ("INPUT", "weights", "{1,10}", "float32"),
             ("OUTPUT", "out", "{1,10}", "float32")]  # fmt: skip
    assert rows == table * 2


@pytest.mark.parametrize("flag", ["--profile", "--profile-host"])
def test_a_profile_times_every_operator_of_the_last_run(wheel: Wheel, flag: str) -> None:
    done = wheel(TINY, flag, "p.json", "--iter", "1").passed()
    with (done.folder / "p.json").open("rb") as file:
        found = read_profile(file)
    assert {"ConvolutionForward", "MatrixMul"} <= {operator.type for operator in found.operators}
    assert found.device_ms > 0
    assert len(done.e2e_ms) == 1


IN_PIECES = """
import ctypes, sys
sys.path.insert(0, sys.argv[1])
from mge.bindings import heap

class Info(ctypes.Structure):  # mallinfo(3)
    _fields_ = [(name, ctypes.c_int) for name in "arena ord smblks hblks hblkhd usm fsm uord ford keep".split()]

library = ctypes.CDLL(None)
library.mallinfo.restype = Info
library.malloc.restype = ctypes.c_void_p
library.free.argtypes = [ctypes.c_void_p]
pieces = [library.malloc(40) for _ in range(10_000)]
for piece in pieces:
    library.free(piece)
before = library.mallinfo().fsm
heap.settle()
print(before, library.mallinfo().fsm)
"""


def test_no_operator_of_a_profile_has_to_put_freed_pieces_together() -> None:
    folder = resources.folder("agents") / "wheel"
    command = [sys.executable, "-B", "-I", "-S", "-c", IN_PIECES, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={})
    before, after = map(int, done.stdout.split())
    assert before > 100_000
    assert after == 0


def test_a_profile_that_cannot_be_written_is_an_error_and_no_crash(wheel: Wheel) -> None:
    assert "failed to open none/p.json for writing" in wheel(TINY, "--profile", "none/p.json").why()


def test_threads_run_several_networks(wheel: Wheel) -> None:
    done = wheel(TINY, "--thread", "3", "--iter", "2").passed()
    assert done.err.count("=== finished test #0") == 3
    assert len(done.e2e_ms) == 6


def allowed(pid: int) -> dict[str, set[str]]:
    """thread name -> the cores that its threads may use, now."""
    found: dict[str, set[str]] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        text = (task / "status").read_text()
        cores = re.search(r"Cpus_allowed_list:\s+(\S+)", text)
        name = re.search(r"Name:\s+(.*)", text)
        assert cores
        assert name
        found.setdefault(f"{task.name} {name[1]}", set()).add(cores[1])
    return found


@pytest.mark.parametrize("flag", ["--multithread", "--multithread-default"])
def test_threads_are_on_the_cores_asked_for(wheel: Wheel, flag: str) -> None:
    cores = sorted(os.sched_getaffinity(0))[:2]
    ids = [cores[-1], cores[0]]
    command = wheel.command(
        TINY, flag, "2", "--multi-thread-core-ids", ",".join(map(str, ids)), "--iter", "1000000"
    )
    with subprocess.Popen(command, cwd=wheel.place(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            assert any("iter 0/" in line for line in process.stderr)
            found = allowed(process.pid)
        finally:
            process.kill()
    pinned = [cores for cores in found.values() if len(cores) == 1 and cores & {str(n) for n in ids}]
    assert set().union(*pinned) == {str(n) for n in ids}, found


def test_without_core_ids_no_thread_is_pinned(wheel: Wheel) -> None:
    usual = re.search(r"Cpus_allowed_list:\s+(\S+)", Path("/proc/self/status").read_text())
    assert usual
    command = wheel.command(TINY, "--multithread", "2", "--iter", "1000000")
    with subprocess.Popen(command, cwd=wheel.place(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            assert any("iter 0/" in line for line in process.stderr)
            found = allowed(process.pid)
        finally:
            process.kill()
    assert set().union(*found.values()) == {usual[1]}
    assert len(found) >= 3


def test_cpu_default_computes_on_the_calling_thread(wheel: Wheel) -> None:
    counts = {}
    for option in ("--cpu", "--cpu-default"):
        command = wheel.command(TINY, option, "--iter", "1000000")
        with subprocess.Popen(command, cwd=wheel.place(), stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            try:
                assert any("iter 0/" in line for line in process.stderr)
                counts[option] = len(allowed(process.pid))
            finally:
                process.kill()
    assert counts["--cpu-default"] < counts["--cpu"]


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "failed to open x.mge: No such file"), (b"", "0 bytes"), (b"short", "5 bytes"), (b"text" * 99, "invalid model format")],
    ids=["missing", "empty", "short", "text"],
)  # fmt: skip
def test_a_file_that_is_no_model_is_an_error(wheel: Wheel, content: bytes | None, why: str) -> None:
    folder = wheel.place()
    if content is not None:
        (folder / "x.mge").write_bytes(content)
    assert why in wheel("x.mge", within=folder).why()


def test_a_model_without_gpu_cannot_run_on_cuda(wheel: Wheel) -> None:
    if Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    assert "out of valid range [0, 0)" in wheel(TINY, "--cuda").why()


def test_it_prints_while_it_runs(wheel: Wheel) -> None:
    """A silence limit must see a slow model's iterations."""
    command = wheel.command(TINY, "--iter", "1000000")
    started = time.monotonic()
    with subprocess.Popen(command, cwd=wheel.place(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        try:
            assert any("iter 9/" in line for line in process.stderr)
        finally:
            process.kill()
    assert time.monotonic() - started < WALL_S


def test_it_leaves_no_file_behind(wheel: Wheel, wheel_folder: Path) -> None:
    before = sorted(wheel_folder.rglob("*"))
    done = wheel(TINY, "--input", inputs_of("tiny")).passed()
    assert not list(done.folder.iterdir())
    assert sorted(wheel_folder.rglob("*")) == before
