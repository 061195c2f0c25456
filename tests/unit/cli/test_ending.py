"""How `farm` ends: every outcome is an exit code of docs/cli.md, and no traceback is on the terminal."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farm.cli.failure import report
from farm.cli.main import main
from farm.errors import DeviceError, ExitCode, Fault, RequestError, RunError, Stage

Raises = Callable[..., int]


class _UnprintableError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


@pytest.fixture
def ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Raises:
    """The exit code of `farm runs list --runs-dir PATH` when it raises this."""
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))

    def run(error: BaseException, *words: str) -> int:
        def command() -> None:
            raise error

        monkeypatch.setattr("farm.cli.runtime.list.command", command)
        monkeypatch.setattr("sys.argv", ["farm", "runtime", "list", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run


DEVICE = DeviceError("gone", stage=Stage.CONNECT, fault=Fault.NETWORK, cause="unreachable")
UNEXPECTED = {
    "a bug": TypeError("'NoneType' object is not iterable"),
    "deep": RecursionError("maximum recursion depth exceeded"),
    "memory": MemoryError(),
    "bytes": UnicodeEncodeError("ascii", "\udce9", 0, 1, "ordinal not in range"),
    "half characters": ValueError("\udce9\x1b[2J"),
    "no text": _UnprintableError(),
    "group": ExceptionGroup("some", [ValueError("a"), RunError("b")]),
    "a library's exit": SystemExit(1),
    "a library's words": SystemExit("cannot go on"),
    "another pipe": BrokenPipeError(errno.EPIPE, "Broken pipe"),
    "disk": OSError(errno.ENOSPC, "No space left on device", "/somewhere"),
    "system": PermissionError(errno.EACCES, "Permission denied", "/somewhere"),
    "generator": GeneratorExit(),
}


@pytest.mark.parametrize("error", UNEXPECTED.values(), ids=UNEXPECTED)
def test_what_nobody_expected_is_an_error_with_its_traceback_in_a_private_file(
    ends: Raises, error: BaseException, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ends(error) == ExitCode.NOTHING_RAN
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "  try: " in said
    assert "Traceback" not in said
    (saved,) = (tmp_path / "cache" / "errors").iterdir()
    assert str(saved) in said
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.parent.stat().st_mode & 0o777 == 0o700
    assert "Traceback" in saved.read_text("utf-8")


def test_a_file_on_the_command_line_that_cannot_be_used_is_a_wrong_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr("sys.argv", ["farm", f"--runs-dir={tmp_path}"])
    assert report(NotADirectoryError(errno.ENOTDIR, "Not a directory", str(tmp_path / "x"))) == 2
    assert "cannot use" in capsys.readouterr().err


EXPECTED = {
    "request": (RequestError("no"), 2),
    "run": (RunError("no"), 4),
    "device": (DEVICE, 4),
    "one in a group": (ExceptionGroup("some", [ExceptionGroup("more", [RequestError("no")])]), 2),
    "two in a group": (ExceptionGroup("some", [RequestError("no"), DEVICE]), 4),
    "Ctrl-C": (KeyboardInterrupt(), 130),
    "Ctrl-C in a group": (BaseExceptionGroup("some", [KeyboardInterrupt(), ValueError()]), 130),
    "the end of the input": (EOFError(), 130),
}


@pytest.mark.parametrize(("error", "code"), EXPECTED.values(), ids=EXPECTED)
def test_errors_and_interruptions_have_their_code(ends: Raises, error: BaseException, code: int) -> None:
    assert ends(error) == code


def test_an_error_while_an_interruption_is_cleaned_up_is_told_and_the_code_stays(
    ends: Raises, capsys: pytest.CaptureFixture[str]
) -> None:
    error = RequestError("results cannot be read")
    error.__context__ = KeyboardInterrupt()
    assert ends(error) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == "error: results cannot be read\ninterrupted\n"


def test_a_timeout_inside_a_library_is_no_interruption(ends: Raises) -> None:
    import asyncio

    error = RunError("too slow")
    error.__cause__ = TimeoutError()
    error.__cause__.__context__ = asyncio.CancelledError()
    assert ends(error) == ExitCode.NOTHING_RAN


def test_a_traceback_that_cannot_be_saved_is_said_with_the_place_of_the_error(
    ends: Raises, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cache").touch()
    assert ends(TypeError("x")) == ExitCode.NOTHING_RAN
    said = capsys.readouterr().err
    assert "could not be saved" in said
    assert f"{__file__}:" in said


def test_only_the_newest_tracebacks_are_kept(ends: Raises, tmp_path: Path) -> None:
    for _ in range(25):
        ends(TypeError("x"))
    assert len([*(tmp_path / "cache" / "errors").iterdir()]) == 20


def run(code: str, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


BESIDE = {
    "a thread": "import threading; t = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()",
    "a destructor": "X = type('X', (), {'__del__': lambda self: 1 / 0}); X()",
    "a task": "from farm.cli.terminal.loop import run\nimport asyncio\nasync def w():\n  async def f(): 1 / 0\n"
    "  t = asyncio.ensure_future(f()); await asyncio.sleep(0); await asyncio.sleep(0); del t\nrun(w())",
}


@pytest.mark.parametrize("work", BESIDE.values(), ids=BESIDE)
def test_faults_beside_the_work_leave_no_traceback_on_the_terminal(work: str, tmp_path: Path) -> None:
    code = (
        "import farm.cli.main as m, farm.cli.runtime.list as l\n"
        f"def command(): exec({work!r}, {{'m': m}})\nl.command = command\nm.main()"
    )
    done = run(code, "runtime", "list", env=os.environ | {"FARM_CACHE_DIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in done.stderr
    (saved,) = (tmp_path / "errors").iterdir()
    assert "ZeroDivisionError" in saved.read_text()


def test_the_end_of_the_interpreter_is_silent(tmp_path: Path) -> None:
    code = "import farm.cli.main as m\nm.kept = type('X', (), {'__del__': lambda self: 1 / 0})()\nm.main()"
    done = run(code, "--version", env=os.environ | {"FARM_CACHE_DIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_thread_that_cannot_be_stopped_does_not_keep_the_process(tmp_path: Path) -> None:
    code = (
        "import farm.cli.main as m, farm.cli.runtime.list as l, farm.cli.ending as e, threading, time\n"
        "e.THREADS_S = 0.1\n"
        "def command(): threading.Thread(target=time.sleep, args=(100000,)).start(); raise KeyboardInterrupt\n"
        "l.command = command\nm.main()"
    )
    done = run(code, "runtime", "list")
    assert done.returncode == 130, done.stderr
    assert done.stderr == "interrupted\n"


def test_an_installation_without_its_files_says_so() -> None:
    done = run("import sys, farm.cli.main as m\nsys.modules['farm.cli.ending'] = None\nm.main()")
    assert done.returncode == 4
    assert "installation of farm is broken" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_interruption_while_modules_are_imported_is_one() -> None:
    code = (
        "import sys, farm.cli.main as m\n"
        "class F:\n  def find_spec(self, name, *_):\n    if name == 'typer': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, F())\nm.main()"
    )
    done = run(code, "--help")
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("what", ["typer.confirm('?')", "input()", "(_ for _ in ()).throw(typer.Abort())"])
def test_a_question_without_an_answer_is_an_interruption(what: str) -> None:
    code = "import farm.cli.main as m, farm.cli.runtime.list as l, typer\n"
    code += f"def command(): {what}\nl.command = command\nm.main()"
    for stdin in (subprocess.DEVNULL, None):
        closed = (lambda: os.close(0)) if stdin is None else None
        done = run(code, "runtime", "list", stdin=stdin, preexec_fn=closed)
        assert done.returncode == 130, done.stderr
        assert "Traceback" not in done.stderr
