"""Small files that come together, and files that are made of older ones."""

from __future__ import annotations

import hashlib
import random
import shlex
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from farm.device.push.archive import archive_of
from farm.device.push.chunks import recipe
from farm.device.push.recipe import Recipe
from farm.device.wire import Reply, Status
from farm.model.artifact import Artifact
from farm.store.artifacts import artifact_of
from tests.agent.shells import Phone, Talk


def small_files(folder: Path, count: int, seed: int = 1) -> list[Artifact]:
    drawn = random.Random(seed)
    folder.mkdir()
    for number in range(count):
        (folder / f"{number}").write_bytes(drawn.randbytes(drawn.randint(1, 3000)))
    return [artifact_of(path) for path in sorted(folder.iterdir())]


def unpack(phone: Phone, artifacts: list[Artifact], count: int | None = None, cut: int = 0) -> Reply:
    data = archive_of(artifacts)
    data = data[: len(data) - cut]
    return phone.once("unpack", phone.workdir, len(artifacts) if count is None else count, data=data)


def versions(folder: Path, old: bytes, new: bytes) -> tuple[Artifact, Artifact]:
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    return artifact_of(folder / "old"), artifact_of(folder / "new")


@pytest.fixture
def changed(tmp_path: Path) -> tuple[Artifact, Artifact]:
    """3 MB, of which a part in the middle is other and longer, and a part near the end is gone."""
    old = random.Random(2).randbytes(3_000_000)
    new = old[:900_000] + random.Random(3).randbytes(123_457) + old[1_000_000:2_500_000] + old[2_600_000:]
    return versions(tmp_path, old, new)


def assemble(phone: Phone, new: Artifact, made: Recipe, data: bytes | None = None) -> Reply:
    content = new.path.read_bytes()
    fresh = b"".join(content[at : at + length] for at, length in made.fresh)
    sizes = (new.size_bytes, made.sent_bytes)
    words = ("assemble", phone.workdir, new.sha256, *sizes, *made.words())
    return phone.once(*words, data=fresh if data is None else data)


def until(is_so: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.005)


def incoming(phone: Phone) -> list[str]:
    return sorted(path.name for path in (phone.workdir / "incoming").iterdir())


def test_small_files_come_in_one_archive(phone: Phone, agent: Talk, tmp_path: Path):
    first, more = small_files(tmp_path / "a", 60), small_files(tmp_path / "b", 300, seed=2)
    assert unpack(phone, first).status is Status.OK
    assert unpack(phone, more).status is Status.OK  # into folders of the store that are there, and others
    assert unpack(phone, more).status is Status.OK  # the reply may have been lost
    assert agent("have", *(one.sha256 for one in (*first, *more))) == ()
    for one in (*first, *more):
        assert phone.stored(one.sha256).read_bytes() == one.path.read_bytes()
        assert phone.stored(one.sha256).stat().st_mode & 0o777 == 0o555
    assert phone.stored(first[0].sha256).stat().st_mtime > 1e9, "else it would be the first that goes"
    assert incoming(phone) == []


def test_two_uploads_of_the_same_files_at_a_time_are_both_kept(phone: Phone, agent: Talk, tmp_path: Path):
    files, met, go = small_files(tmp_path / "a", 60), tmp_path / "met", tmp_path / "go"
    waits = f"[ -e '{met}' ] || {{ : >'{met}'; until [ -e '{go}' ]; do sleep 0.1; done; }}"
    phone.replace_tool("mv", f'{waits}; exec REAL "$@"')
    with ThreadPoolExecutor() as pool:
        first = pool.submit(unpack, phone, files)
        until(met.exists)
        assert unpack(phone, files).status is Status.OK
        go.touch()
        assert first.result().status is Status.OK
    assert agent("have", *(one.sha256 for one in files)) == ()
    assert all(phone.stored(one.sha256).read_bytes() == one.path.read_bytes() for one in files)
    assert incoming(phone) == []


NO_LINKS = "echo 'not permitted' >&2; exit 1"
HALF_WAY = """
while [ $# -gt 2 ]; do shift; done
for file in "$1"/*; do ln "$file" "cas/${file#incoming/*/}"; break; done
exit 1
"""


