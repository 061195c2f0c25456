"""What is printed on a terminal, and what a damaged run does to a listing."""

from __future__ import annotations

import io
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from farm.cli.main import main
from farm.cli.terminal.asking import agreed
from farm.cli.terminal.console import say, show_error
from farm.cli.terminal.live import Display
from farm.cli.terminal.progress import Bar
from farm.cli.terminal.results import doubts_of
from farm.errors import RequestError
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Plan
from farm.model.run import Quality
from farm.report.parts.cell import counted
from farm.run.events import Event, Kind
from farm.store.codec import results_to_json
from tests.data.results import make


def test_no_text_of_a_device_controls_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]\x1b[2J\u202ered")
    show_error(RequestError("\x1b[2J", hint="\x07", source="\u202e"))
    assert capsys.readouterr().err == (
        "[bold]<U+001B>[2J<U+202E>red\nerror: <U+202E>: <U+001B>[2J\n  try: <U+0007>\n"
    )


def test_a_run_that_cannot_be_read_is_listed_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, data in (("a", b"{"), ("b", results_to_json(make.small()))):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_bytes(data)
    monkeypatch.setattr("sys.argv", ["farm", "runs", "list", "--runs-dir", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if line[:2] in {"a ", "b "}] == [
        ["a", "unreadable"], ["b", make.small().status]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("show", "journal-1"),
            ("interrupted", "not all is here: its controller ended without a word", "it crashed"),
        ),
        (("list",), ("interrupted", "1 completed, 1 failed, 1 cancelled, 1 skipped")),
    ],
)
def test_a_run_that_was_killed_is_shown_with_what_it_measured(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: tuple[str, ...],
) -> None:
    runs = Path(__file__).parents[2] / "data" / "runs"
    monkeypatch.setattr("sys.argv", ["farm", "runs", *words, "--runs-dir", str(runs)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert [word for word in said if word not in text] == []


def test_a_progress_bar_that_was_closed_never_comes_back(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr("farm.cli.terminal.progress.err", terminal)
    monkeypatch.setattr("farm.cli.terminal.progress.is_narrow", lambda: False)
    with Bar() as bar:
        bar.update("unpacking", 1, 2)
    shown = terminal.file.getvalue()  # type: ignore[attr-defined]
    bar.update("packing", 1, 2)
    assert "unpacking" in shown
    assert terminal.file.getvalue() == shown  # type: ignore[attr-defined]
    assert capsys.readouterr().err == "packing ...\n"


def test_a_display_ends_though_its_terminal_was_closed_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr("farm.cli.terminal.live.err", terminal)
    monkeypatch.setattr("farm.cli.terminal.live.is_narrow", lambda: False)
    with Display(Plan((), (), (), (), (), 1, 1)) as display:
        assert display._live.is_started
        terminal._force_terminal = False
    assert not display._live.is_started


def test_a_report_is_written_into_what_is_no_file_and_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Path(__file__).parents[2] / "data" / "runs"
    pipe, link = tmp_path / "pipe", tmp_path / "link.html"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "target.html")
    reader = subprocess.Popen(("cat", str(pipe)), stdout=subprocess.PIPE)
    for output in (pipe, link):
        words = ["farm", "report", "journal-1", "--runs-dir", str(runs), "--output", str(output)]
        monkeypatch.setattr("sys.argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
    assert reader.communicate()[0].startswith(b"<!doctype html>")
    assert pipe.is_fifo()
    assert link.is_symlink()
    assert (tmp_path / "target.html").read_bytes().startswith(b"<!doctype html>")


def test_steps_that_differ_in_their_numbers_only_do_not_fill_a_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    device = Device("d", Address("h"), Runtime(RuntimeKind.WHEEL))
    with Display(Plan((device,), (), (), (), (), 1, 1)) as display:
        for celsius in range(54, 46, -1):
            display.on_event(Event("d", Kind.STEP, f"cooling {celsius} -> 47 C"))
        display.on_event(Event("d", Kind.STEP, "resnet18/threads=1: searching"))
        display.on_event(Event("d", Kind.STEP, "resnet50/threads=1: searching"))
        display.on_event(Event("d", Kind.STEP, "resnet50/threads=4: searching"))
    assert capsys.readouterr().err.splitlines() == [
        "d: cooling 54 -> 47 C",
        "d: resnet18/threads=1: searching",
        "d: resnet50/threads=1: searching",
        "d: resnet50/threads=4: searching",
    ]


def test_a_question_that_nobody_can_answer_is_told_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(RequestError, match=r"nobody answered: Trust lab\?") as refused:
        agreed("Trust lab?")
    assert refused.value.hint == "--yes agrees beforehand"


def test_rounds_that_were_not_sound_are_told_below_the_table() -> None:
    results = make.small()
    cell = next(one for one in results.cells if one.summary)
    busy = replace(cell, rounds=tuple(replace(one, quality=Quality.BUSY) for one in cell.rounds))
    told = list(doubts_of(replace(results, cells=(busy,))))
    assert told == [f"{cell.id}: device busy: {len(counted(cell))} of {len(counted(cell))} rounds"]
    assert len(list(doubts_of(replace(results, cells=(busy,) * 30)))) == 11


def test_runs_are_listed_by_when_they_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, at_s in (("b", 100), ("c", 50), ("a", 200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results.json").write_bytes(results_to_json(make.small()))
        os.utime(tmp_path / name / "results.json", (at_s, at_s))
    monkeypatch.setattr("sys.argv", ["farm", "runs", "list", "--runs-dir", str(tmp_path), "--json"])
    with pytest.raises(SystemExit):
        main()
    assert [one["run_id"] for one in json.loads(capsys.readouterr().out)] == ["c", "b", "a"]
