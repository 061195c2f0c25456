"""`farm compare` and `farm export`: what they print and their exit codes."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from farm.cli.main import main
from farm.errors import ExitCode
from farm.model.artifact import Produced
from farm.model.matrix import RoundKind
from farm.model.run import Results, RoundResult, RoundStatus
from farm.store.codec import results_to_json
from tests.data.results import make
from tests.unit.compare.made import cell, duel, noise, run, timed

Farm = Callable[..., tuple[int, str, str]]


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    """Runs `farm` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)

    def run_(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run_


def keep(results: Results, name: str) -> None:
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    (folder / "results.json").write_bytes(results_to_json(replace(results, run_id=name)))


def night(change: float = 1.0, rounds: int = 10) -> Results:
    return run(cell(*timed(noise(rounds, 0.004, 10.0 * change))))


def test_two_nights_that_are_alike_give_0_and_no_table(farm: Farm) -> None:
    keep(night(), "a")
    keep(night(1.001), "b")
    code, out, err = farm("compare", "a", "b")
    assert code == ExitCode.OK
    assert "b compared with a" in out
    assert "1 unchanged" in out
    assert "arm-1/m/fp32" not in out
    assert "--all shows them" in err
    assert "arm-1/m/fp32" in farm("compare", "a", "b", "--all")[1]


def test_what_looks_slower_is_undecided_and_gives_5(farm: Farm) -> None:
    keep(night(), "a")
    keep(night(1.2), "b")
    code, out, _ = farm("compare", "a", "b")
    assert code == ExitCode.UNDECIDED
    assert " % slower than run a" in out
    assert farm("compare", "a", "b", "--max-undecided", "1")[0] == ExitCode.OK
    assert farm("compare", "a", "b", "--minimum-effect", "40%")[0] == ExitCode.OK


def test_a_confirmed_regression_gives_1(farm: Farm) -> None:
    made = duel(1.06, confirm=20)
    keep(run(replace(made.cells[1], rounds=timed(noise(10, 0.005)))), "a")
    keep(replace(made, duels=(replace(made.duels[0], since="a"),)), "b")
    code, out, _ = farm("compare", "a", "b")
    assert code == ExitCode.REGRESSION
    assert "slower than run a" in out


def test_a_cell_without_a_baseline_is_named_and_undecided(farm: Farm) -> None:
    first = cell(*timed(noise(10, 0.004)))
    keep(run(first, replace(first, device="arm-9")), "a")
    keep(run(first, *(replace(first, device=f"arm-{number}") for number in range(2, 14))), "b")
    code, out, _ = farm("compare", "a", "b")
    assert code == ExitCode.UNDECIDED
    assert "arm-2/m/fp32: has no baseline" in out
    assert "more: has no baseline; --json names them" in out
    assert farm("compare", "a", "b", "--max-undecided", "11")[0] == ExitCode.OK


def test_json_has_it_all_and_nothing_else_is_on_stdout(farm: Farm) -> None:
    keep(night(), "a")
    keep(night(1.2), "b")
    code, out, _ = farm("compare", "a", "b", "--json")
    told = json.loads(out)
    assert told["exit_code"] == code == ExitCode.UNDECIDED
    assert told["change"] == "nothing"
    assert told["counts"] == {"slower": 0, "faster": 0, "inconclusive": 1, "invalid": 0, "unchanged": 0}
    assert told["comparisons"][0]["screen"]["ratio"] == pytest.approx(1.2, rel=0.01)
    assert told["comparisons"][0]["baseline_run"] == "a"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("a", "gone"), "no run 'gone'"),
        (("gone", "b"), "no run 'gone'"),
        (("a", "a"), "are the same run"),
        (("b", "latest"), "are the same run"),
        (("a", "other"), "no common cell"),
        (("a", "b", "--minimum-effect", "3"), "--minimum-effect"),
        (("a", "b", "--minimum-effect", "-1%"), "--minimum-effect"),
        (("a", "b", "--max-undecided", "-1"), "--max-undecided"),
        (("a", "b", "--change", "weather"), "--change"),
        (("a", "broken"), "not a results file"),
        (("a",), "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_request_gives_2_and_what_is_wrong(farm: Farm, words: tuple[str, ...], says: str) -> None:
    keep(night(), "a")
    keep(replace(night(), started_at="2027-01-01T00:00:00+00:00"), "b")
    keep(run(cell(*timed([1.0]), device="x", variant="y")), "other")
    keep(night(), "broken")
    Path("runs/broken/results.json").write_bytes(b"\xff{")
    (Path("runs/b") / "run.json").write_text('{"started_at": "2027-01-01T00:00:00+00:00"}')
    code, out, err = farm("compare", *words)
    assert code == ExitCode.REQUEST
    assert says in err
    assert out == ""


def test_hostile_names_are_shown_and_not_obeyed(farm: Farm) -> None:
    odd = replace(cell(*timed(noise(10, 0.004))), device="\x1b[31mred", variant="\u202egnp")
    keep(run(odd), "a")
    keep(run(replace(odd, rounds=timed(noise(10, 0.004, 20.0)))), "b")
    code, out, _ = farm("compare", "a", "b")
    assert code == ExitCode.UNDECIDED
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "<U+001B>[31mred" in out


def test_a_summary_stands_in_what_a_run_shows(farm: Farm) -> None:
    keep(make.compared(), "a")
    _, out, _ = farm("runs", "show", "a")
    assert "NO-GO: " in out
    assert "1 slower" in out
    assert "tiny/fp32@new: new is 5." in out
    assert "canaries: 0 of 2 cells differed from themselves" in out
    assert "fp32@old" in out  # a column for each build


def test_an_export_is_printed_and_nothing_else_is(farm: Farm) -> None:
    keep(make.compared(), "a")
    code, out, err = farm("export", "a", "--format", "junit")
    assert code == ExitCode.OK
    assert ET.fromstring(out.encode()).tag == "testsuites"
    assert err == ""
    assert farm("export", "a", "--format", "markdown")[1].startswith("## farm: a\n")


def test_an_export_goes_to_a_file_whole_or_not_at_all(farm: Farm) -> None:
    keep(make.compared(), "a")
    code, out, _ = farm("export", "a", "--format", "junit", "--output", "farm.xml")
    assert (code, out) == (ExitCode.OK, "farm.xml\n")
    assert ET.parse("farm.xml").getroot().tag == "testsuites"
    assert farm("export", "a", "-f", "junit", "-o", "/dev/null")[0] == ExitCode.OK
    code, _, err = farm("export", "a", "-f", "junit", "-o", "no/such/folder/farm.xml")
    assert code == ExitCode.NOTHING_RAN
    assert "use another --output" in err


def test_github_gets_annotations_and_the_summary_of_the_step(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(make.compared(), "a")
    Path("summary.md").write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    code, out, _ = farm("export", "a", "--format", "github")
    assert code == ExitCode.OK
    assert out.startswith("::error title=slower%3A")
    assert Path("summary.md").read_text().startswith("before\n## farm: a\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "no/such/file")
    code, _, err = farm("export", "a", "--format", "github")
    assert code == ExitCode.NOTHING_RAN
    assert "GITHUB_STEP_SUMMARY" in err


def test_an_unknown_format_is_refused_with_the_nearest(farm: Farm) -> None:
    keep(make.small(), "a")
    code, _, err = farm("export", "a", "--format", "junitt")
    assert code == ExitCode.REQUEST
    assert "did you mean junit?" in err
    assert farm("export", "gone", "--format", "junit")[0] == ExitCode.REQUEST


def test_parquet_without_its_library_says_what_to_type(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)  # as where it is not installed
    keep(night(), "a")
    code, out, err = farm("export", "a", "--format", "parquet", "--output", "a.parquet")
    assert (code, out) == (ExitCode.REQUEST, "")
    assert "pip install 'megengine-farm[export]'" in err
    assert not Path("a.parquet").exists()


def test_a_trace_reads_the_files_of_its_run_by_digest_alone(farm: Farm) -> None:
    made = night()
    profile = b'{"graph_exec": {"comp_seq": ["1"], "operator": {"1": {"name": "conv"}}}, "profiler": {"device": {"1": {"0": {"start": 0, "kern": 0, "end": 0.001}}}}}'
    sha256 = hashlib.sha256(profile).hexdigest()
    for digest, found in ((sha256, True), ("../../secret", False)):
        profiled = RoundResult(
            RoundKind.PROFILE,
            0,
            RoundStatus.COMPLETED,
            artifacts=(Produced("profile", "../../secret", digest, 1),),
        )
        one = made.cells[0]
        name = "kept" if found else "leads-out"
        keep(replace(made, cells=(replace(one, rounds=(*one.rounds, profiled)),)), name)
        kept = Path("runs") / name / "artifacts" / sha256[:2]
        kept.mkdir(parents=True)
        (kept / sha256).write_bytes(profile)
        Path("secret").write_bytes(profile)
        text = farm("export", name, "--format", "chrome-trace")[1]
        assert ('"conv"' in text) is found
