"""The newest runs of a folder, for estimates."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from farm.store import recent
from farm.store.recent import MOST_RUNS, recent_results

RESULTS = Path(__file__).parents[2] / "data/results/version-3.json"


def make(folder: Path, name: str, age_s: float = 0.0) -> Path:
    run = folder / name
    run.mkdir()
    path = run / "results.json"
    shutil.copyfile(RESULTS, path)
    os.utime(path, (1e9 - age_s, 1e9 - age_s))
    return path


def test_the_newest_few_are_read_and_what_is_no_run_is_passed_by(tmp_path: Path) -> None:
    for number in range(MOST_RUNS + 2):
        make(tmp_path, f"r{number}", age_s=number)
    (tmp_path / os.fsdecode(b"caf\xe9")).mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "results.json").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert len(recent_results(tmp_path)) == MOST_RUNS
    assert recent_results(tmp_path / "none") == ()
    assert recent_results(tmp_path / "file") == ()


def test_what_is_damaged_huge_or_a_pipe_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "MOST_BYTES", make(tmp_path, "good", age_s=10).stat().st_size)
    make(tmp_path, "cut").write_text('{"schema_version": 3')
    with make(tmp_path, "huge").open("a") as stream:
        stream.write(" ")
    pipe = make(tmp_path, "pipe")
    pipe.unlink()
    os.mkfifo(pipe)
    assert len(recent_results(tmp_path)) == 1


def test_it_takes_no_longer_than_a_moment(tmp_path: Path) -> None:
    for number in range(3):
        make(tmp_path, f"r{number}")
    seconds = iter(range(100))
    assert len(recent_results(tmp_path, lambda: float(next(seconds)))) == 0
