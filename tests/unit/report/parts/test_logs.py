"""The logs of rounds in the report: links, and the end of stderr where a round failed."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from farm.model.artifact import Produced
from farm.model.run import Results, RoundStatus
from farm.report.compose import compose
from farm.report.parts.details.logs import TAIL_BYTES, TAIL_LINES, logs
from farm.report.render import render
from farm.report.write import more_of, write_report
from farm.store.runs import RunDirectory
from tests.data.results import make
from tests.unit.report.test_render import OUR_ELEMENTS, Page

CELL = "local/shufflenet_v2/fp32"


def night(folder: Path, stderr: bytes | None, name: str = "stderr.txt") -> tuple[RunDirectory, Results]:
    """A run whose first cell has a failed round with this log."""
    made = make.small()
    first, *others = made.cells
    log = Produced("stderr", name, "ab" * 32, len(stderr or b""))
    lost = replace(
        first.rounds[0], index=7, status=RoundStatus.FAILED, value_ms=None, error="killed", artifacts=(log,)
    )
    if stderr is not None:
        (folder / name).write_bytes(stderr)
    cells = (replace(first, rounds=(*first.rounds, lost)), *others)
    return RunDirectory(folder), replace(made, cells=cells)


def tail(directory: RunDirectory, results: Results) -> str | None:
    found = logs(directory, results).cells.get(CELL)
    return found["log"][0].text if found else None


def test_the_row_of_a_round_links_its_log_and_a_failed_one_shows_the_end_of_stderr(tmp_path: Path) -> None:
    directory, results = night(tmp_path, b"loading\nassertion `a == b' failed\n")
    page = Page(render(compose(results, more_of(directory, results))))
    assert "./stderr.txt" in page.values("href")
    assert "assertion `a == b' failed" in page.text
    assert "timed 8" in [fact.label for fact in logs(directory, results).cells[CELL]["log"]]
    assert list(logs(directory, results).cells) == [CELL]


def test_of_a_long_log_the_last_whole_lines_are_shown(tmp_path: Path) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(100_000))
    found = tail(*night(tmp_path, lines)) or ""
    assert found.split("\n")[-1] == "line 99999"
    assert len(found.split("\n")) == TAIL_LINES
    one_line = tail(*night(tmp_path, b"x" * 10_000_000)) or ""
    assert len(one_line) == TAIL_BYTES


def test_a_hostile_log_is_shown_as_text(tmp_path: Path) -> None:
    evil = b"</pre><script>alert(1)</script>\x1b[31m\x00\xff\xe2\x80\xae"
    directory, results = night(tmp_path, evil)
    html = render(compose(results, more_of(directory, results)))
    page = Page(html)
    assert "</pre><script>alert(1)</script>" in page.text
    assert {tag for tag, _ in page.elements} <= OUR_ELEMENTS
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", html)


def test_a_log_that_is_gone_empty_no_file_or_outside_the_run_costs_nothing(tmp_path: Path) -> None:
    assert tail(*night(tmp_path, None)) is None
    assert tail(*night(tmp_path, b"\n\n")) is None
    assert tail(*night(tmp_path, None, "../secret.txt")) is None
    run = tmp_path / "run"
    run.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (run / "stderr.txt").symlink_to(tmp_path / "secret.txt")
    assert tail(*night(run, None)) is None
    (run / "stderr.txt").unlink()
    (run / "stderr.txt").symlink_to(run / "stderr.txt")
    assert tail(*night(run, None)) is None
    (run / "stderr.txt").unlink()
    os.mkfifo(run / "stderr.txt")
    assert tail(*night(run, None)) is None


def test_a_page_of_a_large_run_has_its_log_and_links_it_from_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.report.compose.MOST_INSIDE", 1)
    directory, results = night(tmp_path, b"assertion failed\n")
    write_report(directory, results)
    page = Page((tmp_path / "cells" / "cell-1.html").read_text("utf-8"))
    assert "../././stderr.txt" not in page.values("href")
    assert ".././stderr.txt" in page.values("href")
    assert "assertion failed" in page.text