@pytest.mark.parametrize(("tool", "script"), [("ln", NO_LINKS), ("cp", NO_LINKS), ("cp", HALF_WAY)])
def test_they_get_their_places_where_files_cannot_have_two_names_or_not_all_of_them(
    phone: Phone, agent: Talk, tmp_path: Path, tool: str, script: str
):
    phone.replace_tool(tool, script)
    first, more = small_files(tmp_path / "a", 60), small_files(tmp_path / "b", 300, seed=2)
    for files in (first, more, more):
        assert unpack(phone, files).status is Status.OK
    for one in (*first, *more):
        assert phone.stored(one.sha256).read_bytes() == one.path.read_bytes()
    assert incoming(phone) == []


def test_without_hard_links_no_tool_that_takes_the_old_file_away_first_is_asked_for_one(
    phone: Phone, tmp_path: Path
):
    assert unpack(phone, small_files(tmp_path / "a", 60)).status is Status.OK
    phone.replace_tool("ln", NO_LINKS)
    phone.replace_tool("cp", f"echo cp >>'{phone.folder}/copies'; exit 1")
    assert unpack(phone, small_files(tmp_path / "b", 300, seed=2)).status is Status.OK
    assert not (phone.folder / "copies").exists()


def test_many_of_them_are_no_process_for_each_folder_that_is_there(phone: Phone, tmp_path: Path):
    assert unpack(phone, small_files(tmp_path / "a", 60)).status is Status.OK
    phone.replace_tool("mv", f"echo mv >>'{phone.folder}/moves'; exec REAL \"$@\"")
    more = small_files(tmp_path / "b", 300, seed=2)
    assert unpack(phone, more).status is Status.OK
    assert len((phone.folder / "moves").read_text().split()) == 1
    assert all(phone.stored(one.sha256).stat().st_nlink == 1 for one in more)
    assert incoming(phone) == []


def test_one_that_comes_takes_the_place_of_a_link_and_not_that_of_its_target(
    phone: Phone, agent: Talk, tmp_path: Path
):
    linked, other = small_files(tmp_path / "a", 2)
    target = tmp_path / "on device.mge"
    target.write_bytes(b"may change")
    agent("link", linked.sha256, target)
    assert unpack(phone, [linked, other]).status is Status.OK
    assert target.read_bytes() == b"may change"
    assert not phone.stored(linked.sha256).is_symlink()
    assert phone.stored(linked.sha256).read_bytes() == linked.path.read_bytes()


def test_what_is_missing_of_many_is_told_in_the_order_in_which_it_was_asked_for(phone: Phone, agent: Talk):
    digests = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(200)]
    for count in (63, 64, 65, 128, 200):
        assert agent("have", *digests[:count]) == tuple(f"{one}=0" for one in digests[:count])


def test_of_an_archive_that_is_cut_or_damaged_nothing_is_kept(phone: Phone, agent: Talk, tmp_path: Path):
    files = small_files(tmp_path / "a", 20)
    assert unpack(phone, files, cut=9000).status is Status.ERR
    assert unpack(phone, files[:19], count=20).code == "digest-mismatch"
    files[3].path.write_bytes(b"x" * files[3].size_bytes)
    assert unpack(phone, files).code == "digest-mismatch"
    assert len(agent("have", *(one.sha256 for one in files))) == 20
    assert incoming(phone) == []


def test_a_file_in_an_archive_that_is_no_digest_goes_nowhere(phone: Phone, tmp_path: Path):
    (one,) = small_files(tmp_path / "a", 1)
    for name in ("../../x", "aa/../../../x", f"zz/{one.sha256}", "aa/x"):
        data = archive_of([one]).replace(
            f"{one.sha256[:2]}/{one.sha256}".encode().ljust(100, b"\0"), name.encode().ljust(100, b"\0")
        )
        assert phone.once("unpack", phone.workdir, 1, data=data).status is Status.ERR
    assert not list(phone.folder.rglob("x"))
    assert incoming(phone) == []


