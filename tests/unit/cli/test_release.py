"""`farm release`: what it writes and prints, its exit codes, and runs that hold anything."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest

from farm.cli.main import main
from farm.errors import ExitCode
from tests.data.results import make
from tests.unit.release.made import compared, keep, lease, night

Farm = Callable[..., tuple[int, str, str]]


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    """Runs `farm release` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run_(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", "release", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run_


def test_the_page_is_written_beside_the_runs_and_its_five_lines_are_told(farm: Farm) -> None:
    keep(compared())
    code, out, err = farm("release-1.14")
    assert (code, out) == (ExitCode.OK, "runs/release.html\n")
    lines = [line for line in err.splitlines() if line and not line.startswith("reading")]
    assert len(lines) == 5
    assert lines[0] == "NO-GO: new against old: 1 slower, 1 faster, 1 unchanged, 3 not decided."
    page = Path("runs/release.html").read_text("utf-8")
    for line in lines:
        assert line.split(": ")[0] in page


@pytest.mark.parametrize(
    ("factor", "confirm", "code"),
    [(1.0, 0, ExitCode.OK), (1.1, 12, ExitCode.REGRESSION), (1.1, 0, ExitCode.UNDECIDED)],
)
def test_the_decision_is_the_exit_code_where_it_is_asked_for_and_else_it_is_0(
    farm: Farm, factor: float, confirm: int, code: ExitCode
) -> None:
    keep(lease("a", {"old": 1, "new": factor}, confirm=confirm))
    assert farm("a", "--check")[0] == code
    assert farm("a")[0] == ExitCode.OK


def test_two_nights_are_what_farm_compare_makes_of_them(farm: Farm, monkeypatch, capsys) -> None:
    keep(night("a", devices=["arm-1", "arm-2"]))
    keep(night("b", 1.2, ["arm-1", "arm-9"], hour=2))
    code, out, _ = farm("b", "a", "--json", "--check")
    told = json.loads(out)
    [column] = told["columns"]
    assert (column["old"], column["new"], told["exit_code"]) == ("a", "b", code)
    assert column["without_partner"] == 1
    assert {one["what"] for one in told["not_measured"]} == {"not compared"}
    monkeypatch.setattr("sys.argv", ["farm", "compare", "a", "b", "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    other = json.loads(capsys.readouterr().out)
    assert (column["counts"], code) == (other["counts"], ended.value.code)
    assert column["comparisons"][0]["sentence"] == other["comparisons"][0]["sentence"]


def test_what_a_run_confirmed_against_another_one_counts_and_the_rest_is_compared(farm: Farm) -> None:
    keep(night("a", devices=["arm-1", "arm-2"]))
    made = lease("b", {"baseline": 1, "inventory": 1.1})
    since = replace(made, duels=tuple(replace(duel, since="a") for duel in made.duels))
    made = replace(since, comparisons=tuple(replace(one, baseline_run="a") for one in made.comparisons))
    alone = replace(made.cells[1], device="arm-5")  # which the run did not compare, and did not miss
    keep(replace(made, cells=(*made.cells, alone)))
    keep(night("c", devices=["arm-2"], hour=2))
    _, out, _ = farm("a", "b", "c", "--versions", "old=a,new=b+c", "--json")
    [column] = json.loads(out)["columns"]
    assert {one["device"]: one["verdict"] for one in column["comparisons"]} == {
        "arm-1": "slower",
        "arm-2": "unchanged",
    }
    assert column["without_partner"] == 0


def test_runs_of_another_folder_get_their_page_there_also_from_within(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = keep(lease("a", {"old": 1, "new": 1}), Path("elsewhere"))
    assert farm("elsewhere/a")[1] == "elsewhere/release.html\n"
    monkeypatch.chdir(folder)
    assert farm(".")[0] == ExitCode.OK
    assert not Path("release.html").exists()


def test_json_is_all_that_is_on_stdout_and_has_every_comparison(farm: Farm) -> None:
    keep(compared())
    code, out, _ = farm("release-1.14", "--json")
    told = json.loads(out)
    assert (code, told["kind"], told["decision"]) == (0, "farm-release", "NO-GO")
    assert len(told["columns"][0]["comparisons"]) == 6
    assert len(told["summary"]) == 5
    assert not Path("runs/release.html").exists()


def test_markdown_goes_to_stdout_and_a_name_is_no_markup(farm: Farm) -> None:
    keep(lease("a", {"old": 1, "new": 1.1}, ["<b>|`x`@you"]))
    code, out, _ = farm("a", "--format", "markdown")
    assert code == ExitCode.OK
    assert "### Confirmed regressions" in out
    assert "<b>" not in out
    assert "@you" not in out
    [row] = [line for line in out.splitlines() if line.startswith("| \u25b2")]
    assert row.count("|") == 10


@pytest.mark.parametrize(
    "content", ['{"schema_version": 3, "run', "[" * 100_000, "", '{"schema_version": 99}']
)
def test_a_damaged_run_is_a_finding_and_never_an_abort(farm: Farm, content: str) -> None:
    keep(lease("a", {"old": 1, "new": 1}))
    Path("runs/cut").mkdir()
    Path("runs/cut/results.json").write_text(content)
    code, out, err = farm("a", "cut", "--check")
    assert (code, out) == (ExitCode.UNDECIDED, "runs/release.html\n")
    assert "run cut cannot be read" in err


def test_a_run_without_results_or_with_a_pipe_in_their_place_is_a_finding(farm: Farm) -> None:
    keep(lease("a", {"old": 1, "new": 1}))
    for name in ("empty", "pipe"):
        Path("runs", name).mkdir()
        Path("runs", name, "run.json").write_text("{}")
    os.mkfifo("runs/pipe/results.json")
    code, _, err = farm("a", "empty", "pipe", "--check")
    assert code == ExitCode.UNDECIDED
    assert "run empty cannot be read: results.json and journal.jsonl are missing" in err
    assert "run pipe cannot be read: results.json is no file" in err


def test_where_only_one_run_can_be_read_the_page_says_so(farm: Farm) -> None:
    keep(night("a"))
    Path("runs/cut").mkdir()
    Path("runs/cut/results.json").write_text("{")
    code, _, err = farm("a", "cut", "--check")
    assert code == ExitCode.UNDECIDED
    assert "NOT DECIDED: cut against a: nothing was compared." in err
    assert "nothing was compared" in Path("runs/release.html").read_text()


def test_a_run_that_is_named_twice_counts_once(farm: Farm) -> None:
    keep(compared())
    _, out, _ = farm("release-1.14", "runs/release-1.14", "latest", "--json")
    assert len(json.loads(out)["runs"]) == 1


@pytest.mark.parametrize(
    ("words", "says", "hint"),
    [
        (("gone",), "no run 'gone'", "farm runs list"),
        (("a", "--format", "htm"), "no format 'htm'", "did you mean html?"),
        (("a", "--versions", "old,nwe"), "no version 'nwe'", "did you mean new?"),
        (("a", "other/a"), "two runs are called a", "rename"),
        (("b",), "run b compared nothing", "farm bench --ab old,new"),
        ((), "Missing argument", ""),
    ],
)
def test_a_wrong_request_gives_2_and_says_what_to_type(farm: Farm, words, says, hint) -> None:
    keep(lease("a", {"old": 1, "new": 1}))
    keep(lease("a", {"old": 1, "new": 1}), Path("other"))
    keep(night("b"))
    code, out, err = farm(*words)
    assert (code, out) == (ExitCode.REQUEST, "")
    assert says in err
    assert hint in err


def test_a_full_disk_is_an_error_and_no_regression(farm: Farm) -> None:
    keep(lease("a", {"old": 1, "new": 1.1}))
    code, out, err = farm("a", "--check", "--output", "/dev/full")
    assert code not in (ExitCode.OK, ExitCode.REGRESSION)
    assert (out, "cannot write /dev/full" in err) == ("", True)


def test_links_lead_to_the_cells_in_the_reports_of_runs_whatever_their_folders_are_called(farm: Farm) -> None:
    odd = os.fsdecode(b"caf\xe9 #1?")
    folder = keep(replace(lease("a", {"old": 1, "new": 1.1}), run_id="a"), Path("runs") / odd)
    (folder / "report.html").write_text("<p>")
    (folder.parent).joinpath("bare").mkdir()
    Path("mail").mkdir()
    assert farm(str(folder), "--output", "mail/page.html")[0] == ExitCode.OK
    page = Path("mail/page.html").read_text("utf-8")
    links = set(re.findall(r'href="(\./[^"#]*)(#cell-\d+)?"', page))
    assert {anchor for _, anchor in links} == {"", "#cell-2"}
    for link, _ in links:
        assert (Path("mail") / os.fsdecode(os.fsencode(unquote(link, errors="surrogateescape")))).is_file()


def test_a_hostile_run_writes_no_markup_of_its_own(farm: Farm) -> None:
    keep(replace(make.hostile(), run_id="evil"))
    keep(night("b"))
    assert farm("evil", "b")[0] == ExitCode.OK
    page = Path("runs/release.html").read_text("utf-8")
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("a", "--devices", "x"), "--devices says how builds are measured, which needs --suite"),
        (("a", "--run-id", "x"), "--run-id says"),
        (("a", "--builds", "x.yaml"), "--builds says"),
        (("a", "--suite", "s.yaml"), "two or more different builds, not a"),
        (("a", "a", "--suite", "s.yaml"), "two or more different builds, not a and a"),
        (("a", "b,c", "--suite", "s.yaml"), "has a comma in its name"),
        (("a", "b", "--suite", "s.yaml"), "s.yaml"),
        (("a", "b", "--suite", "s.yaml", "--sign", "gone"), "no key gone"),
        (("a", "--format", "markdown", "--digests"), "--digests needs a file to stand beside"),
        (("a", "--output", "no/page.html"), "there is no folder no"),
        (("a", "b", "--suite", "s.yaml", "--output", "no/page.html"), "there is no folder no"),
        (("a", "--json", "--sign", "gone"), "--digests needs a file to stand beside"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(farm: Farm, words, said) -> None:
    keep(lease("a", {"old": 1, "new": 1}))
    code, out, err = farm(*words)
    assert (code, out) == (ExitCode.REQUEST, "")
    assert said in " ".join(err.split())
    assert os.listdir("runs") == ["a"]


def test_the_digests_of_a_page_stand_beside_it(farm: Farm) -> None:
    keep(compared())
    code, out, err = farm("release-1.14", "--digests")
    assert (code, out) == (ExitCode.OK, "runs/release.html\n")
    assert "digests: runs/release.html.sha256" in err
    assert "signature: none (--sign KEY)" in err
    assert "release-1.14/results.json" in Path("runs/release.html.sha256").read_text()


def test_the_worst_and_the_best_are_shown_whatever_their_verdict(farm: Farm) -> None:
    keep(compared())
    farm("release-1.14")
    page = Path("runs/release.html").read_text("utf-8")
    worst, best = (page.index(f"<h3>{title}</h3>") for title in ("Two worst", "Two best"))
    assert page.index("slower</dd>", worst) < best
    assert "faster</dd>" in page[best:]


def test_the_environment_of_each_device_is_in_an_appendix(farm: Farm) -> None:
    made = compared()
    keep(made)
    farm("release-1.14")
    page = Path("runs/release.html").read_text("utf-8")
    part = page[page.index('<section id="environment">') : page.index('<section id="runs">')]
    for device in made.devices:
        if device.facts:
            assert f"<h3>{device.name}</h3>" in part
            assert device.facts.kernel in part


def test_a_page_that_cannot_be_written_takes_no_verdict_away(farm: Farm, monkeypatch) -> None:
    keep(lease("r", {"old": 1, "new": 1.1}))
    monkeypatch.setattr("farm.cli.release.release.measure_builds", lambda *_, **__: ExitCode.REGRESSION)
    Path("page.html.sha256").mkdir()
    code, _, err = farm("old", "new", "--suite", "s.yaml", "--run-id", "r", "--output", "page.html")
    assert code == ExitCode.REGRESSION
    assert "cannot write the digests" in err
    assert "farm release r --digests --output FILE" in " ".join(err.split())
