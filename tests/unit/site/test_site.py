"""`farm site`: whatever the runs are, the folder is whole, and what did not change is not written again."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from filelock import FileLock

from farm.cli.main import main
from farm.errors import ExitCode, RequestError, RunError
from farm.model.run import RunStatus
from farm.site import trends as trends_module
from farm.site.build import build
from farm.site.compose import PAGE, index_pages
from farm.site.folder import LOCK, MANIFEST, SITE
from farm.site.runs import is_current
from farm.site.summary import UNREADABLE, Head, Point
from farm.site.trends import Trends, rows_of, spark
from farm.store.codec import results_to_json
from farm.store.sources import sources
from tests.data.results import make

DATA = Path(__file__).parents[2] / "data" / "results"


def quiet(*_):
    """Progress that nobody wants to see."""


def keep(runs: Path, name: str, results=None, report: str | None = "<p>report") -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    made = results or make.small()
    (folder / "results.json").write_bytes(
        results_to_json(replace(made, run_id=name) if results is None else made)
    )
    if report is not None:
        (folder / "report.html").write_text(report)
    return folder


def night(number: int, factor: float = 1.0, sha256: str = "a" * 64):
    """A run of one cell, later than those of lower numbers."""
    made = make.small()
    one = made.cells[0]
    summary = replace(
        one.summary, median_ms=10 * factor, median_low_ms=9.5 * factor, median_high_ms=10.5 * factor
    )
    cell = replace(one, summary=summary, model_sha256=sha256, runtime_digest="b" * 64)
    return replace(
        made, run_id=f"night-{number}", cells=(cell,), started_at=f"2026-11-{number:02d}T02:00:00+00:00"
    )


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "public"


def made(out: Path, runs: Path, *names: str, prune: bool = False):
    return build(out, runs, names, prune=prune, told=quiet)


def files(out: Path) -> dict[str, int]:
    """Every file of a site with its inode: a file that was written again has another."""
    return {
        path.relative_to(out).as_posix(): path.stat().st_ino
        for path in out.rglob("*")
        if path.is_file() and path.name != LOCK
    }


def site(out: Path):
    return json.loads((out / SITE).read_text())


def test_a_second_call_writes_nothing_and_a_new_run_only_what_it_changes(runs: Path, out: Path) -> None:
    for number in (1, 2):
        keep(runs, f"night-{number}", night(number))
    first = made(out, runs)
    assert (first.runs, first.read, first.unreadable) == (2, 2, 0)
    before = files(out)
    again = made(out, runs)
    assert (again.read, again.written) == (0, 0)
    assert files(out) == before
    keep(runs, "night-3", night(3))
    assert made(out, runs).read == 1
    after = files(out)
    new = {"runs/night-3/report.html", "runs/night-3/summary.json"}
    assert {name for name in after if after[name] != before.get(name)} == new | {
        "index.html", "trends/shufflenet_v2.html", SITE, MANIFEST,
    }  # fmt: skip


def test_a_run_that_changed_is_read_again_and_one_that_goes_on_always(runs: Path, out: Path) -> None:
    folder = keep(runs, "a")
    made(out, runs)
    (folder / "report.html").write_text("<p>another report")
    assert made(out, runs).read == 1
    assert (out / "runs/a/report.html").read_text() == "<p>another report"
    [source] = sources(runs, ())
    head = Head("a", source.stamp, "a", RunStatus.COMPLETED, 0.0)
    assert is_current(head, source)
    assert not is_current(replace(head, status=RunStatus.RUNNING), source)


def test_a_file_of_the_site_that_was_damaged_is_written_again(runs: Path, out: Path) -> None:
    keep(runs, "a")
    made(out, runs)
    (out / "runs/a/report.html").write_text("cut")
    (out / "runs/a/summary.json").write_text("{}")
    (out / "index.html").unlink()
    assert made(out, runs).runs == 1
    assert (out / "runs/a/report.html").read_text() == "<p>report"
    assert (out / "index.html").is_file()


def test_a_mirror_can_be_checked_with_the_manifest(runs: Path, out: Path, tmp_path: Path) -> None:
    keep(runs, "hostile", make.hostile())
    keep(runs, os.fsdecode(b"caf\xe9 \\ x"))
    made(out, runs)
    mirror = shutil.copytree(out, tmp_path / "mirror", ignore=shutil.ignore_patterns(LOCK))
    check = ["sha256sum", "--check", "--strict", "--quiet", MANIFEST]
    assert subprocess.run(check, cwd=mirror, capture_output=True, check=False).returncode == 0
    named = {line.split("  ", 1)[1] for line in (mirror / MANIFEST).read_text().splitlines()}
    assert named | {MANIFEST} == set(files(mirror))
    (mirror / "index.html").write_text("changed")
    assert subprocess.run(check, cwd=mirror, capture_output=True, check=False).returncode == 1


def broken(runs: Path) -> None:
    for name, text in {"cut": '{"schema_version": 3, "run', "future": '{"schema_version": 99}', "list": "[]",
                       "deep": "[" * 100_000, "nothing": ""}.items():  # fmt: skip
        keep(runs, name, report=None)
        (runs / name / "results.json").write_text(text)
    (runs / "planned").mkdir()
    (runs / "planned" / "run.json").write_text("{}")
    (runs / "pipe").mkdir()
    os.mkfifo(runs / "pipe" / "results.json")
    (runs / "pipe" / "journal.jsonl").mkdir()
    (runs / "pipe" / "report.html").write_text("<p>only a report")
    (runs / "both").mkdir()
    os.mkfifo(runs / "both" / "results.json")
    os.mkfifo(runs / "both" / "run.json")
    (runs / "both" / "journal.jsonl").write_text('{"event":"begin"')
    (runs / "loop").symlink_to(runs / "loop")
    (runs / "notes").mkdir()
    (runs / "file").write_text("x")


def test_broken_runs_are_shown_as_such_and_the_others_are_there(runs: Path, out: Path) -> None:
    keep(runs, "good")
    broken(runs)
    built = made(out, runs)
    found = {run["key"]: run for run in site(out)["runs"]}
    assert set(found) == {"good", "cut", "future", "list", "deep", "nothing", "planned", "pipe", "both"}
    assert built.unreadable == 8
    assert {key for key, run in found.items() if run["status"] == UNREADABLE} == set(found) - {"good"}
    assert "version 99" in found["future"]["problem"]
    assert found["future"]["schema_version"] == 99
    assert found["planned"]["problem"] == "results.json and journal.jsonl are missing"
    assert found["both"]["problem"] == "results.json is no file"
    assert found["pipe"]["report"] == "runs/pipe/report.html"
    assert str(runs) not in (out / SITE).read_text() + (out / "index.html").read_text()
    assert made(out, runs).written == 0


def test_runs_of_former_versions_say_so(runs: Path, out: Path) -> None:
    for version in (1, 2, 3):
        folder = runs / f"v{version}"
        folder.mkdir()
        shutil.copy(DATA / f"version-{version}.json", folder / "results.json")
    made(out, runs)
    said = {run["key"]: run["notes"] for run in site(out)["runs"]}
    assert "results of schema version 1" in said["v1"]
    assert "results of schema version 2" in said["v2"]
    assert not any("schema version" in note for note in said["v3"])
    assert all(run["report"] for run in site(out)["runs"]), "a run without a report gets one"


def test_a_report_that_is_a_link_is_not_followed(runs: Path, out: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("password")
    (keep(runs, "a", report=None) / "report.html").symlink_to(secret)
    keep(runs, "b", report=None)
    (runs / "b" / "results.json").write_text("{")
    (runs / "b" / "report.html").symlink_to(secret)
    made(out, runs)
    assert all(b"password" not in path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert (out / "runs/a/report.html").is_file()
    assert not (out / "runs/b/report.html").exists()


def test_what_is_gone_stays_until_it_is_pruned_and_foreign_files_always(runs: Path, out: Path) -> None:
    for number in (1, 2):
        keep(runs, f"night-{number}", night(number))
    made(out, runs)
    (out / "runs/night-1/mine.txt").write_text("mine")
    shutil.rmtree(runs / "night-1")
    assert made(out, runs).runs == 2
    assert made(out, runs, prune=True).removed == 2
    assert [run["key"] for run in site(out)["runs"]] == ["night-2"]
    assert list((out / "runs/night-1").iterdir()) == [out / "runs/night-1/mine.txt"]


def test_named_runs_are_added_to_those_of_the_site(runs: Path, out: Path, tmp_path: Path) -> None:
    keep(runs, "night-1", night(1))
    made(out, runs)
    elsewhere = keep(tmp_path / "elsewhere", "night-2", night(2))
    assert made(out, runs, str(elsewhere)).runs == 2
    assert [run["key"] for run in site(out)["runs"]] == ["night-2", "night-1"]
    keep(tmp_path / "third", "night-1", night(1))
    with pytest.raises(RequestError, match="two runs are called night-1"):
        made(out, runs, "night-1", str(tmp_path / "third" / "night-1"))


def test_an_interrupted_call_leaves_no_half_file_and_the_next_one_goes_on(runs: Path, out: Path) -> None:
    for number in range(1, 5):
        keep(runs, f"night-{number}", night(number))
    calls = iter(range(100))

    def told(*_):
        if next(calls) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(out, runs, (), prune=False, told=told)
    (out / "runs/night-1/.report.html.deadbeef").write_text("of a farm that was killed")
    assert not (out / "index.html").exists()
    assert made(out, runs).read == 2
    assert [path.name for path in out.rglob(".*")] == [LOCK]


@contextmanager
def small_disk(folder: Path, size: str):
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_told_and_leaves_no_half_file(runs: Path, tmp_path: Path) -> None:
    keep(runs, "a", night(1))
    keep(runs, "b", night(2), report="x" * 600_000)
    disk = tmp_path / "disk"
    with small_disk(disk, "512k"):
        with pytest.raises(RunError, match="disk full") as told:
            made(disk / "public", runs)
        assert "free space" in told.value.hint
        assert (disk / "public/runs/a/report.html").read_text() == "<p>report"
        assert not list((disk / "public").rglob(".*.????????"))
        shutil.rmtree(runs / "b")
        assert made(disk / "public", runs).runs == 1


def test_a_folder_that_is_no_site_is_refused_and_so_is_one_that_is_being_written(
    runs: Path, out: Path
) -> None:
    keep(runs, "a")
    out.mkdir()
    (out / "thesis.tex").write_text("mine")
    with pytest.raises(RequestError, match="not empty"):
        made(out, runs)
    (out / "thesis.tex").unlink()
    made(out, runs)
    with FileLock(out / LOCK), pytest.raises(RequestError, match="another farm writes"):
        made(out, runs)


class Links(HTMLParser):
    """What a page would make a browser load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_pages_load_nothing_and_every_link_leads_to_a_file_of_the_site(runs: Path, out: Path) -> None:
    keep(runs, "hostile", make.hostile())
    for number in (1, 2):
        keep(runs, f"night-{number}", night(number))
    made(out, runs)
    pages = [out / "index.html", *(out / "trends").iterdir()]
    assert len(pages) > 5
    for page in pages:
        elements = Links(page.read_text()).found
        assert sum(tag == "script" for tag, _ in elements) == 1
        assert not {"img", "iframe", "link", "object", "base"} & {tag for tag, _ in elements}
        for tag, attributes in elements:
            assert not any(name.startswith("on") or name in ("src", "style") for name in attributes), tag
            if href := attributes.get("href"):
                assert re.fullmatch(r"\.\.?/[^:\\]+", href)
                assert (page.parent / unquote(href)).is_file(), href
        policy = next(a["content"] for tag, a in elements if tag == "meta" and "http-equiv" in a)
        assert policy.startswith("default-src 'none'; script-src 'sha256-")


