"""Files on the device: uploads, the store, trees, what jobs leave behind."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
from pathlib import Path

import pytest

from farm.device.disk.clean import removable
from farm.device.disk.stock import parse_stock
from farm.device.wire import Status
from farm.store.artifacts import artifact_of
from tests.agent.shells import EMPTY_SHA256, ODD_NAMES, Phone, Talk, shut

CONTENT = random.Random(7).randbytes(300_001)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def names_in(folder: str | Path) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_an_upload_is_missing_then_there_and_read_only(phone: Phone, agent: Talk):
    assert agent("have", SHA256, EMPTY_SHA256) == (f"{SHA256}=0", f"{EMPTY_SHA256}=0")
    assert phone.receive(SHA256, 0, CONTENT).status is Status.OK
    assert agent("have", SHA256) == ()
    assert phone.stored(SHA256).read_bytes() == CONTENT
    assert phone.stored(SHA256).stat().st_mode & 0o777 == 0o555
    assert list((phone.workdir / "incoming").iterdir()) == []


def test_what_a_power_cut_damaged_in_the_store_is_found_and_goes(phone: Phone, agent: Talk, tmp_path: Path):
    digests = []
    for number in range(4):
        (tmp_path / f"{number}").write_bytes(b"%d" % number * 5000)
        digests.append(phone.put(tmp_path / f"{number}").sha256)
    agent("link", SHA256, "/etc/passwd")
    whole, cut, zeros, empty = map(phone.stored, digests)
    for file, content in ((cut, b"1" * 4096), (zeros, bytes(5000)), (empty, b"")):
        file.chmod(0o755)
        file.write_bytes(content)
    assert agent("verify", *digests, SHA256, EMPTY_SHA256) == tuple(digests[1:])
    assert whole.exists()
    assert phone.stored(SHA256).is_symlink()
    assert agent("have", *digests) == tuple(f"{digest}=0" for digest in digests[1:])
    assert agent("verify", *digests) == ()
    assert shut(agent, "verify", "../x") == "usage"


def test_an_empty_file_is_a_file(phone: Phone, agent: Talk):
    phone.receive(EMPTY_SHA256, 0, b"")
    assert agent("have", EMPTY_SHA256) == ()


def test_an_upload_that_broke_off_goes_on_where_it_stopped(phone: Phone, agent: Talk):
    cut = phone.receive(SHA256, 0, CONTENT[:100_000], len(CONTENT))
    assert (cut.status, cut.code) == (Status.ERR, "short")
    assert agent("have", SHA256) == (f"{SHA256}=100000",)
    reply = phone.receive(SHA256, 99_999, CONTENT[99_999:])
    assert (reply.status, reply.code, reply.fields) == (Status.ERR, "offset", ("100000",))
    phone.receive(SHA256, 100_000, CONTENT[100_000:])
    assert phone.stored(SHA256).read_bytes() == CONTENT


def test_an_upload_from_0_begins_anew(phone: Phone, agent: Talk):
    phone.receive(SHA256, 0, b"rubbish", len(CONTENT))
    phone.receive(SHA256, 0, CONTENT)
    assert agent("have", SHA256) == ()


def test_a_damaged_upload_is_refused_and_removed(phone: Phone, agent: Talk):
    assert phone.receive(SHA256, 0, b"X" + CONTENT[1:]).code == "digest-mismatch"
    assert agent("have", SHA256) == (f"{SHA256}=0",)
    assert not phone.stored(SHA256).exists()


def test_a_large_upload_is_hashed_while_it_comes_and_so_is_the_rest_of_one(phone: Phone, agent: Talk):
    large = random.Random(8).randbytes(30_000_001)
    digest = hashlib.sha256(large).hexdigest()
    assert phone.receive(digest, 0, large[:12_345_678], len(large)).code == "short"
    assert agent("have", digest) == (f"{digest}=12345678",)
    assert phone.receive(digest, 12_345_678, large[12_345_678:]).status is Status.OK
    assert phone.stored(digest).read_bytes() == large
    assert phone.receive(SHA256, 0, large).code == "digest-mismatch"
    assert names_in(phone.workdir / "incoming") == []


def test_an_upload_may_come_compressed(phone: Phone, agent: Talk):
    phone.receive(SHA256, 0, CONTENT[:1000], len(CONTENT))
    data = gzip.compress(CONTENT[1000:])
    reply = phone.once("receive", phone.workdir, SHA256, 1000, len(CONTENT), "gzip", data=data)
    assert reply.status is Status.OK
    assert phone.stored(SHA256).read_bytes() == CONTENT
    reply = phone.once("receive", phone.workdir, EMPTY_SHA256, 0, 9, "gzip", data=b"no such thing")
    assert reply.status is Status.ERR


@pytest.mark.parametrize(
    ("digest", "offset"), [("../../x", "0"), (SHA256[1:], "0"), (SHA256, "x"), (SHA256, "")]
)
def test_receive_takes_only_a_digest_and_an_offset(phone: Phone, digest: str, offset: str):
    assert phone.once("receive", phone.workdir, digest, offset, 10).code == "usage"


def test_a_linked_file_is_used_but_asked_for_again_since_it_may_change(
    phone: Phone, agent: Talk, tmp_path: Path
):
    file = tmp_path / "on device.mge"
    file.write_bytes(CONTENT)
    agent("link", SHA256, file)
    assert phone.stored(SHA256).readlink() == file
    assert agent("have", SHA256) == (f"{SHA256}=0",)
    (tree,) = agent("tree", "t", f"model.mge={SHA256}")
    assert (Path(tree) / "model.mge").read_bytes() == CONTENT
    other = tmp_path / "moved.mge"
    file.rename(other)
    agent("link", SHA256, other)
    assert (Path(tree) / "model.mge").read_bytes() == CONTENT


def test_files_are_linked_in_one_call_and_only_where_a_link_is_not_there_yet(phone: Phone, tmp_path: Path):
    files = {}
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        files[artifact_of(tmp_path / name).sha256] = tmp_path / name
    pairs = [word for pair in files.items() for word in pair]
    agent = phone.talk()
    agent("link", *pairs)
    assert {phone.stored(digest).readlink() for digest in files} == set(files.values())
    phone.replace_tool("ln", "echo no links any more >&2; exit 1")
    agent = phone.talk()  # shells remember where a tool is
    agent("link", *pairs)
    assert shut(agent, "link", SHA256, tmp_path / "a") == "io"
    assert shut(agent, "link", *pairs, SHA256) == "usage"


@pytest.mark.parametrize(("path", "code"), [("relative", "usage"), ("/nowhere", "missing"), ("/", "missing")])
def test_a_link_to_nothing_is_refused(agent: Talk, path: str, code: str):
    assert shut(agent, "link", SHA256, path) == code


def test_a_tree_is_laid_out_whole_with_odd_names(phone: Phone, agent: Talk, tmp_path: Path):
    (tmp_path / "a").write_bytes(b"first")
    (tmp_path / "b").write_bytes(b"second")
    first, second = phone.put(tmp_path / "a").sha256, phone.put(tmp_path / "b").sha256
    (path,) = agent(
        "tree", "t-1", f"lib/deep/a.so={first}", f"b=c={second}", *(f"{n}={first}" for n in ODD_NAMES)
    )
    assert path == str(phone.workdir / "trees" / "t-1")
    assert (Path(path) / "lib/deep/a.so").read_bytes() == b"first"
    assert (Path(path) / "b=c").read_bytes() == b"second"
    assert names_in(path) == sorted(["lib", "b=c", *ODD_NAMES])


def test_a_tree_with_a_missing_file_is_not_laid_out_at_all(phone: Phone, agent: Talk, tmp_path: Path):
    (tmp_path / "a").write_bytes(b"first")
    first = phone.put(tmp_path / "a").sha256
    assert shut(agent, "tree", "t", f"a={first}", f"b={SHA256}") == "missing"
    assert list((phone.workdir / "trees").iterdir()) == []


def test_a_tree_that_lost_a_file_is_laid_out_anew(phone: Phone, agent: Talk, tmp_path: Path):
    (tmp_path / "a").write_bytes(b"first")
    pair = f"a={phone.put(tmp_path / 'a').sha256}"
    (path,) = agent("tree", "t", pair)
    before = Path(path).stat().st_ino
    agent("tree", "t", pair)
    assert Path(path).stat().st_ino == before
    (Path(path) / "a").unlink()
    agent("tree", "t", pair)
    assert (Path(path) / "a").read_bytes() == b"first"


@pytest.mark.parametrize("name", ["..", "../t", "a/b", ".new", "-t", "", "a b", "x" * 201])
def test_a_tree_has_a_plain_name(phone: Phone, agent: Talk, name: str):
    assert shut(agent, "tree", name) == "usage"


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", "./a", "a/", "", "a/."])
def test_a_path_in_a_tree_stays_in_it(phone: Phone, agent: Talk, path: str, tmp_path: Path):
    (tmp_path / "a").write_bytes(b"first")
    assert shut(agent, "tree", "t", f"{path}={phone.put(tmp_path / 'a').sha256}") == "usage"
    assert names_in(phone.folder) == ["a", "bin", "work dir"]


def filled(phone: Phone, agent: Talk, tmp_path: Path) -> list[str]:
    """Four files of 200 KiB, the first one the oldest; the trees `old` and `new` have the first two."""
    digests = []
    for index in range(4):
        (tmp_path / "f").write_bytes(random.Random(index).randbytes(200 << 10))
        digests.append(phone.put(tmp_path / "f").sha256)
        os.utime(phone.stored(digests[-1]), (index, index))
    for name, index in (("old", 0), ("new", 1)):
        agent("tree", name, f"sub/a file={digests[index]}")
        agent.data("stock")  # what was used is noted before it is listed
        os.utime(phone.workdir / "trees" / name, (index, index))
    return digests


def test_the_stock_has_files_and_trees_the_oldest_first_with_what_they_take(
    phone: Phone, agent: Talk, tmp_path: Path
):
    digests = filled(phone, agent, tmp_path)
    phone.receive(SHA256, 0, CONTENT, 2 * len(CONTENT))
    Path(f"{phone.stored(digests[0])}.unpacking").write_bytes(b"half")
    (phone.workdir / "trees" / ".new.7").mkdir()
    os.utime(phone.workdir / "trees" / ".new.7", (9, 9))
    stock = parse_stock(agent.data("stock").decode())
    disk = os.statvfs(phone.workdir)
    assert stock.disk_bytes == pytest.approx(disk.f_blocks * disk.f_frsize, abs=4096)
    assert 0 < (stock.free_bytes or 0) < (stock.disk_bytes or 0)
    rests = {file.path for file in stock.files if file.sha256 is None}
    assert rests == {f"incoming/{SHA256}", f"cas/{digests[0][:2]}/{digests[0]}.unpacking"}
    whole = [file for file in stock.files if file.sha256 is not None]
    assert [file.sha256 for file in whole] == digests
    assert [file.name for file in whole] == ["file", "file", "", ""]
    assert {file.size_bytes for file in whole} == {200 << 10}
    trees = [(tree.path, *tree.sha256s) for tree in stock.trees]
    assert trees == [("trees/old", digests[0]), ("trees/new", digests[1]), ("trees/.new.7",)]


def test_an_empty_store_is_not_listed(phone: Phone):
    for tool in ("ls", "du"):
        phone.replace_tool(tool, f"echo {tool} >>'{phone.folder}/listed'; exec REAL \"$@\"")
    agent = phone.talk()  # shells remember where tools are
    stock = parse_stock(agent.data("stock").decode())
    agent.leave()
    assert (stock.files, stock.trees) == ((), ())
    assert stock.disk_bytes
    assert not (phone.folder / "listed").exists()


@pytest.mark.parametrize("end", ["release", "bye", "a lost connection"])
def test_what_a_session_used_is_the_last_that_goes_however_it_ends(
    phone: Phone, agent: Talk, tmp_path: Path, end: str
):
    digests = filled(phone, agent, tmp_path)
    mine = phone.talk()
    epoch = mine("lease", "me", 60)[0]
    assert mine("have", digests[1], digests[0]) == ()
    mine("tree", "old", f"sub/a file={digests[0]}")
    if end == "release":
        mine("release", epoch)
    elif end == "bye":
        mine("bye")
    else:
        mine.leave()
    stock = parse_stock(agent.data("stock").decode())
    assert [file.sha256 for file in stock.files if file.sha256][:2] == digests[2:]
    assert [tree.path for tree in stock.trees] == ["trees/new", "trees/old"]


def test_what_is_removed_is_gone_and_nothing_else(phone: Phone, agent: Talk, epoch: int, tmp_path: Path):
    digests = filled(phone, agent, tmp_path)
    stock = parse_stock(agent.data("stock").decode())
    removed = [one.path for one in removable(stock, {digests[1], digests[3]})]
    assert removed == [
        f"cas/{digests[2][:2]}/{digests[2]}",
        "trees/old",
        f"cas/{digests[0][:2]}/{digests[0]}",
    ]
    agent("remove", epoch, *removed)
    agent("remove", epoch, *removed)  # the reply may have been lost
    assert [phone.stored(digest).exists() for digest in digests] == [False, True, False, True]
    assert names_in(phone.workdir / "trees") == ["new"]


NOT_IN_THE_STORE = (
    "cas", "cas/", "cas/aa", "trees", "trees/..", "cas/../x", "cas/aa/../../x", "/no/such", "lease/1", "spool/j",
    "trees/a/b", "incoming/a/b", "cas/aa/b/c", "",
)  # fmt: skip


def test_only_what_is_in_the_store_can_be_removed(phone: Phone, agent: Talk, epoch: int, tmp_path: Path):
    (tmp_path / "f").write_bytes(b"kept")
    kept = phone.stored(phone.put(tmp_path / "f").sha256)
    for path in NOT_IN_THE_STORE:
        assert shut(agent, "remove", epoch, f"cas/{kept.name[:2]}/{kept.name}", path) == "usage", path
    agent("remove", epoch, "cas/*/*")  # no pattern: a file of this name, which is none
    assert kept.read_bytes() == b"kept"


def test_removal_waits_for_jobs_and_for_the_lease(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "60")
    assert shut(agent, "remove", epoch, "trees/t") == "busy"
    assert shut(agent, "remove", epoch + 7, "trees/t") == "stale"


def test_a_file_that_a_job_wrote_can_stay_in_the_store(phone: Phone, agent: Talk, epoch: int):
    agent.start(
        epoch, "j", "sh", "-c", "mkdir d; printf cache >'d/a b'; printf cache >./-n; ln -s 'd/a b' link"
    )
    agent.ended("j")
    digest = hashlib.sha256(b"cache").hexdigest()
    assert shut(agent, "adopt", "j", "d/a b", SHA256) == "digest-mismatch"
    assert shut(agent, "adopt", "j", "link", digest) == "missing"
    assert shut(agent, "adopt", "j", "../limit", digest) == "usage"
    agent("adopt", "j", "-n", digest)
    agent("drop", "j")
    assert agent("have", digest) == ()
    assert agent("adopt", "j", "d/a b", digest) == ()
    agent.start(
        epoch,
        "k",
        "sh",
        "-c",
        "echo more >>d/cache; cat d/cache",
        folders=("d",),
        copies=(f"d/cache={digest}",),
    )
    assert agent.ended("k") == (0, "-")
    assert agent.output("k") == b"cachemore\n"
    assert phone.stored(digest).read_bytes() == b"cache"


def test_nothing_but_the_store_and_the_lease_is_left_in_the_workdir(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    agent("drop", "j")
    agent("release", epoch)
    agent.leave()
    left = sorted(str(path.relative_to(phone.workdir)) for path in phone.workdir.rglob("*"))
    assert [path for path in left if not path.startswith("lease/")] == [
        "cas",
        "incoming",
        "lease",
        "spool",
        "trees",
    ]
