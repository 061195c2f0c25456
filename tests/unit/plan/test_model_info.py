"""Asking a program for a model's tensors: what it says counts only whole, and is asked for once."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm import agents
from farm.model.measurement import TensorInfo
from farm.plan.content import model_info
from farm.plan.content.model_info import UnreadableError, model_tensors
from farm.runtime import compact
from farm.runtime.install import InstalledRuntime
from farm.store.artifacts import artifact_of

WHOLE = """
+Runtime Model Info----+-------+---------+
|  type  |    name     | shape |  dtype  |
+--------+-------------+-------+---------+
| INPUT  | data        | {1,3} | float32 |
+--------+-------------+-------+---------+
| OUTPUT | out         | {1,9} | float32 |
+--------+-------------+-------+---------+

"""
TENSORS = (TensorInfo("input", "data", (1, 3), "float32"), TensorInfo("output", "out", (1, 9), "float32"))


class Program:
    """A program in the place of load_and_run.py, and how often it was asked."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch, self.asked = folder, monkeypatch, 0
        (folder / "m.mge").write_bytes(b"model")
        monkeypatch.setenv("FARM_CACHE_DIR", str(folder / "cache"))
        monkeypatch.setattr(compact, "files", lambda *_, **__: ())

    def does(self, text: str) -> None:
        path = self.folder / "program.py"
        path.write_text(f"import os, sys, time\n{text}\n")
        artifact = artifact_of(path)
        files = (("load_and_run.py", artifact), ("mge/execution/run.py", artifact))
        self.monkeypatch.setattr(agents, "runner_files", lambda: files)

    def prints(self, table: str) -> None:
        self.does(f"print({table + table!r}, file=sys.stderr)")

    def tensors(self) -> tuple[TensorInfo, ...]:
        def progress(*_: object) -> None:
            self.asked += 1

        runtime = InstalledRuntime("1.13.0", self.folder, ())
        return model_tensors(artifact_of(self.folder / "m.mge"), runtime, progress)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    return Program(tmp_path, monkeypatch)


def test_a_model_is_asked_once_and_again_for_another_runtime(program: Program) -> None:
    program.prints(WHOLE)
    assert (program.tensors(), program.tensors(), program.asked) == (TENSORS, TENSORS, 1)
    program.prints(WHOLE.replace("{1,3}", "{1,4}"))
    assert (program.tensors()[0].shape, program.asked) == ((1, 4), 2)


@pytest.mark.parametrize(
    "kept", ["", "{}", "[1]", '[{"name": "data"}]', '[{"direction": 1, "shape": 2, "name": 3, "dtype": 4}]']
)
def test_a_damaged_answer_is_asked_for_again(program: Program, kept: str) -> None:
    program.prints(WHOLE)
    program.tensors()
    (path,) = (program.folder / "cache" / "model-info").iterdir()
    path.write_text(kept)
    assert program.tensors() == TENSORS


@pytest.mark.parametrize("table", [WHOLE.replace("data   ", "d" * 300), ""], ids=["long-name", "no-table"])
def test_a_table_that_cannot_be_read_makes_no_input_unknown(program: Program, table: str) -> None:
    program.prints(table)
    with pytest.raises(UnreadableError, match="--model-info output"):
        program.tensors()
    assert list((program.folder / "cache").iterdir()) == []


def test_a_program_that_fails_says_why(program: Program) -> None:
    program.does("print('  what():  no such operator', file=sys.stderr); sys.exit(134)")
    with pytest.raises(UnreadableError, match="no such operator"):
        program.tensors()


def test_a_program_that_hangs_is_ended(program: Program) -> None:
    program.monkeypatch.setattr(model_info, "LIMIT_S", 0.2)
    program.does("time.sleep(1000)")
    with pytest.raises(UnreadableError, match="more than"):
        program.tensors()


def test_settings_of_the_user_do_not_reach_the_program(program: Program) -> None:
    program.monkeypatch.setenv("MGB_LOG", "debug")
    program.does(f"assert 'MGB_LOG' not in os.environ\nprint({WHOLE + WHOLE!r}, file=sys.stderr)")
    assert program.tensors() == TENSORS
