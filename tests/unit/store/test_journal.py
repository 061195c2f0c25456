"""The journal: a run whose controller was killed gives what it had measured."""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.model.journal import JOURNAL_VERSION, CellEnded, DeviceChanged, RoundEnded, RunEnded
from farm.model.run import SCHEMA_VERSION, CellStatus, Results, RunStatus
from farm.store.codec import results_from_json, results_to_json
from farm.store.journal import UPGRADES, has_writer, line_of, read_journal
from farm.store.rebuild import GONE
from farm.store.runs import RunDirectory, find_run
from farm.store.writer import JournalWriter
from tests.data.results import make

ROOT = Path(__file__).parents[3]
RUNS = ROOT / "tests" / "data" / "runs"


def planned(whole: Results | None = None) -> Results:
    """`whole`, or `make.small()`, before anything was run."""
    whole = whole or make.small()
    cells = (
        replace(
            cell,
            status=CellStatus.CANCELLED,
            rounds=(),
            summary=None,
            artifacts=(),
            argv=(),
            reason="not run",
        )
        for cell in whole.cells
    )
    return replace(whole, status=RunStatus.RUNNING, ended_at=None, cells=tuple(cells), comparisons=())


def events_of(whole: Results) -> list[RoundEnded | CellEnded]:
    """What its controller wrote, round by round."""
    found: list[RoundEnded | CellEnded] = []
    for cell in whole.cells:
        found += [RoundEnded(cell=cell.id, round=one) for one in cell.rounds]
        found.append(CellEnded(cell=cell.id, status=cell.status, notes=cell.notes, reproduce=cell.reproduce))
    return found


def run_with(folder: Path, events: list[RoundEnded | CellEnded]) -> RunDirectory:
    """A run whose controller is gone after these events."""
    run = RunDirectory.create(folder, "run")
    file = run.begin(planned())
    for event in events:
        file.append(line_of(event))
    file.close()
    return run


def test_a_journal_gives_the_same_results_as_the_run_that_wrote_it(tmp_path: Path) -> None:
    whole = make.small()
    run = run_with(tmp_path, events_of(whole))
    results = run.results()
    assert [cell.rounds for cell in results.cells] == [cell.rounds for cell in whole.cells]
    assert [cell.summary for cell in results.cells] == [cell.summary for cell in whole.cells]
    assert (results.status, results.losses) == (RunStatus.INTERRUPTED, (GONE,))
    assert results.devices == whole.devices


def test_comparisons_of_a_run_that_was_killed_are_those_of_its_rounds_and_a_run_that_goes_on_has_none(
    tmp_path: Path,
) -> None:
    whole = make.compared()
    run = RunDirectory.create(tmp_path, "run")
    file = run.begin(planned(whole))
    for event in events_of(whole):
        file.append(line_of(event))
    assert run.results().comparisons == ()
    file.close()
    assert {one.candidate: one.verdict for one in run.results().comparisons} == {
        one.candidate: one.verdict for one in whole.comparisons
    }


def test_a_cell_whose_rounds_were_not_all_measured_keeps_those_that_were(tmp_path: Path) -> None:
    whole = make.small()
    results = run_with(tmp_path, events_of(whole)[:3]).results()
    first, second = results.cells
    assert (first.status, first.rounds) == (CellStatus.CANCELLED, whole.cells[0].rounds[:3])
    assert first.summary is not None
    assert first.argv == whole.cells[0].argv
    assert (second.status, second.rounds) == (CellStatus.CANCELLED, ())


def test_a_torn_last_line_costs_nothing_but_its_round(tmp_path: Path) -> None:
    run = run_with(tmp_path, events_of(make.small())[:3])
    journal = run.path / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    results = run.results()
    assert len(results.cells[0].rounds) == 2
    assert results.losses == (GONE,)


