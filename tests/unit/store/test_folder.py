"""Files of a round that come as a whole."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from farm.store.folder import Incoming, RoundFolder
from farm.store.runs import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create(tmp_path, "run")


@pytest.fixture
def folder(run: RunDirectory) -> RoundFolder:
    return run.round_folder("d", "m", "v", "timed-0")


def test_a_name_that_is_given_again_leads_to_the_new_content(run: RunDirectory, folder: RoundFolder) -> None:
    for content in (b"one", b"another"):
        kept = folder.keep_content(content, role="file", name="out/deep/er/x")
        assert (kept.path, kept.size_bytes) == ("cells/d/m/v/timed-0/out/deep/er/x", len(content))
        assert (run.path / kept.path).read_bytes() == folder.path(kept).read_bytes() == content


def test_a_run_can_be_moved_with_its_links(run: RunDirectory, folder: RoundFolder, tmp_path: Path) -> None:
    kept = folder.keep_content(b"x", role="file", name="out/a/b")
    moved = run.path.rename(tmp_path / "elsewhere")
    assert (moved / kept.path).read_bytes() == b"x"


def test_a_disk_that_is_full_leaves_no_scratch_file(
    run: RunDirectory, folder: RoundFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Incoming, block: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Incoming, "add", full)
    with pytest.raises(OSError, match="No space left"):
        folder.keep_content(b"x", role="file", name="out/x")
    assert not list((run.path / "artifacts").iterdir())
