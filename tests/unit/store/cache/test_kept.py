"""What is kept of runs: by digest, with a limit, never a run's that is still there."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from farm.cli.runs.kept import command as kept_command
from farm.errors import RequestError
from farm.files import digest_path
from farm.model.artifact import Artifact
from farm.model.limits.disk import Portion
from farm.store.artifacts import artifact_of
from farm.store.cache import kept
from farm.store.cache.kept import ChangedError, FullError, KeptStore, Space, kept_store

KB = 1000


@pytest.fixture
def store(tmp_path: Path) -> KeptStore:
    return KeptStore(tmp_path / "kept", Portion(most_bytes=10 * KB))


def file(folder: Path, name: str, size: int = 4 * KB) -> Artifact:
    path = folder / name
    path.write_bytes(name.encode().ljust(size, b"."))
    return artifact_of(path)


def age(store: KeptStore, one: Artifact, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(digest_path(store.root, one.sha256), (at, at))


def held(store: KeptStore) -> set[str]:
    return {one.path.name for one in store.stored()}


def manifest(folder: Path, run: str) -> Path:
    path = folder / run / "kept.jsonl"
    path.parent.mkdir()
    path.touch()
    return path


def test_what_is_kept_outlives_the_file_that_is_overwritten_in_place(
    store: KeptStore, tmp_path: Path
) -> None:
    """`cp new old` writes into the same file: a hard link would be overwritten with it."""
    one = file(tmp_path, "lr")
    store.keep(one)
    with one.path.open("r+b") as stream:
        stream.write(b"another build")
    found = store.find(one.sha256)
    assert found is not None
    assert hashlib.sha256(found.read_bytes()).hexdigest() == one.sha256
    assert found.stat().st_mode & 0o777 == 0o600


def test_a_kept_file_that_was_damaged_is_not_used_and_kept_anew(store: KeptStore, tmp_path: Path) -> None:
    one = file(tmp_path, "lr")
    store.keep(one)
    path = digest_path(store.root, one.sha256)
    path.write_bytes(path.read_bytes().replace(b".", b"!"))
    assert store.find(one.sha256) is None
    store.keep(one)
    assert store.find(one.sha256) == path


@pytest.mark.parametrize("digest", ["", "..", "../../etc/passwd", "A" * 64, "0" * 63, "\0"])
def test_a_digest_of_a_damaged_manifest_leads_nowhere(store: KeptStore, digest: str) -> None:
    assert store.find(digest) is None


def test_a_file_that_is_another_by_now_is_not_kept_under_its_former_digest(
    store: KeptStore, tmp_path: Path
) -> None:
    one = file(tmp_path, "lr")
    one.path.write_bytes(b"another build")
    with pytest.raises(ChangedError, match="was changed or removed after the run was planned"):
        store.keep(one)
    assert held(store) == set()
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_least_recently_used_goes_first_where_there_is_no_room(store: KeptStore, tmp_path: Path) -> None:
    old, used, new = (file(tmp_path, name) for name in ("old", "used", "new"))
    for one in (used, old):
        store.keep(one)
        age(store, one, 3600)
    store.find(used.sha256)
    store.keep(new)
    assert held(store) == {used.sha256, new.sha256}


def test_what_a_run_refers_to_stays_until_the_run_is_removed(store: KeptStore, tmp_path: Path) -> None:
    runs = tmp_path / "runs\nof nobody"
    runs.mkdir()
    first, second, third, new = (file(tmp_path, name) for name in ("1", "2", "3", "4"))
    for one in (first, second):
        store.refer(manifest(runs, one.path.name), [one.sha256])
        store.keep(one)
    with pytest.raises(FullError, match=r"8\.0 kB of runs that are still there") as caught:
        store.keep(third)
    assert caught.value.errno == errno.ENOSPC
    assert held(store) == {first.sha256, second.sha256}
    shutil.rmtree(runs / "1")
    store.keep(new)
    assert held(store) == {second.sha256, new.sha256}
    assert [one.manifest for one in store.references()] == [runs / "2" / "kept.jsonl"]


def test_a_run_may_refer_to_more_files_later(store: KeptStore, tmp_path: Path) -> None:
    path = manifest(tmp_path, "run")
    store.refer(path, ["a" * 64])
    store.refer(path, ["b" * 64])
    (one,) = store.references()
    assert one.digests == {"a" * 64, "b" * 64}


def test_what_is_known_already_is_not_written_again(store: KeptStore, tmp_path: Path) -> None:
    path, one, other = manifest(tmp_path, "run"), file(tmp_path, "1", KB), file(tmp_path, "2", KB)
    store.refer(path, [one.sha256, other.sha256])
    store.keep(one)
    notes = [*(store.root / "runs").iterdir(), *(store.root / "names").iterdir()]
    before = [(note, note.stat().st_ino) for note in notes]
    store.refer(path, [other.sha256])
    store.keep(one)
    assert [(note, note.stat().st_ino) for note in notes] == before
    assert [artifact.sha256 for artifact in store.versions(one.name)] == [one.sha256]


def test_of_many_files_the_first_alone_lists_the_store_and_all_keep_within_it(
    store: KeptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = file(tmp_path, "old")
    store.keep(old)
    looks: list[KeptStore] = []
    listed = KeptStore.stored
    monkeypatch.setattr(KeptStore, "stored", lambda self: listed(looks.append(self) or self))  # type: ignore[func-returns-value]
    space = Space(store)
    small = [file(tmp_path, f"{number}", KB // 2) for number in range(12)]
    store.refer(manifest(tmp_path, "run"), [one.sha256 for one in small])
    for one in small:
        store.keep(one, space)
    assert len(looks) == 1
    store.keep(file(tmp_path, "more", KB), space)  # there is no room beside the old one
    monkeypatch.undo()
    assert old.sha256 not in held(store)
    with pytest.raises(FullError):
        store.keep(file(tmp_path, "large", 5 * KB), space)
    assert {one.sha256 for one in small} < held(store)


def test_what_another_farm_uses_meanwhile_is_not_removed_for_room(store: KeptStore, tmp_path: Path) -> None:
    first, second, third = (file(tmp_path, name, 3 * KB) for name in ("1", "2", "3"))
    for number, one in enumerate((first, second, third)):
        store.keep(one)
        age(store, one, 3600 - number)
    space = Space(store)
    store.keep(file(tmp_path, "4", 3 * KB), space)
    assert held(store) >= {second.sha256, third.sha256}
    KeptStore(store.root, store.share).find(second.sha256)
    store.keep(file(tmp_path, "5", 3 * KB), space)
    assert second.sha256 in held(store)
    assert third.sha256 not in held(store)


def test_a_file_that_is_larger_than_the_store_removes_nothing(store: KeptStore, tmp_path: Path) -> None:
    small = file(tmp_path, "small")
    store.keep(small)
    with pytest.raises(FullError):
        store.keep(file(tmp_path, "large", 11 * KB))
    assert held(store) == {small.sha256}


def test_nothing_is_kept_that_leaves_results_no_room(
    store: KeptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SimpleNamespace(total=100 * KB, free=8 * KB)  # 5 % are for results
    monkeypatch.setattr(shutil, "disk_usage", lambda _: disk)
    with pytest.raises(FullError, match=r"8\.0 kB free"):
        store.keep(file(tmp_path, "a"))
    store.keep(file(tmp_path, "b", 3 * KB))


def test_a_full_disk_leaves_no_half_of_a_file(
    store: KeptStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_source: object, target: Any, *_: object) -> None:
        target.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    monkeypatch.setattr(kept, "_FICLONE", 0)
    with pytest.raises(OSError, match="No space left"):
        store.keep(file(tmp_path, "a"))
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_copies_that_a_killed_farm_began_are_removed_for_room_after_a_day(
    store: KeptStore, tmp_path: Path
) -> None:
    one = file(tmp_path, "lr")
    store.keep(one)
    store.refer(manifest(tmp_path, "run"), [one.sha256])
    begun = digest_path(store.root, one.sha256).with_name(f".{one.sha256}.0123")
    begun.write_bytes(bytes(5 * KB))
    with pytest.raises(FullError):
        store.keep(file(tmp_path, "new"))
    os.utime(begun, (0, 0))
    store.keep(file(tmp_path, "new"))
    assert not begun.exists()


def test_what_no_run_refers_to_can_be_removed_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path))
    store = kept_store()
    mine, nobodys = file(tmp_path, "mine"), file(tmp_path, "nobodys", 3 * KB)
    store.refer(manifest(tmp_path, "run"), [mine.sha256])
    for one in (mine, nobodys):
        store.keep(one)
    kept_command(json=True)
    before = json.loads(capsys.readouterr().out)
    assert (before["held_bytes"], before["unused_bytes"], before["freed_bytes"]) == (7 * KB, 3 * KB, 0)
    assert before["runs"] == [{"run": str(tmp_path / "run"), "files": 1, "bytes": 4 * KB}]
    kept_command(clean=True)
    assert "removed: 3.0 kB" in capsys.readouterr().out
    assert held(store) == {mine.sha256}


def test_the_share_of_the_disk_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path))
    assert kept_store().share == kept.SHARE
    monkeypatch.setenv("FARM_KEPT_SHARE", "2 GiB")
    assert kept_store().share == Portion(most_bytes=2 << 30)
    assert not kept_store().is_off
    monkeypatch.setenv("FARM_KEPT_SHARE", "0")
    assert kept_store().is_off
    monkeypatch.setenv("FARM_KEPT_SHARE", "much")
    with pytest.raises(RequestError, match='FARM_KEPT_SHARE: "much" is neither'):
        kept_store()


def test_versions_of_a_name_are_told_the_last_one_first(store: KeptStore, tmp_path: Path) -> None:
    kept = []
    for number in range(20):
        (tmp_path / f"{number}").mkdir()
        kept.append(file(tmp_path / f"{number}", "model.mge", 100 + number))
        store.keep(kept[-1])
    store.keep(kept[15])
    other = file(tmp_path, "other.mge")
    store.keep(other)
    found = [one.sha256 for one in store.versions("model.mge")]
    assert found == [one.sha256 for one in (kept[15], *reversed(kept[16:]), *reversed(kept[4:15]))]
    digest_path(store.root, kept[15].sha256).unlink()
    assert store.versions("model.mge")[0].sha256 == kept[19].sha256
    assert [one.size_bytes for one in store.versions("other.mge")] == [other.size_bytes]
    assert store.versions("\udcff no such name") == ()
    assert held(store) >= {other.sha256}