@pytest.mark.parametrize(
    "damage",
    [
        lambda line: line.replace(b"timed", b"timex", 1),
        lambda line: line.replace(b'"wall_s":', b'"wall_s":1', 1),  # good JSON, and a wrong number
        lambda line: b"\0" * len(line),
        lambda line: b"\xff\xfe" + line,
        lambda line: line[: len(line) // 2],
        lambda line: b"[]",
        lambda line: b'{"event":"round"}',
        lambda line: line_of(RunEnded(status=RunStatus.COMPLETED, ended_at="")).replace(b"end", b"fly")[:-1],
    ],
)
def test_a_damaged_line_is_noted_and_the_others_count(tmp_path: Path, damage) -> None:
    run = run_with(tmp_path, events_of(make.small())[:4])
    journal = run.path / "journal.jsonl"
    lines = journal.read_bytes().split(b"\n")
    lines[2] = damage(lines[2])
    journal.write_bytes(b"\n".join(lines))
    results = run.results()
    assert len(results.cells[0].rounds) == 3
    assert [loss for loss in results.losses if "line 3 of journal.jsonl" in loss]


def test_a_damaged_first_line_costs_no_round(tmp_path: Path) -> None:
    run = run_with(tmp_path, events_of(make.small())[:4])
    journal = run.path / "journal.jsonl"
    journal.write_bytes(b"x" + journal.read_bytes())
    results = run.results()
    assert len(results.cells[0].rounds) == 4
    assert [loss for loss in results.losses if "line 1 " in loss]


def test_what_names_no_cell_of_the_plan_is_noted(tmp_path: Path) -> None:
    results = run_with(tmp_path, [CellEnded(cell="a/b/c", status=CellStatus.COMPLETED)]).results()
    assert [loss for loss in results.losses if "not in the plan" in loss]


@given(st.binary(max_size=300))
def test_no_journal_makes_its_reader_fail(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    path.write_bytes(data)
    assert read_journal(path).events == ()


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    run = run_with(tmp_path, [])
    journal = run.path / "journal.jsonl"
    text = b'{"event":"begin","version":99,"run_id":"run"}'
    from zlib import crc32

    journal.write_bytes(text[:-1] + b',"crc32":"%08x"}\n' % crc32(text))
    with pytest.raises(RequestError, match="version 99"):
        run.results()


def test_a_run_that_goes_on_is_running_and_shows_the_cells_that_are_complete(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "run")
    file = run.begin(planned())
    for event in events_of(make.small())[:8]:
        file.append(line_of(event))
    assert find_run(tmp_path, "latest").run_id == "run"
    assert has_writer(run.path / "journal.jsonl")
    results = run.results()
    assert (results.status, len(results.cells), results.losses) == (RunStatus.RUNNING, 1, ())
    file.close()
    assert not has_writer(run.path / "journal.jsonl")
    assert run.results().status is RunStatus.INTERRUPTED


def test_results_of_a_former_farm_that_was_killed_are_not_running_for_ever(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "run")
    run.write_results(replace(make.small(), status=RunStatus.RUNNING))
    results = run.results()
    assert (results.status, results.losses) == (RunStatus.INTERRUPTED, (GONE,))


def test_damaged_results_are_made_again_from_the_journal(tmp_path: Path) -> None:
    whole = make.small()
    run = run_with(tmp_path, events_of(whole))
    (run.path / "results.json").write_bytes(results_to_json(whole)[:500])
    results = run.results()
    assert [cell.rounds for cell in results.cells] == [cell.rounds for cell in whole.cells]
    assert "not JSON" in results.losses[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from farm.store.journal import line_of
from farm.store.writer import JournalWriter
from tests.unit.store.test_journal import events_of, make, planned
from farm.store.runs import RunDirectory
writer = JournalWriter(RunDirectory.create(Path(sys.argv[1]), "run").begin(planned()))
if os.fork() == 0:  # a worker, which outlives it
    print("forked", flush=True)
    sys.stdin.read()
    os._exit(0)
for number, event in enumerate(events_of(make.small())):
    writer.put(event).result()
    if number == 6:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_all_rounds_that_were_acknowledged_outlive_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as killed:
        assert killed.stdout.readline() == b"forked\n"
        assert killed.wait() == -signal.SIGKILL
        results = find_run(tmp_path, "latest").results()
    whole = make.small()
    assert results.status is RunStatus.INTERRUPTED
    assert results.cells[0].status is CellStatus.COMPLETED
    assert [cell.rounds for cell in results.cells] == [whole.cells[0].rounds, whole.cells[1].rounds[:1]]


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may be longer than 1 KiB: a full disk, as far as a writer can tell."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def outcome(done: Future[None]) -> OSError | None:
    error = done.exception()
    assert error is None or isinstance(error, OSError)
    return error


def test_a_line_that_does_not_fit_on_the_disk_harms_no_other(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    run = RunDirectory.create(tmp_path, "run")
    writer = JournalWriter(run.begin(planned()))
    request.getfixturevalue("small_files")
    small = RunEnded(status=RunStatus.PARTIAL, ended_at="")
    large = DeviceChanged(device=replace(planned().devices[0], error="x" * 5000))
    assert outcome(writer.put(small)) is None
    failed = outcome(writer.put(large))
    assert failed is not None
    assert (failed.errno, failed.filename) == (errno.EFBIG, str(run.path / "journal.jsonl"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
    assert outcome(writer.put(small)) is None
    writer.close()
    assert (writer.lost, writer.error) == (1, failed)
    read = read_journal(run.path / "journal.jsonl")
    assert [event.event for event in read.events] == ["begin", "end", "end"]
    assert len(read.losses) == 1


def test_an_event_is_on_the_disk_when_its_writer_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, flushed, fsync = RunDirectory.create(tmp_path, "run"), [], os.fsync
    writer = JournalWriter(run.begin(planned()))
    journal = run.path / "journal.jsonl"

    def seen(handle: int) -> None:
        fsync(handle)
        flushed.append(journal.read_text().count("\n"))

    monkeypatch.setattr(os, "fsync", seen)
    for event in events_of(make.small())[:3]:
        writer.put(event).result()
    assert flushed == [2, 3, 4]
    writer.close()


@pytest.mark.parametrize("version", range(1, JOURNAL_VERSION + 1))
def test_a_run_of_each_version_of_the_journal_is_read_for_ever(version: int, tmp_path: Path) -> None:
    folder = RUNS / f"journal-{version}"
    begin = json.loads((folder / "journal.jsonl").read_text().splitlines()[0])
    assert begin["version"] == version
    expected = json.loads((folder / "expected.json").read_text())
    results = RunDirectory(folder).results()
    assert results == results_from_json(json.dumps(expected).encode(), "expected.json")
    assert {cell.status for cell in results.cells} == set(CellStatus)
    assert set(UPGRADES) == set(range(1, JOURNAL_VERSION))


def test_each_published_version_of_results_has_an_example() -> None:
    examples = {path.stem for path in (ROOT / "tests" / "data" / "results").glob("version-*.json")}
    assert examples == {f"version-{number}" for number in range(1, SCHEMA_VERSION + 1)}
    for number in range(1, SCHEMA_VERSION + 1):
        path = ROOT / "tests" / "data" / "results" / f"version-{number}.json"
        assert json.loads(path.read_bytes())["schema_version"] == number
        assert results_from_json(path.read_bytes(), str(path)).schema_version == SCHEMA_VERSION
