"""The command that makes a build: its last line, its exit codes, and that nothing of it stays."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from farm.bisect import logs
from farm.bisect.command import Maker, Skip
from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines


def maker(folder: Path, script: str, build_s: float = 60) -> Maker:
    (folder / "make").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "make").chmod(0o755)
    return Maker(f"{folder}/make '{{step}}' {folder}", folder / "logs", Deadlines(build_s=build_s))


def test_its_last_line_names_the_build_and_its_output_is_kept(tmp_path: Path) -> None:
    made = maker(tmp_path, 'echo "$1"; echo noise >&2; echo "$2"; echo').make("a b; touch x", "v1")
    assert made == tmp_path
    assert (tmp_path / "logs" / "v1.stdout").read_text().startswith("a b; touch x\n")
    assert (tmp_path / "logs" / "v1.stderr").read_text() == "noise\n"


def test_exit_code_125_skips_and_any_other_ends_the_bisect(tmp_path: Path) -> None:
    assert maker(tmp_path, "echo no compiler >&2; exit 125").make("a", "a") == Skip(
        "the command ended with 125: no compiler"
    )
    for script, says in (("echo why >&2; exit 3", "ended with 3: why"), ("kill -9 $$", "ended with 137")):
        with pytest.raises(RequestError, match=says) as caught:
            maker(tmp_path, script).make("a", "a")
        assert "exit code 125 skips a step" in caught.value.hint


@pytest.mark.parametrize(
    "script", ["true", "echo /no/such/folder", "printf '\\377\\n'"], ids=("nothing", "gone", "bytes")
)
def test_a_last_line_that_is_no_build_is_refused(tmp_path: Path, script: str) -> None:
    with pytest.raises(RequestError, match="the last line of the command for a names"):
        maker(tmp_path, script).make("a", "a")


def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"did not end within 0.3 s \(deadline build\)") as caught:
        maker(tmp_path, f"sleep 1000 & echo $! >{tmp_path}/pid; wait", build_s=0.3).make("a", "a")
    assert "--deadline build=0.6" in caught.value.hint
    pid = int((tmp_path / "pid").read_text())
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return
        if state == "Z":
            return
        time.sleep(0.05)
    os.kill(pid, 9)
    raise AssertionError("it still runs")


def test_a_log_that_is_too_long_loses_its_middle_and_its_last_line_still_names_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MOST_BYTES", 1000)
    flood = "head -c 300000 /dev/zero | tr '\\0' x"
    assert maker(tmp_path, f"echo first; {flood}; echo; echo $2").make("a", "a") == tmp_path
    kept = (tmp_path / "logs" / "a.stdout").read_text()
    assert kept.startswith("first\nx")
    printed = len("first\n") + 300_000 + len(f"\n{tmp_path}\n")
    assert f"x\n[farm dropped {printed - 1000 - logs.LAST_BYTES} bytes here]\nx" in kept
    assert kept.endswith(f"x\n{tmp_path}\n")
    assert len(kept) < 1000 + logs.LAST_BYTES + 100


def test_a_process_that_it_leaves_behind_with_its_output_open_is_not_waited_for(tmp_path: Path) -> None:
    script = f"setsid sh -c 'echo $$ >{tmp_path}/pid; exec sleep 1000' &\nuntil test -s {tmp_path}/pid; do sleep 0.02; done\necho $2"
    try:
        assert maker(tmp_path, script, build_s=10).make("a", "a") == tmp_path
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("./build.sh", "does not name {step}"),
        ("'", "cannot be read"),
        ("/no/such {step}", "cannot run /no/such"),
    ],
    ids=("no-step", "quote", "missing"),
)
def test_a_command_that_cannot_be_is_refused(tmp_path: Path, command: str, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        Maker(command, tmp_path / "logs", Deadlines()).make("a", "a")
    assert says in str(caught.value)
