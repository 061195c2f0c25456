"""Files of a run for anybody: no name and no link leads out of its folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from farm.serve.files import open_file, run_folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "r"
    (folder / "cells" / "d").mkdir(parents=True)
    (folder / "artifacts" / "aa").mkdir(parents=True)
    (folder / "report.html").write_text("<p>report")
    (folder / "artifacts" / "aa" / "aaaa").write_text("said")
    (folder / "cells" / "d" / "stdout.txt").symlink_to("../../artifacts/aa/aaaa")
    (tmp_path / "secret").write_text("secret")
    return folder


def text_of(folder: Path, name: str) -> tuple[str, str] | None:
    found = open_file(folder, name)
    if found is None:
        return None
    with found.file as stream:
        return stream.read().decode(), found.media_type


def test_files_of_the_run_and_links_inside_of_it_are_there(run: Path) -> None:
    assert text_of(run, "report.html") == ("<p>report", "text/html; charset=utf-8")
    assert text_of(run, "cells/d/stdout.txt") == ("said", "text/plain; charset=utf-8")
    assert text_of(run, "artifacts/aa/aaaa") == ("said", "application/octet-stream")


@pytest.mark.parametrize(
    "name",
    ["../../secret", "cells/../../../secret", "/etc/passwd", "", ".", "..", "cells//d", "cells", "a\0b", "x" * 5000,
     "/".join("a" * 50), "report.html/", "none"],
)  # fmt: skip
def test_names_that_lead_nowhere_or_out_are_no_files(run: Path, name: str) -> None:
    assert open_file(run, name) is None


def test_links_out_of_the_run_are_no_files(run: Path, tmp_path: Path) -> None:
    (run / "out.txt").symlink_to(tmp_path / "secret")
    (run / "folder").symlink_to(tmp_path)
    (run / "loop").symlink_to("loop")
    os.mkfifo(run / "pipe.txt")
    for name in ("out.txt", "folder/secret", "loop", "pipe.txt"):
        assert open_file(run, name) is None


def test_markup_of_a_device_is_never_a_page(run: Path) -> None:
    for name in ("cells/d/x.html", "cells/d/x.svg", "x.html", "cells/d/report.html"):
        (run / name).write_text("<script>")
        assert text_of(run, name) == ("<script>", "application/octet-stream")


def test_a_run_is_a_folder_and_no_link(run: Path) -> None:
    (run.parent / "link").symlink_to(run)
    assert run_folder(run.parent, "r") == run
    for name in ("link", "..", ".", "r/", "a/../r", "", "-x", "r\n"):
        assert run_folder(run.parent, name) is None
