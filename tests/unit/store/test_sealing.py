"""Digests that `sha256sum` checks, and signatures of OpenSSH."""

from __future__ import annotations

import fcntl
import os
import stat
import subprocess
from pathlib import Path

import pytest

from farm.errors import RequestError, RunError
from farm.model.limits.deadlines import Deadlines
from farm.store.runs import RunDirectory
from farm.store.sealing.digests import seal
from farm.store.sealing.sign import require_signer, sign


def quiet(*_: object) -> None:
    pass


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    made = RunDirectory.create(tmp_path / "runs", "one")
    (made.path / "results.json").write_text("{}")
    (made.path / "report.html").write_text("made again by farm report")
    (made.path / "cells" / "cell-1.html").write_text("made again, too")
    return made


def sealed(page: Path, *runs: RunDirectory) -> Path:
    page.write_text("GO")
    return seal(page, runs, quiet)


def check(digests: Path) -> int:
    words = ("sha256sum", "--check", "--strict", "--quiet", digests.name)
    return subprocess.run(words, cwd=digests.parent, capture_output=True, check=False).returncode


def test_every_file_of_data_is_there_and_what_is_made_of_it_is_not(directory, tmp_path) -> None:
    digests = sealed(tmp_path / "release.html", directory)
    assert [line.split()[1] for line in digests.read_text().splitlines()] == [
        "release.html",
        "runs/one/results.json",
    ]
    assert check(digests) == 0


@pytest.mark.parametrize("name", ["a\nb", "back\\slash", " space ", os.fsdecode(b"\xff\xfe"), "-c"])
def test_sha256sum_reads_every_name(directory, tmp_path, name) -> None:
    (directory.path / "cells" / name).write_text("artifact")
    digests = sealed(tmp_path / "release.html", directory)
    assert check(digests) == 0
    (directory.path / "cells" / name).write_text("another")
    assert check(digests) == 1


def test_a_link_is_not_followed(directory, tmp_path) -> None:
    (directory.path / "cells" / "loop").symlink_to(directory.path)
    (directory.path / "cells" / "secret").symlink_to("/etc/passwd")
    assert len(sealed(tmp_path / "release.html", directory).read_text().splitlines()) == 2


def test_sealing_again_is_the_same_beside_the_data_too(directory) -> None:
    page = directory.path / "release.html"
    first = sealed(page, directory).read_bytes()
    Path(f"{page}.sha256.sig").write_text("old")
    assert sealed(page, directory).read_bytes() == first


def test_what_a_device_calls_a_report_is_data(directory, tmp_path) -> None:
    out = directory.path / "cells" / "arm-1" / "out"
    out.mkdir(parents=True)
    for name in ("report.html", "pages.css", "cell-1.html"):
        (out / name).write_text("artifact")
    assert len(sealed(tmp_path / "release.html", directory).read_text().splitlines()) == 5


def test_a_folder_that_cannot_be_read_is_an_error_and_not_left_out(directory, tmp_path, monkeypatch) -> None:
    scandir = os.scandir

    def refuse(path):
        if str(path).endswith("artifacts"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(RunError, match="artifacts: Permission denied"):
        sealed(tmp_path / "release.html", directory)


def test_what_cannot_be_written_is_a_clear_error(directory, tmp_path) -> None:
    page = tmp_path / "release.html"
    (tmp_path / "release.html.sha256").mkdir()
    with pytest.raises(RunError, match="cannot write the digests"):
        sealed(page, directory)


def test_a_run_that_goes_on_is_not_sealed(directory, tmp_path) -> None:
    (directory.path / "journal.jsonl").touch()
    with (directory.path / "journal.jsonl").open("rb") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        with pytest.raises(RunError, match="the run one goes on"):
            sealed(tmp_path / "release.html", directory)


def program(folder: Path, text: str) -> None:
    path = folder / "ssh-keygen"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exec sleep 60", "did not sign within 0.2 s"),
        ("echo 'bad \033[31m passphrase' >&2; exit 255", r"did not sign: bad <U.001B>\[31m passphrase"),
        ("echo hello", "did not sign: exit code 0"),
    ],
)
def test_a_program_that_does_not_sign_says_why_before_anything_is_measured(tmp_path, monkeypatch, text, said):
    (tmp_path / "key").write_text("key")
    program(tmp_path, text)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(RequestError, match=said):
        require_signer(tmp_path / "key", Deadlines(sign_s=0.2))


def test_without_a_key_or_openssh_nothing_can_be_signed(tmp_path, monkeypatch) -> None:
    with pytest.raises(RequestError, match="no key"):
        require_signer(tmp_path / "gone", Deadlines())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match="needs ssh-keygen"):
        require_signer(tmp_path / "gone", Deadlines())


def test_what_is_no_key_cannot_sign(tmp_path) -> None:
    (tmp_path / "key").write_text("no key")
    (tmp_path / "data").write_text("data")
    with pytest.raises(RunError, match="ssh-keygen did not sign"):
        sign(tmp_path / "data", tmp_path / "key", Deadlines())
