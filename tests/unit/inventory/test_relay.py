"""Devices that hand files on to others."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest

from farm.device.push.relay import by_hand, ssh_command
from farm.errors import RequestError
from farm.inventory.devices import load
from farm.model.device import Relay
from farm.transport.base import Endpoint

RELAYS = """
defaults: {relay: gw}
groups: {far: {relay: {device: gw, identity: ~/.ssh/id, host: 10.0.0.3, port: 2200, user: bench}}}
devices:
  gw:
  a:
  b: {group: far}
  c: {relay: ''}
  here: {address: local}
"""
TO = Endpoint("board.lab", 22, "me", "ssh-ed25519 AAAA")


def test_a_relay_is_another_device_which_groups_and_defaults_may_name(tmp_path: Path) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(RELAYS)
    gw, a, b, c, here = load(file).devices
    assert a.relay == Relay(gw)
    assert b.relay == Relay(gw, "~/.ssh/id", "10.0.0.3", 2200, "bench")
    assert (gw.relay, c.relay, here.relay) == (None, None, None)


def test_a_relay_may_be_in_another_file_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("devices: {a: {relay: gw}}")
    (tmp_path / "b.yaml").write_text("devices: {gw: }")
    a, gw = load(tmp_path).devices
    assert a.relay == Relay(gw)


@pytest.mark.parametrize(
    ("relay", "says"),
    [
        ("hree", 'device a, relay: no device is named "hree" (did you mean here?)'),
        ("here", "relay: here is this machine, which has the files already"),
        ("b", "relay: b has a relay itself, gw: name that one"),
        ("{identity: x}", "relay.device: is missing"),
        ("{device: gw, host: '-oProxyCommand=x'}", "relay.host: "),
        ("{device: gw, user: '-x'}", "relay.user: "),
        ("{device: gw, prot: 22}", "relay.prot: unknown key (did you mean port?)"),
        ("[gw]", "relay: should be a mapping"),
    ],
)
def test_a_relay_that_cannot_be_is_a_mistake_in_its_line(tmp_path: Path, relay: str, says: str) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(
        f"devices:\n  a: {{relay: {relay}}}\n  b: {{relay: gw}}\n  gw:\n  here: {{address: local}}\n"
    )
    with pytest.raises(RequestError) as refused:
        load(file)
    assert says in refused.value.message
    assert refused.value.source == f"{file}:2"


@pytest.mark.parametrize("identity", [None, "~/.ssh/my key", "/keys/o'ne"])
def test_the_command_of_a_relay_has_one_meaning_for_its_shell(tmp_path: Path, identity: str | None) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text("#!/bin/sh\nfor word do printf '%s\\n' \"$word\"; done\n")
    ssh.chmod(0o755)
    relay = Relay(load_one(tmp_path), identity, port=2200)
    command = ssh_command(relay, TO, ("sh", "/a b/'c'.sh", "receive", "~/x!"))
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": "/home/me"}
    said = subprocess.run(
        ["sh", "-c", command, "farm", "incoming/known.7"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert said[:2] == ["-o", "UserKnownHostsFile=incoming/known.7"]
    assert ("IdentitiesOnly=yes" in said) == (identity is not None)
    if identity:
        assert said[2:4] == ["-i", identity.replace("~", "/home/me")]
    assert said[-7:-1] == ["-p", "2200", "-l", "me", "--", "board.lab"]
    assert shlex.split(said[-1]) == ["exec", "sh", "/a b/'c'.sh", "receive", "~/x!"]
    assert by_hand(relay, TO).endswith("-p 2200 me@board.lab")


def load_one(folder: Path):
    (folder / "lab.yaml").write_text("devices: {gw: }")
    return load(folder / "lab.yaml").devices[0]