def test_without_tar_that_is_said(phone: Phone, tmp_path: Path):
    tools = phone.own_tools()
    if not list(tools.iterdir()):
        pytest.skip("the machine's own tools")
    (tools / "tar").unlink()
    reply = unpack(phone, small_files(tmp_path / "a", 2))
    assert (reply.code, reply.fields) == ("no-tool", ("tar",))


def test_a_changed_file_is_made_of_its_older_version(
    phone: Phone, agent: Talk, changed: tuple[Artifact, Artifact]
):
    old, new = changed
    made = recipe(new, [old])
    assert made is not None
    assert made.sent_bytes < 0.3 * new.size_bytes
    phone.put(old.path)
    assert assemble(phone, new, made).status is Status.OK
    assert phone.stored(new.sha256).read_bytes() == new.path.read_bytes()
    assert agent("have", old.sha256, new.sha256) == ()
    assert incoming(phone) == []


def test_a_file_whose_older_version_is_gone_or_another_is_not_made(
    phone: Phone, agent: Talk, changed: tuple[Artifact, Artifact]
):
    old, new = changed
    made = recipe(new, [old])
    assert made is not None
    assert assemble(phone, new, made).code == "short"
    phone.put(old.path)
    assert assemble(phone, new, made, data=b"cut").code == "short"
    assert assemble(phone, new, made, data=bytes(made.sent_bytes)).code == "digest-mismatch"
    stored = phone.stored(old.sha256)
    stored.chmod(0o755)
    stored.write_bytes(bytes(old.size_bytes))
    assert assemble(phone, new, made).code == "digest-mismatch"
    assert agent("have", new.sha256) == (f"{new.sha256}=0",)
    assert incoming(phone) == []


@pytest.mark.parametrize("op", ["../x:0:1:5", "-:0:1", "-:x:1:5", "aa:0:1:5", f"{'0' * 64}:0:1:-5"])
def test_a_recipe_has_only_ranges_of_the_store_and_of_what_is_sent(phone: Phone, op: str):
    digest = hashlib.sha256(b"").hexdigest()
    assert phone.once("assemble", phone.workdir, digest, 5, 0, op).code == "usage"


def test_an_upload_that_was_cut_is_gone_on_with_before_its_first_process_has_ended(phone: Phone, agent: Talk):
    """A cut connection leaves one that looks at what came; meanwhile the rest comes through another."""
    data = random.Random(4).randbytes(24_000_000)
    digest = hashlib.sha256(data).hexdigest()
    kept = f"{shlex.quote(str(phone.folder))}/kept.$$"
    phone.replace_tool("sha256sum", f'cat >{kept}; sleep 1; exec REAL "$@" <{kept}')
    looks = phone.folder / "looks"
    phone.replace_tool("wc", f'REAL "$@" && printf . >>{shlex.quote(str(looks))}')
    with ThreadPoolExecutor() as threads:
        first = threads.submit(phone.receive, digest, 0, data[:12_000_000], len(data))
        part = phone.workdir / "incoming" / digest
        until(lambda: part.exists() and part.stat().st_size == 12_000_000)
        until(
            lambda: looks.exists() and looks.read_text() == "."
        )  # it knows how much came, which more would change
        rest = threads.submit(phone.receive, digest, 12_000_000, data[12_000_000:])
        until(lambda: part.stat().st_size == len(data))
        assert not first.done()
        assert (first.result().code, first.result().fields[0]) == ("short", "12000000")
        assert rest.result().status is Status.OK
    assert phone.stored(digest).read_bytes() == data


def test_an_upload_whose_digest_was_not_told_meanwhile_is_looked_at_once_more(phone: Phone, agent: Talk):
    """By a process that was killed, as one is where memory runs out."""
    data = random.Random(5).randbytes(12_000_000)
    once = shlex.quote(str(phone.folder / "once"))
    phone.replace_tool(
        "sha256sum", f'[ -e {once} ] || {{ : >{once}; cat >/dev/null; kill -KILL $$; }}; exec REAL "$@"'
    )
    digest = hashlib.sha256(data).hexdigest()
    assert phone.receive(digest, 0, data).status is Status.OK
    assert phone.stored(digest).read_bytes() == data
