"""known_hosts files as OpenSSH reads them (`ssh-keygen -F` is the judge), and odd files in their place."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.transport.known_hosts import HostKey, describe, pinned, record, trust
from tests import servers

A = "AAAAC3NzaC1lZDI1NTE5AAAAIPxRAyfvO0bT+TSl87JpVWBIPzm4TXKI0IQdR1ZZGKpE"
B = "AAAAC3NzaC1lZDI1NTE5AAAAICACrC1mP/MDqjIigxGNnQbksf91jXfZ7zeXdIKXmYMF"

LOOKUPS = {
    "a name": (f"lab ssh-ed25519 {A}\n", "lab"),
    "another name": (f"lab ssh-ed25519 {A}\n", "lab2"),
    "one of several names": (f"lab,10.0.0.7 ssh-ed25519 {A}\n", "10.0.0.7"),
    "a name and port": (f"[lab]:2222 ssh-ed25519 {A}\nlab ssh-ed25519 {B}\n", "[lab]:2222"),
    "an address of IPv6": (f"::1 ssh-ed25519 {A}\n", "::1"),
    "an address of IPv6 and port": (f"[::1]:2222,[lab]:2222 ssh-ed25519 {A}\n", "[::1]:2222"),
    "a pattern": (f"*.lab,!x.lab ssh-ed25519 {A}\n", "a.lab"),
    "a pattern that excludes": (f"*.lab,!x.lab ssh-ed25519 {A}\n", "x.lab"),
    "a pattern with a port": (f"[*.lab]:2222 ssh-ed25519 {A}\n", "[a.lab]:2222"),
    "a name in capitals": (f"LAB ssh-ed25519 {A}\n", "lab"),
    "a comment": (f"lab ssh-ed25519 {A} me@there # it's\n", "lab"),
    "a comment in Latin-1": (f"lab ssh-ed25519 {A} M\udcfcller\n", "lab"),
    "lines of other lands": (f"# caf\udce9\n\u2028lab x\nlab ssh-ed25519 {A} \u2028\n", "lab"),
    "tabs, spaces and carriage returns": (f"  lab\tssh-ed25519   {A}\t\r\n\r\n", "lab"),
    "lines that mean nothing": (
        f"lab\nlab ssh-ed25519\n@what lab ssh-ed25519 {B}\nlab ssh-ed25519 {A}\n",
        "lab",
    ),
    "a broken key beside a good one": (f"lab ssh-ed25519 AAAA\nlab ssh-ed25519 {A}\n", "lab"),
    "several keys": (f"lab ssh-ed25519 {A}\nlab ssh-ed25519 {B}\n", "lab"),
    "no line break at the end": (f"lab ssh-ed25519 {A}", "lab"),
}


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize("case", LOOKUPS)
def test_the_keys_of_a_host_are_those_that_ssh_finds(tmp_path, case, hashed):
    content, name = LOOKUPS[case]
    file = tmp_path / "known_hosts"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    keygen = servers._program("ssh-keygen")
    if hashed:
        subprocess.run([keygen, "-q", "-H", "-f", file], check=False, capture_output=True)
    told = subprocess.run([keygen, "-F", name, "-f", file], check=False, capture_output=True)
    lines = [line.split() for line in told.stdout.splitlines() if not line.startswith(b"#")]
    by_ssh = [words[2].decode() for words in lines if words[2] != b"AAAA"]  # keygen does not look into keys
    found = trust(name, tmp_path / "none", [file])
    assert [describe(name, key).line.split()[2] for key in found.keys] == by_ssh


def test_a_mistake_in_the_inventorys_file_is_named_by_its_line(tmp_path):
    pins = tmp_path / "known_hosts"
    pins.write_text(f"# mine\nlab ssh-ed25519 {A}\n@what lab ssh-ed25519 {A}\n")
    with pytest.raises(RequestError) as caught:
        pinned(pins, "lab", 22)
    assert caught.value.source == f"{pins}:3"


def test_the_users_files_that_cannot_be_read_are_empty_as_for_ssh(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    good = tmp_path / "good"
    good.write_text(f"lab ssh-ed25519 {A}\n")
    found = trust("lab", tmp_path / "none", [tmp_path / "folder", tmp_path / "pipe", Path("/dev/null"), good])
    assert len(found.keys) == 1


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_something_else_in_place_of_the_inventorys_file_is_named(tmp_path, make):
    make(tmp_path / "pins")
    with pytest.raises(RequestError) as caught:
        trust("lab", tmp_path / "pins", [])
    assert caught.value.source == str(tmp_path / "pins")


@pytest.fixture
def another_disk(tmp_path):
    if not Path("/dev/shm").is_dir() or Path("/dev/shm").stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second disk")
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="farm-tests-") as folder:
        yield Path(folder)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_to_another_disk_is_followed(tmp_path, another_disk, exists):
    target = another_disk / "hosts"
    if exists:
        target.write_text(f"other ssh-ed25519 {B}\n")
        target.chmod(0o600)
    (tmp_path / "second").symlink_to(target)
    (tmp_path / "pins").symlink_to("second")
    record(tmp_path / "pins", [HostKey("ssh-ed25519", "", f"lab ssh-ed25519 {A}")])
    assert (tmp_path / "pins").is_symlink()
    assert target.read_text() == f"other ssh-ed25519 {B}\n" * exists + f"lab ssh-ed25519 {A}\n"
    assert target.stat().st_mode & 0o777 == (0o600 if exists else 0o644)
    assert [path.name for path in another_disk.iterdir()] == ["hosts"]


def test_a_link_that_leads_to_itself_is_named(tmp_path):
    (tmp_path / "pins").symlink_to("pins")
    with pytest.raises(RequestError) as caught:
        record(tmp_path / "pins", [HostKey("ssh-ed25519", "", f"lab ssh-ed25519 {A}")])
    assert str(tmp_path / "pins") in str(caught.value)


def test_a_place_where_nothing_can_be_written_is_named_with_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    pins = tmp_path / "file" / "known_hosts"
    with pytest.raises(RequestError) as caught:
        record(pins, [HostKey("ssh-ed25519", "", f"lab ssh-ed25519 {A}")])
    assert caught.value.source == str(pins)
    assert caught.value.hint


def test_other_bytes_of_the_file_stay_as_they_are(tmp_path):
    pins = tmp_path / "pins"
    before = f"# caf\udce9 \u2028\r\n\n  x ssh-ed25519 {B} \udcff\r\n".encode("utf-8", "surrogateescape")
    pins.write_bytes(before)
    record(pins, [HostKey("ssh-ed25519", "", f"lab ssh-ed25519 {A}")])
    assert pins.read_bytes() == before + f"lab ssh-ed25519 {A}\n".encode()


def test_replacing_finds_names_in_capitals_and_after_a_tab(tmp_path):
    pins = tmp_path / "pins"
    pins.write_text(f"LAB,other\tssh-ed25519 {B}\n")
    record(pins, [HostKey("ssh-ed25519", "", f"lab ssh-ed25519 {A}")], replace=True)
    assert pins.read_text() == f"other ssh-ed25519 {B}\nlab ssh-ed25519 {A}\n"