def test_a_trend_has_the_medians_in_order_and_where_another_model_was_measured(runs: Path, out: Path) -> None:
    for number, factor, sha256 in ((1, 1.0, "a" * 64), (2, 1.1, "a" * 64), (3, 0.9, "c" * 64)):
        keep(runs, f"night-{number}", night(number, factor, sha256))
    made(out, runs)
    text = (out / "trends/shufflenet_v2.html").read_text()
    order = re.findall(
        r'report.html">(night-\d)</a>.*?number">([\d.]+)<.*?time">([^<]*)<.*?<td>([^<]*)<', text
    )
    assert order == [
        ("night-3", "9.00", "8.55 to 9.45", "another model"),
        ("night-2", "11.00", "10.45 to 11.55", ""),
        ("night-1", "10.00", "9.50 to 10.50", ""),
    ]
    assert ">0.82<" in text


def test_more_cells_than_fit_are_left_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trends_module, "MOST_CELLS", 2)
    found = Trends()
    for run in range(3):
        found.add(run, [Point(f"d{i}", "m", "v", "completed", 1.0 + run, None, None) for i in range(5)])
    assert len(found.models["m"]) == 2
    assert found.left_out == {"m": 9}
    heads = [Head(str(i), "", str(i), "completed", float(i)) for i in range(3)]
    assert [row.runs for row in rows_of(found.models["m"], heads)] == [3, 3]


