"""Pinning host keys: fetched from real servers, recorded whole or not at all."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from farm.errors import DeviceError, RequestError
from farm.model.device import LOCAL, Address, Device, Runtime, RuntimeKind
from farm.transport.base import Timeouts
from farm.transport.host_keys import HostKey, fetch_host_keys, pinned, record
from farm.transport.ssh import transport_for
from tests import servers

RUNTIME = Runtime(RuntimeKind.WHEEL)


@pytest.fixture
def pins(tmp_path):
    return tmp_path / "inventory" / "known_hosts"


@pytest.fixture
def key(tmp_path):
    """Makes a host key of a new machine behind the name."""

    def make(host: str, kind: str = "ed25519") -> HostKey:
        path = tmp_path / f"key{len(list(tmp_path.iterdir()))}"
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path], check=True)
        kind, blob = path.with_suffix(".pub").read_text().split()[:2]
        shown = subprocess.run(
            ["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True
        ).stdout
        return HostKey(kind, shown.split()[1], f"{host} {kind} {blob}")

    return make


@pytest.mark.parametrize("start", [servers.sshd, servers.dropbear])
@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
async def test_what_a_server_shows_is_what_openssh_says_of_it(tmp_path, pins, start, kind):
    with start(tmp_path / "s", key_type=kind) as server:
        (key,) = await fetch_host_keys(server.device("d"), known_hosts=pins)
        line = server.known_hosts_line
    assert key.line == line
    assert key.type == line.split()[1]
    assert key.host == f"[127.0.0.1]:{server.port}"
    said = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"], input=line, check=True, capture_output=True, text=True
    ).stdout
    assert key.fingerprint_sha256 == said.split()[1]


async def test_all_keys_of_a_server_are_fetched_and_any_of_them_is_enough(tmp_path, pins):
    second = tmp_path / "second"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", second], check=True)
    with servers.sshd(tmp_path / "s", options=(f"HostKey {second}",)) as server:
        keys = await fetch_host_keys(server.device("d"), known_hosts=pins)
        assert [key.type for key in keys] == ["ssh-ed25519", "ssh-rsa"]
        for one in keys:
            pins.unlink(missing_ok=True)
            await asyncio.to_thread(record, pins, [one])
            await (await transport_for(server.device("d"), known_hosts=pins).connect()).close()


async def test_a_host_that_is_gone_has_no_keys(pins):
    device = Device("d", Address("127.0.0.1", servers.free_port()), RUNTIME)
    with pytest.raises(DeviceError) as caught:
        await fetch_host_keys(device, known_hosts=pins, timeouts=Timeouts(attempts=1))
    assert caught.value.cause == "unreachable"


async def test_this_machine_needs_no_trust(pins):
    with pytest.raises(RequestError):
        await fetch_host_keys(Device(LOCAL, Address(LOCAL), RUNTIME), known_hosts=pins)


def test_a_recorded_key_is_pinned_and_recording_it_again_changes_nothing(pins, key):
    one = key("[lab]:2222")
    assert record(pins, [one]) == (one,)
    assert pinned(pins, "lab", 2222) == (one,)
    assert pinned(pins, "LAB", 2222) == (one,)
    assert pinned(pins, "lab", 22) == ()
    before = pins.read_bytes()
    assert record(pins, [one]) == ()
    assert pins.read_bytes() == before


def test_other_lines_stay_as_they_are(pins, key):
    pins.parent.mkdir()
    pins.write_text("# ours\n\nother ssh-ed25519 unreadable\n")
    record(pins, [key("lab")])
    assert pins.read_text().startswith("# ours\n\nother ssh-ed25519 unreadable\nlab ssh-ed25519 ")


def test_a_changed_key_is_replaced_only_when_asked(pins, key):
    old, new, other = key("lab"), key("lab"), key("other")
    record(pins, [old, other])
    before = pins.read_bytes()
    with pytest.raises(RequestError) as caught:
        record(pins, [new])
    assert old.fingerprint_sha256 in caught.value.message
    assert new.fingerprint_sha256 in caught.value.message
    assert pins.read_bytes() == before
    assert record(pins, [new], replace=True) == (new,)
    assert pinned(pins, "lab", 22) == (new,)
    assert pinned(pins, "other", 22) == (other,)


def test_a_key_of_another_type_is_added(pins, key):
    one, two = key("lab"), key("lab", "rsa")
    record(pins, [one])
    assert record(pins, [two]) == (two,)
    assert set(pinned(pins, "lab", 22)) == {one, two}


def test_replacing_leaves_other_names_of_the_line(pins, key):
    old, new = key("lab"), key("lab")
    pins.parent.mkdir()
    pins.write_text(old.line.replace("lab ", "lab,alias ", 1) + "\n")
    record(pins, [new], replace=True)
    assert pinned(pins, "lab", 22) == (new,)
    assert [one.fingerprint_sha256 for one in pinned(pins, "alias", 22)] == [old.fingerprint_sha256]


def test_replacing_finds_hashed_names(pins, key):
    old, new = key("lab"), key("lab")
    record(pins, [old])
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", pins], check=True, capture_output=True)
    record(pins, [new], replace=True)
    assert pinned(pins, "lab", 22) == (new,)


def test_a_pattern_is_left_to_people(pins, key):
    old, new = key("lab-1"), key("lab-1")
    pins.parent.mkdir()
    pins.write_text(old.line.replace("lab-1 ", "lab-* ", 1) + "\n")
    before = pins.read_bytes()
    with pytest.raises(RequestError):
        record(pins, [new], replace=True)
    assert pins.read_bytes() == before


def test_a_file_that_cannot_be_replaced_stays_and_nothing_lies_about(pins, key, monkeypatch):
    from pathlib import Path

    record(pins, [key("lab")])
    before = pins.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(RequestError, match="No space"):
        record(pins, [key("other")])
    assert pins.read_bytes() == before
    assert [path.name for path in pins.parent.iterdir()] == ["known_hosts"]


def test_a_link_to_the_file_stays_a_link_and_its_mode_is_kept(pins, key, tmp_path):
    pins.parent.mkdir()
    real = tmp_path / "real"
    real.write_text("")
    real.chmod(0o600)
    pins.symlink_to(real)
    record(pins, [key("lab")])
    assert pins.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert pinned(real, "lab", 22)
