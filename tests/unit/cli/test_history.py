"""`farm history` and `farm runs index`: what they print and their exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.cli.history import as_text
from farm.cli.history.as_text import ASCII, BLOCKS, sparkline
from farm.cli.main import main
from farm.errors import ExitCode
from farm.history.nouns import Point
from tests.unit.history.nights import keep, name_of, night

Farm = Callable[..., tuple[int, str, str]]
OTHER = {"runtime_digest": "d" * 64}


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    """Runs `farm` in a folder with thirty nights, of which the last ten have another build that is slower."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FARM_DATABASE", raising=False)
    for number in range(30):
        keep(
            Path("runs"),
            night(number, lambda at: 1.2 if at >= 20 else 1.0, context=OTHER if number >= 20 else {}),
        )

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def test_a_change_is_told_with_its_size_its_place_and_what_changed_there(farm: Farm) -> None:
    code, out, _ = farm("history", "shufflenet*")
    assert code == ExitCode.OK
    lines = out.splitlines()
    assert lines[0].startswith("local/shufflenet_v2/fp32  1")
    assert "30 runs, 2026-01-01 to 2026-01-30, noise " in lines[1]
    assert lines[2].startswith("  \N{BLACK UP-POINTING TRIANGLE} +")
    assert lines[2].endswith(f"since {name_of(20)}, 2026-01-21")
    assert "20 runs before, 10 after; another build" in lines[3]
    assert lines[4] == f"      runtime's files: {'b' * 12} and {'d' * 12}"
    assert lines[-1] == "1 series"


def test_as_json_it_has_every_point_and_every_change(farm: Farm) -> None:
    code, out, _ = farm("history", "--json")
    assert code == ExitCode.OK
    [found] = json.loads(out)
    assert found["id"] == "local/shufflenet_v2/fp32"
    assert [one["run"] for one in found["points"]] == [name_of(number) for number in range(30)]
    [change] = found["changes"]
    assert (change["at"], change["why"], change["points_after"]) == (20, "build", 10)
    assert found["suspect"] is None


def test_since_and_changes_leave_out_what_is_not_asked_for(farm: Farm) -> None:
    [found] = json.loads(farm("history", "--since", "2026-01-21", "--json")[1])
    assert len(found["points"]) == 10
    code, out, _ = farm("history", "--since", "2026-01-21", "--changes")
    assert (code, out) == (ExitCode.OK, "no series changed\n")
    assert json.loads(farm("history", "--since", "1h", "--json")[1]) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("shufflenet",), "no series of model shufflenet (did you mean shufflenet_v2?)"),
        (("shufflenet_v2", "--device", "arm-9"), "no series of shufflenet_v2 has such a device"),
        (("--since", "yesterday"), "--since: yesterday is no time"),
        (("--since", "0d"), "--since: 0d is no time"),
        (("--minimum-effect", "many"), "--minimum-effect"),
        (("--runs-dir", "nowhere"), "cannot read nowhere"),
        (("--database", "nosuchkind://x/y"), "unknown kind of database"),
    ],
)
def test_what_cannot_be_shown_is_refused_with_what_to_type(
    farm: Farm, words: tuple[str, ...], message: str
) -> None:
    code, out, err = farm("history", *words)
    assert (code, out) == (ExitCode.REQUEST, "")
    assert message in err
    assert "  try: " in err


def test_a_folder_without_runs_has_no_history(farm: Farm) -> None:
    Path("empty").mkdir()
    code, out, _ = farm("history", "--runs-dir", "empty")
    assert (code, out) == (ExitCode.OK, "no runs in empty; type: farm bench\n")


def test_the_index_says_what_it_read_and_a_second_one_reads_nothing(farm: Farm) -> None:
    (Path("runs") / name_of(3) / "results.json").write_text("{")
    code, out, _ = farm("runs", "index")
    assert code == ExitCode.OK
    assert out.splitlines() == [
        "runs/farm.db: 30 runs, 1 series, 29 points",
        "30 runs read now; 1 run cannot be read: farm runs list says why",
    ]
    made = json.loads(farm("runs", "index", "--json")[1])
    assert (made["runs"], made["read"], made["database"]) == (30, 0, "runs/farm.db")
    assert json.loads(farm("runs", "index", "--anew", "--json")[1])["read"] == 30


def test_the_database_may_be_anywhere(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_DATABASE", "sqlite:///elsewhere.db")
    assert farm("history")[0] == ExitCode.OK
    assert Path("elsewhere.db").is_file()
    assert not Path("runs/farm.db").exists()


def test_a_folder_of_runs_with_a_database_in_it_has_no_run_more(farm: Farm) -> None:
    before = farm("runs", "list")[1]
    farm("runs", "index")
    assert farm("runs", "list")[1] == before


def points(*medians: float | None) -> list[Point]:
    return [Point(str(at), at, "", "completed", median_ms=one) for at, one in enumerate(medians)]


@pytest.mark.parametrize(
    ("medians", "line"),
    [
        ((1.0, 8.0), "▁█"),
        ((1.0, None, 2.0), "▁x█"),
        ((3.0, 3.0), "▁▁"),
        ((None, float("nan")), "xx"),
        ((), ""),
    ],
)
def test_a_sparkline_has_a_character_for_each_run(medians, line: str) -> None:
    assert sparkline(points(*medians), BLOCKS) == line
    assert sparkline(points(*medians), ASCII) == line.translate(str.maketrans(BLOCKS, ASCII))


def test_of_very_many_runs_the_newest_are_in_the_sparkline(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(as_text, "MOST_POINTS", 5)
    assert farm("history")[1].splitlines()[1].strip().index(" ") == 5
