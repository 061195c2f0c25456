"""`farm devices stability`: what it prints and its exit codes."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from farm.cli.devices.stability import code_of, tables
from farm.cli.main import main
from farm.compare.stability import Question
from farm.errors import ExitCode
from farm.model.run import CellStatus, Results
from farm.store.codec import results_to_json
from tests.unit.compare.made import cell, run
from tests.unit.compare.test_stability import canary, judged

Farm = Callable[..., tuple[int, str, str]]

INVENTORY = """\
defaults: {runtime: {kind: native, program: load_and_run}}
devices:
  arm-1: {address: 127.0.0.1}
  arm-2: {address: 127.0.0.1}
  arm-3: {address: 127.0.0.1}
"""


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    """Runs `farm devices stability` in a folder with three devices: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    Path("inventory.yaml").write_text(INVENTORY)

    def run_(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", "devices", "stability", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run_


def keep(results: Results, name: str) -> Path:
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    path = folder / "results.json"
    path.write_bytes(results_to_json(replace(results, run_id=name)))
    return path


def test_the_quietest_device_comes_first_and_those_without_rounds_are_named(farm: Farm) -> None:
    keep(canary("arm-1", noise=0.05), "a")
    keep(canary("arm-2", noise=0.002), "b")
    keep(canary("arm-2", noise=0.002, level_ms=10.1), "c")
    code, out, err = farm()
    assert code == ExitCode.OK
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "model: m fp32"
    assert lines[1] == "device pairs sessions 30 pairs show 3 % needs verdict"
    assert lines[2].startswith("arm-2 60 2 0.")
    assert lines[2].endswith(" 6 fit")
    assert lines[3].startswith("arm-1 30 1 ")
    assert "needs" in lines[3]
    assert lines[4].startswith("arm-3 0 0 ")
    assert lines[4].endswith("not known")
    assert "fit to gate a release: arm-2" in out
    assert "  try: farm devices stability arm-3 --measure" in err


def test_nothing_known_gives_4_and_what_to_type(farm: Farm) -> None:
    code, out, err = farm("arm-[1-2]")
    assert code == ExitCode.NOTHING_RAN
    assert "fit to gate a release: none" in out
    assert "try: farm devices stability 'arm-1,arm-2' --measure" in err
    keep(canary("arm-1", pairs=5), "a")
    code, out, _ = farm("arm-1")
    assert code == ExitCode.NOTHING_RAN
    assert "arm-1: m fp32: not known: 5 A/A pairs, 10 are needed" in out


def test_json_has_it_all_and_nothing_else_is_on_stdout(farm: Farm) -> None:
    keep(canary("arm-1", noise=0.002), "a")
    code, out, _ = farm("--json", "--rounds", "50", "--minimum-effect", "2%")
    told = json.loads(out)
    assert told["exit_code"] == code == ExitCode.OK
    assert (told["pairs"], told["minimum_effect"]) == (50, 0.02)
    first = told["devices"][0]
    assert (first["device"], first["fitness"]) == ("arm-1", "fit")
    (answer,) = first["answers"]
    assert 0 < answer["with_minimum_effect"] < answer["smallest_effect"] < 0.02
    assert answer["noise"]["pairs"] == 30
    assert {one["fitness"] for one in told["devices"][1:]} == {"not known"}


def test_a_run_that_is_there_twice_counts_once(farm: Farm) -> None:
    first = keep(canary("arm-1"), "a")
    Path("runs/copy").mkdir()
    Path("runs/copy/results.json").write_bytes(first.read_bytes())
    (answer,) = json.loads(farm("arm-1", "--json")[1])["devices"][0]["answers"]
    assert (answer["noise"]["pairs"], answer["noise"]["sessions_count"]) == (30, 1)


def test_what_a_folder_of_runs_may_hold_is_passed_by(farm: Farm) -> None:
    keep(canary("arm-1", model="\x1b[31mred\u202e" + "x" * 5000), "a")
    keep(canary("\x1b[31marm-1"), "b")
    Path("runs", os.fsdecode(b"caf\xe9")).mkdir()
    keep(canary(), "cut").write_bytes(b'{"schema_version": 3')
    Path("runs/pipe").mkdir()
    os.mkfifo("runs/pipe/results.json")
    with keep(canary(), "huge").open("ab") as stream:
        stream.truncate(1 << 40)
    code, out, err = farm("arm-1")
    assert code == ExitCode.OK
    assert "fit to gate a release: " in out
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err
    assert max(map(len, out.splitlines())) < 300


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("gone",), "gone"),
        (("--rounds", "5"), "--rounds"),
        (("--rounds", "auto"), "--rounds"),
        (("--minimum-effect", "0"), "--minimum-effect"),
        (("--minimum-effect", "nan"), "--minimum-effect"),
        (("--model", "bundled:tiny"), "--model says what --measure runs"),
        (("--measure", "--model", "no/such/file.mge"), "no/such/file.mge"),
        (("--measure", "--model", "bundled:gone"), "gone"),
        (("--inventory", "no.yaml"), "no.yaml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_request_gives_2_and_touches_no_device(farm: Farm, words: Sequence[str], says: str) -> None:
    Path("load_and_run").write_text("#!/bin/sh\n")
    keep(canary("arm-1"), "a")
    code, out, err = farm(*words)
    assert code == ExitCode.REQUEST
    assert says in err
    assert out == ""
    assert os.listdir("runs") == ["a"]


def test_a_device_that_could_not_be_measured_gives_3_where_something_is_known() -> None:
    known, none = judged([canary()]), judged([])
    failed = run(replace(cell(), status=CellStatus.FAILED))
    assert code_of(known, None) is code_of(known, canary()) is ExitCode.OK
    assert code_of(known, failed) is ExitCode.CELLS_FAILED
    assert code_of(none, failed) is code_of(none, None) is ExitCode.NOTHING_RAN


def test_the_tables_fit_a_terminal_of_80_columns() -> None:
    runs = [canary("rk3588-board-17", noise=0.04, model="shufflenet_v2_x0_5", variant="default")]
    shown = Console(width=80, file=io.StringIO(), record=True)
    for part in tables(judged(runs, ("rk3588-board-17", "arm-2")), Question()):
        shown.print(part)
    lines = shown.export_text().splitlines()
    assert len(lines) == 7  # no row is folded
    assert all(len(line.rstrip()) <= 80 for line in lines)
