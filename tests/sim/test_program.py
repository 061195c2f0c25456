"""The stand-in for load_and_run: read by farm's own parsers, as the real one is."""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from farm.logs.help import parse_flags
from farm.logs.load_and_run import parse_log
from farm.sim import places
from farm.sim.program.command_line import MistakeError, read
from farm.sim.program.times import Times
from farm.sim.properties import Ending, Program, from_json, to_json
from tests.e2e.conftest import ROOT

FLAGS = {"iter": "int32", "warmup_iter": "int32", "profile": "string", "cpu": "bool", "range": "double"}
TINY = str(ROOT / "farm" / "bundled" / "tiny.mge")


def run(folder: Path, program: Program, *words: str) -> subprocess.CompletedProcess[bytes]:
    places.settings_file(folder).parent.mkdir(exist_ok=True)
    places.settings_file(folder).write_text(to_json(program, FLAGS))
    environment = {"HOME": str(folder), "PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "LANG": "C"}
    command = (sys.executable, "-S", "-s", "-m", "farm.sim.program", *words)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False, timeout=60)


def test_its_log_has_the_set_number_of_times(tmp_path: Path) -> None:
    done = run(tmp_path, Program(latency_ms=4.0, noise=0.1), TINY, "--iter=7", "--warmup-iter", "2", "-cpu")
    assert (done.returncode, done.stdout) == (0, b"")
    read = parse_log(done.stderr.decode())
    assert read.complete
    assert (len(read.e2e_ms), read.warmup_ms, read.load_ms) == (7, (5.0, 5.0), 1.0)
    assert (read.engine, read.interface, read.skipped_lines) == ("MegBrain 1.13.0, MegDNN 9.3.0", "mdl", 0)


def test_a_log_may_be_long_and_full_of_raw_bytes(tmp_path: Path) -> None:
    done = run(tmp_path, Program(says="\udcff\x00\n", log_bytes=200_000), TINY)
    assert b"\xff\x00\n" in done.stderr
    assert 200_000 <= len(done.stderr) + 100 < 210_000
    assert parse_log(done.stderr.decode("utf-8", "replace")).complete


@pytest.mark.parametrize(
    ("ending", "code", "last"),
    [
        (Ending.CUT, 0, b"iter 9/10"),
        (Ending.CRASH, 134, b"extra message"),
        (Ending.NORMAL, 0, b"=== total time"),
    ],
)
def test_it_ends_as_it_was_set(tmp_path: Path, ending: Ending, code: int, last: bytes) -> None:
    done = run(tmp_path, Program(ending=ending), TINY)
    assert done.returncode == code
    assert last in done.stderr.strip().splitlines()[-1]
    assert parse_log(done.stderr.decode()).complete is (ending is Ending.NORMAL)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((TINY, "--no-such"), 1, "ERROR: unknown command line flag 'no-such'"),
        ((TINY, "--iter=many"), 1, "ERROR: illegal value 'many' specified for int32 flag 'iter'"),
        ((TINY, "--profile"), 1, "ERROR: flag '--profile' is missing its argument"),
        (("missing.mge",), 134, "failed to open missing.mge"),
        (("--version",), 0, "load_and_run version"),
        ((), 255, "usage"),
    ],
)
def test_it_refuses_what_the_real_one_refuses(
    tmp_path: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    done = run(tmp_path, Program(), *words)
    assert done.returncode == code
    assert said in (done.stdout + done.stderr).decode()


def test_its_help_names_its_flags(tmp_path: Path) -> None:
    done = run(tmp_path, Program(), "--help")
    assert done.returncode == 1
    assert parse_flags(done.stdout.decode()) > FLAGS.keys()


def test_a_command_line_is_read_as_gflags_does() -> None:
    words = ["-cpu", "m.mge", "--warmup-iter", "3", "other", "--profile=a=b", "--range", "-1.5"]
    assert read(words, FLAGS) == (
        "m.mge",
        {"cpu": "true", "warmup_iter": "3", "profile": "a=b", "range": "-1.5"},
    )
    assert read(["--cpu=false"], FLAGS) == (None, {})
    with pytest.raises(MistakeError, match="range"):
        read(["--range=x"], FLAGS)


def test_the_noise_is_lognormal_and_the_same_for_the_same_seed() -> None:
    options = {"iter": "2000"}
    program = Program(latency_ms=3.0, noise=0.05, seed=7)
    one, again, next_run = (Times(program, number, "tiny", options).e2e_ms for number in (1, 1, 2))
    assert one == again
    assert one != next_run
    logs = [math.log(value) for value in one]
    assert math.isclose(math.exp(statistics.fmean(logs)), 3.0, rel_tol=0.01)
    assert math.isclose(statistics.stdev(logs), 0.05, rel_tol=0.1)
    times = Times(program, 1, "tiny", options)
    assert math.isclose(times.deviation_ms, statistics.stdev(one))


def test_factors_are_of_flags_and_models() -> None:
    program = Program(latency_ms=1.0, noise=0.0, factors=(("warmup-iter", 2.0), ("tiny", 3.0), ("int8", 5.0)))
    assert Times(program, 1, "tiny", {"warmup_iter": "1", "iter": "1"}).e2e_ms == [6.0]


def test_properties_come_back_from_json() -> None:
    from farm.sim.oddities import ODDITIES

    for oddity in ODDITIES.values():
        program = oddity.properties.program
        assert from_json(to_json(program, FLAGS)) == (program, FLAGS)


def test_runs_are_counted_and_kept(tmp_path: Path) -> None:
    assert places.runs(tmp_path) == ()
    run(tmp_path, Program(), TINY, "--iter=1")
    run(tmp_path, Program(), TINY, "--cpu")
    run(tmp_path, Program(), "--help")  # is none
    assert places.runs(tmp_path) == ((TINY, "--iter=1"), (TINY, "--cpu"))
