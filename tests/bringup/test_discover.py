"""`farm devices discover` on loopback addresses with several servers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from farm.inventory.devices import load
from tests.bringup.conftest import Room
from tests.e2e.conftest import Outcome
from tests.servers import Server, sshd

pytestmark = pytest.mark.sshd


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[list[Server]]:
    """Two servers on one port of 127.0.0.2 and 127.0.0.4, that let the same key in."""
    with ExitStack() as stack:
        first = stack.enter_context(sshd(tmp_path / "first", host="127.0.0.2"))
        second = stack.enter_context(
            sshd(tmp_path / "second", host="127.0.0.4", port=first.port, authorized=first.identity)
        )
        yield [first, second]


def discover(room: Room, lab: list[Server], *words: str, said: str | None = None) -> Outcome:
    given = (
        "devices", "discover", "127.0.0.1-6", "--port", str(lab[0].port), "--user", "root",
        "--identity", str(lab[0].identity), "--inventory", str(room.inventory), *words,
    )  # fmt: skip
    if not room.inventory.exists():
        room.inventory.write_text("devices: {local: {}}\n")
    return room.farm(*given) if said is None else room.typed(*given, said=said)


def pin(room: Room, *servers: Server) -> None:
    (room.folder / "known_hosts").write_text("".join(f"{one.known_hosts_line}\n" for one in servers))


def test_those_that_are_trusted_become_an_inventory_that_farm_reads(room: Room, lab: list[Server]) -> None:
    pin(room, lab[0])
    outcome = discover(room, lab, "--yes")
    assert outcome.code == 0, outcome.stderr
    found = room.folder / "found.yaml"
    found.write_text(outcome.stdout)
    (device,) = load(found).devices
    assert (device.address.host, device.address.port, device.address.user) == (
        "127.0.0.2",
        lab[0].port,
        "root",
    )
    assert device.architecture in device.tags
    assert "asked 6 of 6 addresses, 2 answered" in outcome.stderr
    assert f"127.0.0.4:{lab[0].port}: its host key is not pinned" in outcome.stderr
    (room.folder / "known_hosts").replace(room.folder / "pins")
    (room.folder / "known_hosts").write_text((room.folder / "pins").read_text())
    checked = room.farm("devices", "check", "--inventory", str(found), "--json")
    assert checked.code == 0, checked.stderr


def test_nobody_is_asked_before_a_person_agrees_to_the_number_of_addresses(
    room: Room, lab: list[Server]
) -> None:
    refused = discover(room, lab, said="n\n")
    assert refused.code == 0
    assert "Ask 6 addresses (127.0.0.1 to 127.0.0.6) on port" in refused.stderr
    assert "nobody was asked" in refused.stderr
    assert b"Connection from" not in lab[0].log.read_bytes()
    assert discover(room, lab, said="").code == 2


def test_unknown_host_keys_are_shown_and_pinned_only_after_a_yes(room: Room, lab: list[Server]) -> None:
    pins = room.folder / "known_hosts"
    refused = discover(room, lab, "--trust", said="y\nn\n")
    assert (refused.code, pins.exists()) == (4, False), refused.stderr
    assert refused.stderr.count("SHA256:") >= 2
    assert not (lab[0].home / ".cache").exists()  # nobody logged in
    agreed = discover(room, lab, "--trust", "--json", said="y\ny\n")
    assert agreed.code == 0, agreed.stderr
    assert {line.split()[0] for line in pins.read_text().splitlines()} == {
        f"[127.0.0.2]:{lab[0].port}", f"[127.0.0.4]:{lab[0].port}",
    }  # fmt: skip
    names = list(agreed.results["devices"])
    assert len(names) == 2
    assert names[1] == f"{names[0]}-2"  # one machine, twice


def test_a_changed_host_key_is_never_trusted_by_a_scan(room: Room, lab: list[Server]) -> None:
    other = lab[1].host_public_key.split()
    pin(room)
    (room.folder / "known_hosts").write_text(f"[127.0.0.2]:{lab[0].port} {other[0]} {other[1]}\n")
    outcome = discover(room, lab, "--trust", "--yes", "--json")
    hosts = {one["address"]: one for one in outcome.results["hosts"]}
    assert hosts["127.0.0.2"]["host_key"] == "changed"
    assert len(outcome.results["devices"]) == 1
    assert not (lab[0].home / ".cache").exists()
    assert "attack" in outcome.stderr


def test_an_inventory_is_written_once_and_never_over_another(room: Room, lab: list[Server]) -> None:
    output = room.folder / "new" / "lab.yaml"
    written = discover(room, lab, "--trust", "--yes", "--output", str(output))
    assert (written.code, written.stdout) == (0, ""), written.stderr
    assert len(load(output).devices) == 2
    before = output.read_bytes()
    again = discover(room, lab, "--yes", "--output", str(output))
    assert (again.code, output.read_bytes()) == (2, before)
    assert "--force" in again.stderr
    assert discover(room, lab, "--yes", "--output", str(output), "--force").code == 0


def test_a_device_of_the_inventory_is_named_and_not_entered_again(room: Room, lab: list[Server]) -> None:
    room.inventory.write_text(f"devices: {{arm-1: {{address: 127.0.0.2, port: {lab[0].port}}}}}\n")
    pin(room, *lab)
    outcome = discover(room, lab, "--yes", "--json")
    assert outcome.code == 0
    assert [one["address"] for one in outcome.results["devices"].values()] == ["127.0.0.4"]
    assert "is arm-1 in the inventory" in outcome.stderr


def test_a_login_that_is_refused_is_said_and_has_no_entry(
    room: Room, lab: list[Server], tmp_path: Path
) -> None:
    pin(room, *lab)
    (lab[1].home / ".ssh" / "authorized_keys").write_text("")
    outcome = discover(room, lab, "--yes", "--json")
    assert len(outcome.results["devices"]) == 1
    assert "accepts none of the SSH keys" in outcome.stderr


def test_hosts_of_an_ssh_configuration_are_entered_by_name(room: Room, lab: list[Server]) -> None:
    pin(room, *lab)
    ssh = room.folder / "home" / ".ssh"
    (ssh / "more").mkdir(parents=True)
    config = ssh / "config"
    identity = f"IdentityFile {lab[0].identity}\n"
    config.write_text(
        f"Include more/*\nHost first\n  HostName 127.0.0.2\n  Port {lab[0].port}\n  User root\n  {identity}"
        "Host *.lab !x\n  User nobody\n"
    )
    (ssh / "more" / "second").write_text(
        f"Host second\n HostName 127.0.0.4\n Port {lab[0].port}\n User root\n {identity}"
    )
    room.inventory.write_text("devices: {local: {}}\n")
    words = ("devices", "discover", "--yes", "--json", "--inventory", str(room.inventory), "--ssh-config")
    own = room.farm(*words, str(config))
    assert own.code == 0, own.stderr
    assert [one["address"] for one in own.results["devices"].values()] == ["second", "first"]
    config.rename(room.folder / "other")
    other = room.farm(*words, str(room.folder / "other"))
    entries = list(other.results["devices"].values())
    assert [(one["address"], one["port"], one["user"]) for one in entries] == [
        ("127.0.0.4", lab[0].port, "root"),
        ("127.0.0.2", lab[0].port, "root"),
    ]


async def test_a_port_that_says_nothing_or_something_else_ends_at_its_deadline(room: Room) -> None:
    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _reader.read()
        writer.close()

    async def loud(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 \033[2J\r\n" * 100_000)
        writer.close()

    room.inventory.write_text("devices: {local: {}}\n")
    async with await asyncio.start_server(silent, "127.0.0.7", 0) as one:
        port = one.sockets[0].getsockname()[1]
        async with await asyncio.start_server(loud, "127.0.0.8", port):
            words = (
                "devices",
                "discover",
                "127.0.0.7-8",
                "--port",
                str(port),
                "--yes",
                "--json",
                "--deadline",
                "scan=1",
            )
            outcome = await asyncio.to_thread(room.farm, *words, "--inventory", str(room.inventory))
    assert outcome.code == 4
    assert json.loads(outcome.stdout) == {"asked": 2, "hosts": [], "devices": {}}
    assert "none of 2 addresses answers" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["10.0.0.0/8"], "16777214 addresses are more than 4096"),
        (["10.0.0.0/19"], "--most 8190"),
        (["2001:db8::/64"], "18446744073709551616 addresses"),
        (["10.0.0.9-3"], "no range"),
        (["10.0.0.300"], "no range"),
        ([], "no range and no --ssh-config"),
        (["--ssh-config", "none"], "is not a file"),
        (["10.0.0.1", "--identity", "none"], "no such file"),
        (["10.0.0.1", "--identity", "caf\udce9"], "cannot hold this name"),
        (["10.0.0.1", "--user", "caf\udce9 x"], "is not a login name"),
        (["caf\udce9 x"], "no range"),
        (["--ssh-config", "huge"], "is larger than 1 MiB"),
        (["--ssh-config", "pipe"], "is not a file"),
        (["10.0.0.1", "--deadline", "scan=0"], "wants a number of seconds"),
    ],
)
def test_a_request_that_is_wrong_or_too_large_is_refused_before_anybody_is_asked(
    room: Room, words: list[str], says: str
) -> None:
    with (room.folder / "huge").open("w") as huge:
        huge.truncate(10 << 30)
    os.mkfifo(room.folder / "pipe")
    outcome = room.farm("devices", "discover", "--yes", *words)
    assert outcome.code == 2
    assert says in outcome.stderr
