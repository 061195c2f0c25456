"""Files of the store that are handed on to another device."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from farm.device import wire
from tests.agent.shells import PATIENCE_S, Phone, until
from tests.agent.test_uploads import small_files

OK = "echo; echo farm-agent 1 ok"


def hand(phone: Phone, command: str, *digests: str) -> wire.Reply:
    """With an input that stays open, as that of a channel does."""
    process = phone.popen("hand", phone.workdir, "farm ssh-ed25519 AAAA", command, *digests)
    assert process.stdout is not None
    with process:
        told = process.stdout.read()
    reply = next(filter(None, map(wire.parse_greeting, told.splitlines(keepends=True))))
    assert isinstance(reply, wire.Reply)
    return reply


def left(phone: Phone) -> list[str]:
    return [path.name for path in (phone.workdir / "incoming").iterdir()]


def test_a_file_is_the_input_of_the_command_which_has_the_host_key_in_a_file(phone: Phone, tmp_path: Path):
    (one,) = small_files(tmp_path / "a", 1)
    phone.put(one.path)
    got, key = tmp_path / "got", tmp_path / "key"
    assert hand(phone, f'cat >{got}; cat "$1" >{key}; {OK}', one.sha256).status is wire.Status.OK
    assert got.read_bytes() == one.path.read_bytes()
    assert key.read_text() == "farm ssh-ed25519 AAAA\n"
    assert left(phone) == []


def test_more_files_are_an_archive_as_unpack_takes_it(phone: Phone, tmp_path: Path):
    files = small_files(tmp_path / "a", 20)
    for one in files:
        phone.put(one.path)
    got = tmp_path / "got"
    assert hand(phone, f"cat >{got}; {OK}", *(one.sha256 for one in files)).status is wire.Status.OK
    with tarfile.open(fileobj=io.BytesIO(got.read_bytes())) as archive:
        assert archive.getnames() == [f"{one.sha256[:2]}/{one.sha256}" for one in files]
    for one in files:
        phone.stored(one.sha256).unlink()
    assert phone.once("unpack", phone.workdir, 20, data=got.read_bytes()).status is wire.Status.OK
    assert phone.stored(files[7].sha256).read_bytes() == files[7].path.read_bytes()


def test_what_the_other_device_refuses_and_a_client_that_fails_are_told(phone: Phone, tmp_path: Path):
    (one,) = small_files(tmp_path / "a", 1)
    phone.put(one.path)
    refused = hand(phone, "echo; echo farm-agent 1 err disk-full full; exit 1", one.sha256)
    assert (refused.code, refused.fields) == ("disk-full", ("full",))
    failed = hand(phone, "exit 255", one.sha256)
    assert (failed.code, failed.fields) == ("unreached", ("255",))
    assert left(phone) == []


@pytest.mark.parametrize("digest", ["../../etc/passwd", "a" * 64, "b" * 63])
def test_what_is_not_kept_is_not_handed_on(phone: Phone, tmp_path: Path, digest: str):
    reply = hand(phone, f"cat >{tmp_path / 'got'}; {OK}", digest)
    assert (reply.code, reply.fields) == ("missing", (digest,))
    assert not (tmp_path / "got").exists()


def test_the_command_ends_with_the_channel(phone: Phone, tmp_path: Path):
    (one,) = small_files(tmp_path / "a", 1)
    phone.put(one.path)
    process = phone.popen(
        "hand", phone.workdir, "farm key", f"echo >{tmp_path / 'began'}; exec sleep 99", one.sha256
    )
    until((tmp_path / "began").exists)
    process.communicate(b"", PATIENCE_S)
    assert not phone.processes()
    assert left(phone) == []
