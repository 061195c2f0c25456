"""`farm runs export` and `import`: a run arrives as it left, or not at all."""

from __future__ import annotations

import errno
import fcntl
import gzip
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from farm.errors import RequestError, RunError
from farm.files import digest_path, sha256_of
from farm.model.artifact import Artifact
from farm.store.cache.kept import KeptStore
from farm.store.manifest import MANIFEST, MANIFEST_VERSION, Begin, KeptFile, KeptModel, append
from farm.store.moving import pack as packing
from farm.store.moving import unpack as unpacking
from farm.store.moving.contents import FIRST
from farm.store.moving.pack import pack
from farm.store.moving.unpack import unpack
from farm.store.runs import RunDirectory
from tests.unit.history.nights import keep, name_of, night


def quiet(*_: object) -> None:
    """Progress that nobody wants to see."""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """With a file under two names, as equal logs are, and one of no bytes."""
    path = keep(tmp_path / "here", night(0))
    for name in ("artifacts/aa", "cells/a/b"):
        (path / name).mkdir(parents=True)
    (path / "artifacts/aa/log").write_bytes(os.urandom(100_000))
    (path / "cells/a/stdout.txt").symlink_to("../../artifacts/aa/log")
    (path / "cells/a/b/empty").touch()
    (path / "cells/a/ü €.txt").write_text("x")
    return RunDirectory(path)


@pytest.fixture
def store(tmp_path: Path) -> KeptStore:
    return KeptStore(tmp_path / "kept")


@pytest.fixture
def archive(run: RunDirectory, tmp_path: Path) -> Path:
    target = tmp_path / "run.farm.tar.gz"
    pack(run, target, None, quiet)
    return target


@pytest.fixture
def there(tmp_path: Path) -> Path:
    folder = tmp_path / "there"
    folder.mkdir()
    return folder


def tree(folder: Path) -> dict[str, bytes | str]:
    """Every file with its bytes, every link with what it is."""
    return {
        path.relative_to(folder).as_posix(): str(path.readlink()) if path.is_symlink() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def refused(archive: Path, there: Path, store: KeptStore, match: str) -> None:
    with pytest.raises(RequestError, match=match) as caught:
        unpack(archive, there, None, store, quiet)
    assert caught.value.hint
    assert list(there.iterdir()) == []


def test_a_run_arrives_as_it_left(run: RunDirectory, archive: Path, there: Path, store: KeptStore) -> None:
    made = unpack(archive, there, None, store, quiet)
    assert made.directory.path == there / name_of(0)
    assert tree(made.directory.path) == tree(run.path)
    assert made.directory.results() == run.results()
    assert {path.stat().st_mode & 0o077 for path in made.directory.path.rglob("*")} == {0}


def test_the_same_run_gives_the_same_archive(run: RunDirectory, archive: Path, tmp_path: Path) -> None:
    pack(run, tmp_path / "again", None, quiet)
    assert (tmp_path / "again").read_bytes() == archive.read_bytes()


def test_a_run_may_get_another_name_and_never_takes_the_place_of_one(
    archive: Path, there: Path, store: KeptStore
) -> None:
    unpack(archive, there, "other", store, quiet)
    before = tree(there)
    with pytest.raises(RequestError, match="run other already exists") as caught:
        unpack(archive, there, "other", store, quiet)
    assert "--as" in caught.value.hint
    for name in ("../x", "latest", "a b", ""):
        if name:
            with pytest.raises(RequestError, match="invalid run id"):
                unpack(archive, there, name, store, quiet)
    assert tree(there) == before


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_a_byte_that_changed_on_the_way_is_noticed_and_nothing_arrives(
    archive: Path, there: Path, store: KeptStore, part: float
) -> None:
    data = bytearray(archive.read_bytes())
    data[int(part * len(data))] ^= 0x55
    archive.write_bytes(data)
    refused(archive, there, store, "damaged|no archive of a run|more in it")


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.6, 0.9, 0.999])
def test_an_archive_that_was_cut_is_noticed_and_nothing_arrives(
    archive: Path, there: Path, store: KeptStore, part: float
) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(part * len(data))])
    refused(archive, there, store, "damaged|no archive of a run")