@pytest.mark.parametrize("values", [(0.0,), (1.0, 1.0), (1e-300, 1e300), (float("nan"), 2.0)])
def test_a_figure_of_odd_times_stays_within_its_frame(values: tuple[float, ...]) -> None:
    found = Trends()
    for run, value in enumerate(values):
        found.add(run, [Point("d", "m", "v", "completed", value, None, float("inf"))])
    figure = spark(found.models["m"]["d", "v"])
    numbers = [float(text) for text in re.findall(r"-?[\d.]+", figure.line)]
    assert numbers
    assert all(0 <= number <= figure.width for number in numbers)


def test_a_new_run_changes_no_page_of_older_ones() -> None:
    heads = [Head(f"r{i}", "", f"r{i}", "completed", float(i)) for i in range(2 * PAGE + 50)]
    before, after = index_pages(heads[:-1], ()), index_pages(heads, ())
    assert set(before) == set(after) == {"index.html", "older/1.html"}
    assert before["older/1.html"] == after["older/1.html"]
    assert [len(page.rows) for page in after.values()] == [PAGE + 50, PAGE]
    keys = [row.run_id for page in after.values() for row in page.rows]
    assert keys == [head.run_id for head in reversed(heads)]


def test_the_command_prints_where_the_site_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)

    def farm(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", "site", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    assert farm("--out", "public")[0] == ExitCode.REQUEST
    Path("runs").mkdir()
    assert farm("--out", "runs")[0] == ExitCode.REQUEST
    assert farm("--out", "public")[:2] == (ExitCode.OK, "public/index.html\n")
    assert "There is no run yet" in Path("public/index.html").read_text()
    keep(Path("runs"), "a", make.compared())
    (keep(Path("runs"), "b") / "results.json").write_text("{")
    code, out, err = farm("--out", "public")
    assert (code, out) == (ExitCode.OK, "public/index.html\n")
    assert "1 run cannot be read" in err
    assert farm("nosuch", "--out", "public")[0] == ExitCode.REQUEST