def forged(path: Path, contents: object, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive that says `contents` and holds `members`."""
    with tarfile.open(path, "w:gz") as archive:
        text = contents if isinstance(contents, bytes) else json.dumps(contents).encode()
        for header, data in ((tarfile.TarInfo(FIRST), text), *members):
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def said(*paths: str, **more: object) -> dict[str, object]:
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    files = [{"path": path, "size_bytes": 0, "sha256": digest} for path in paths]
    return {"version": 1, "run": "r", "farm_version": "0", "files": files} | more


def link(name: str, to: str) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = tarfile.SYMTYPE, to
    return header, b""


@pytest.mark.parametrize(
    ("contents", "members", "match"),
    [
        (b"", (), "damaged"),
        (b"[" * 100_000, (), "damaged"),
        (said(version=2), (), "has version 2; this farm reads version 1"),
        (said("../evil"), (), "leads out of the archive"),
        (said("/etc/evil"), (), "leads out of the archive"),
        (said("run/../../evil"), (), "leads out of the archive"),
        (said("run//evil"), (), "leads out of the archive"),
        (said("run/a", "run/a"), (), "a name stands twice"),
        (said("run/a", "run/a/b"), (), "a file is a folder, too"),
        (said(links=[{"path": "run/a", "to": "/etc/passwd"}]), (), "a link leads to no file"),
        (said("run/a"), (), "run/a is not where it should be"),
        (said("run/a"), ((tarfile.TarInfo("run/b"), b""),), "run/a is not where it should be"),
        (said("run/a"), (link("run/a", "/etc/passwd"),), "run/a is not where it should be"),
        (said("run/a"), ((tarfile.TarInfo("run/a"), b"x"),), "run/a is not where it should be"),
        (said(), ((tarfile.TarInfo("run/a"), b"x"),), "more in it than it says"),
        (said(run="../r"), (), "invalid run id"),
    ],
)
def test_an_archive_that_somebody_made_writes_nothing_outside_and_nothing_inside(
    tmp_path: Path, there: Path, store: KeptStore, contents: object, members: tuple, match: str
) -> None:
    refused(forged(tmp_path / "forged", contents, *members), there, store, match)
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("header", ["GNU.sparse.map", "GNU.sparse.size"])
def test_a_header_whose_numbers_are_none_is_damage(
    tmp_path: Path, there: Path, store: KeptStore, header: str
) -> None:
    member = tarfile.TarInfo("run/a")
    member.pax_headers = {header: "x"}
    refused(forged(tmp_path / "forged", said("run/a"), (member, b"")), there, store, "damaged")


@pytest.mark.parametrize(
    "data", [b"", b"no archive", gzip.compress(b"no tar", mtime=0), gzip.compress(b"\0" * 10_240, mtime=0)]
)
def test_what_is_no_archive_is_named(tmp_path: Path, there: Path, store: KeptStore, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    refused(path, there, store, "no archive of a run|damaged or cut")
    refused(tmp_path / "nowhere", there, store, "No such file")
    refused(tmp_path, there, store, "Is a directory")


def test_a_disk_without_room_is_named_before_anything_is_written(
    archive: Path, there: Path, store: KeptStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(there)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(RunError, match=r"no room for the run: it has .* and .* has 1.0 kB free"):
        unpack(archive, there, None, store, quiet)
    assert list(there.iterdir()) == []


def test_a_disk_that_gets_full_leaves_nothing(
    run: RunDirectory, archive: Path, there: Path, store: KeptStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device", "x")

    with monkeypatch.context() as patch:
        patch.setattr(unpacking, "_copy", full)
        with pytest.raises(RunError, match=r"cannot import .*No space left on device"):
            unpack(archive, there, None, store, quiet)
    assert list(there.iterdir()) == []
    before = archive.read_bytes()
    monkeypatch.setattr(packing, "_write", full)
    with pytest.raises(RunError, match="cannot export night-000: x: No space left on device"):
        pack(run, archive, None, quiet)
    assert archive.read_bytes() == before
    assert [path.name for path in archive.parent.glob(".*")] == []


def test_what_a_killed_import_left_is_removed_by_one_of_the_next_day(
    archive: Path, there: Path, store: KeptStore
) -> None:
    old, new = there / ".import-old", there / ".import-new"
    for path in (old, new):
        (path / "run").mkdir(parents=True)
    os.utime(old, (0, 0))
    unpack(archive, there, None, store, quiet)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_run_that_goes_on_is_not_exported(run: RunDirectory, tmp_path: Path) -> None:
    (run.path / "journal.jsonl").touch()
    with (run.path / "journal.jsonl").open("rb") as journal:
        fcntl.flock(journal, fcntl.LOCK_EX)
        with pytest.raises(RequestError, match="goes on"):
            pack(run, tmp_path / "x", None, quiet)


@pytest.mark.parametrize("change", [b"", b"shorter", b"y" * 100_001])
def test_a_file_that_changes_while_it_is_read_gives_no_archive(
    run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: bytes
) -> None:
    log = run.path / "artifacts/aa/log"

    def read(path: Path) -> str:
        digest = sha256_of(path)
        if path == log:
            log.write_bytes(change)
        return digest

    monkeypatch.setattr(packing, "sha256_of", read)
    with pytest.raises(RequestError, match="log was changed while it was read"):
        pack(run, tmp_path / "x", None, quiet)
    assert not (tmp_path / "x").exists()


def test_what_is_no_file_of_the_run_is_left_out_and_named(run: RunDirectory, tmp_path: Path) -> None:
    (run.path / "cells/out").symlink_to("/etc/passwd")
    (run.path / "cells/nowhere").symlink_to("none")
    os.mkfifo(run.path / "cells/pipe")
    Path(os.fsdecode(os.fsencode(run.path / "cells/") + b"/\xff")).touch()
    made = pack(run, tmp_path / "x", None, quiet)
    assert len(made.left_out) == 4
    assert {line.partition(":")[0].rpartition("/")[2] for line in made.left_out[:4]} >= {
        "nowhere",
        "out",
        "pipe",
    }


@pytest.fixture
def pushed(run: RunDirectory, store: KeptStore, tmp_path: Path) -> Path:
    """A model that was pushed for the run, and is kept."""
    model = tmp_path / "m.mge"
    model.write_bytes(b"a model")
    kept = KeptFile("m.mge", sha256_of(model), 7)
    append(run.path / MANIFEST, [Begin(version=MANIFEST_VERSION, run_id=run.run_id)])
    append(run.path / MANIFEST, [KeptModel(id="m", name="m", kind="mdl", file=kept)])
    store.keep(Artifact("m.mge", kept.sha256, 7, model))
    return digest_path(store.root, kept.sha256)


def test_what_was_pushed_goes_along_and_stays_as_long_as_the_run(
    run: RunDirectory, store: KeptStore, pushed: Path, tmp_path: Path, there: Path
) -> None:
    pack(run, tmp_path / "x", store, quiet)
    other = KeptStore(tmp_path / "other")
    made = unpack(tmp_path / "x", there, None, other, quiet)
    assert made.not_kept is None
    assert not (made.directory.path / "kept").exists()
    assert digest_path(other.root, pushed.name).read_bytes() == b"a model"
    assert other.clean() == 0
    (reference,) = other.references()
    assert reference.manifest == made.directory.path / MANIFEST


def test_a_store_that_cannot_be_written_costs_no_run(
    run: RunDirectory, store: KeptStore, pushed: Path, tmp_path: Path, there: Path
) -> None:
    assert pushed.exists()
    pack(run, tmp_path / "x", store, quiet)
    (tmp_path / "file").write_text("no folder")
    made = unpack(tmp_path / "x", there, None, KeptStore(tmp_path / "file" / "kept"), quiet)
    assert made.not_kept
    assert made.directory.results() == run.results()


def test_what_is_not_kept_any_more_is_named(
    run: RunDirectory, store: KeptStore, pushed: Path, tmp_path: Path
) -> None:
    pushed.unlink()
    assert pack(run, tmp_path / "x", store, quiet).left_out == ("m.mge: not kept any more",)
