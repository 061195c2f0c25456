"""~/.ssh/config is read as OpenSSH reads it, or refused with file and line; `ssh -G` is the judge."""

from __future__ import annotations

import asyncio
import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest
from asyncssh.encryption import get_encryption_algs

from farm.errors import DeviceError, Fault
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.transport.route import route
from farm.transport.ssh_config import settings_of
from tests import servers
from tests.contract.ssh_configs import CASES, REFUSED_BY_FARM, REFUSED_BY_OPENSSH, Case, Refused

LATIN_1 = "surrogateescape"
RUNTIME = Runtime(RuntimeKind.WHEEL)


@pytest.fixture(autouse=True)
def client():
    servers._program("ssh")
    if servers._openssh_version() < (9, 0):
        pytest.skip("older ones have other rules for quotes and comments")


def written(home: Path, case: Case | Refused) -> Path:
    """Writes the files of a case and returns its ~/.ssh/config."""
    folder = home / ".ssh"
    for name, content in {**case.files, "config": case.config}.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        filled = content if isinstance(content, bytes) else content.replace("{home}", str(home)).encode()
        path.write_bytes(filled)
    return folder / "config"


def asked(config: Path, case: Case, *flags: str) -> str:
    """What ssh writes to stdout and stderr."""
    words = ["ssh", "-F", str(config), *flags]
    words += ["-l", case.user] if case.user else []
    words += ["-p", str(case.port)] if case.port else []
    words += ["-J", case.proxy_jump] if case.proxy_jump and "-G" in flags else []
    done = subprocess.run(
        [*words, "--", case.host], check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    return (done.stdout + done.stderr).decode("utf-8", LATIN_1)


def unescaped(text: str) -> str:
    """Without the `\\351` that ssh writes in its log for a byte beyond ASCII."""
    whole = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), os.fsencode(text))
    return os.fsdecode(whole)


def by_ssh(config: Path, case: Case) -> dict[str, object]:
    lines = [line.partition(" ") for line in asked(config, case, "-T", "-G").split("\n")]
    told: dict[str, list[str]] = {}
    for keyword, _, value in lines:
        told.setdefault(keyword, []).append(value)
    # The identities as ssh really opens them: its -G shows them before their tokens are replaced.
    said = asked(config, case, "-v", "-T", "-o", "BatchMode=yes", "-o", "ProxyCommand=false")
    passwd_home = pwd.getpwuid(os.getuid()).pw_dir
    identities = [
        re.sub(rf"^{re.escape(passwd_home)}/\.ssh/", f"{os.environ['HOME']}/.ssh/", unescaped(path))
        for path in re.findall(r"debug1: identity file (.*) type -?\d+", said)
        if not path.endswith("-cert")
    ]
    usual = f"{passwd_home}/.ssh/known_hosts {passwd_home}/.ssh/known_hosts2"
    own = f"{os.environ['HOME']}/.ssh/known_hosts {os.environ['HOME']}/.ssh/known_hosts2"
    files = [
        own if value == usual else value
        for name in ("userknownhostsfile", "globalknownhostsfile")
        for value in told[name]
        if value != "none"
    ]
    timeout = told["connecttimeout"][0]
    known = [name.decode() for name in get_encryption_algs()]
    return {
        "hostname": told["hostname"][0],
        "port": int(told["port"][0]),
        "user": told["user"][0],
        "identityfile": identities,
        "identitiesonly": told["identitiesonly"] == ["yes"],
        "jumps": told.get("proxyjump", [""])[0].count(",") + ("proxyjump" in told),
        "knownhosts": " ".join(files),
        "hostkeyalias": told.get("hostkeyalias", [None])[0],
        "connecttimeout": None if timeout == "none" else int(timeout),
        "ciphers": [name for name in told["ciphers"][0].split(",") if name in known],
    }


async def by_farm(case: Case) -> dict[str, object]:
    address = Address(case.host, case.port, case.user, proxy_jump=case.proxy_jump)
    hops = await route(Device("d", address, RUNTIME))
    settings = await settings_of(address)
    options = hops[-1].options
    alias = settings.line("hostkeyalias")
    assert hops[-1].known_as == alias or alias is None
    ciphers = (
        options["encryption_algs"] if "ciphers" in settings.changed else settings.line("ciphers").split(",")
    )
    known = [name.decode() for name in get_encryption_algs()]
    return {
        "hostname": options["host"],
        "port": options["port"],
        "user": options["username"],
        "identityfile": [str(path) for path in settings.paths("identityfile")],
        "identitiesonly": "agent_identities" in options,
        "jumps": settings.line("proxyjump").count(",") + 1 if settings.line("proxyjump") else 0,
        "knownhosts": " ".join(str(path) for path in hops[-1].known_hosts),
        "hostkeyalias": alias,
        "connecttimeout": hops[-1].connect_s,
        "ciphers": [name for name in ciphers if name in known],
        "route": [
            re.sub(f"^{re.escape(pwd.getpwuid(os.getuid()).pw_name)}@", "", hop.peer.title) for hop in hops
        ],
        "proxycommand": options["proxy_command"][-1].removeprefix("exec ")
        if options.get("proxy_command")
        else None,
    }


def differences(case: Case, ssh: dict[str, object], farm: dict[str, object], home: Path) -> list[str]:
    wrong = [
        f"{case.name}: {name} is {ssh[name]!r} by ssh, {farm[name]!r} by farm"
        for name in ssh
        if farm[name] != ssh[name]
    ]
    for name, value in case.expected.items():
        wanted = [item.replace("{home}", str(home)) for item in value] if isinstance(value, list) else value
        wanted = " ".join(wanted) if name == "knownhosts" else wanted
        if farm[name] != wanted:
            wrong.append(f"{case.name}: {name} should be {wanted!r}, is {farm[name]!r} by farm")
    return wrong


async def test_every_setting_is_the_one_that_ssh_uses(home, monkeypatch):
    """N of N, on the settings that farm uses; and those that are known beforehand."""
    wrong: dict[str, list[str]] = {}
    for case in CASES:
        with monkeypatch.context() as scene:
            for name, value in case.environment.items():
                scene.setenv(name, value)
            config = await asyncio.to_thread(written, home, case)
            ssh = await asyncio.to_thread(by_ssh, config, case)
            wrong[case.name] = differences(case, ssh, await by_farm(case), home)
    agreed = sum(not found for found in wrong.values())
    print(f"ssh -G agreement: {agreed} of {len(CASES)}")
    assert "\n".join(line for found in wrong.values() for line in found) == ""
    assert agreed == len(CASES) >= 60


@pytest.mark.parametrize("case", [*REFUSED_BY_OPENSSH, *REFUSED_BY_FARM], ids=lambda case: case.name)
async def test_what_is_refused_is_named_by_file_and_line(home, case):
    config = await asyncio.to_thread(written, home, case)
    told = await asyncio.to_thread(
        subprocess.run, ["ssh", "-G", "-F", config, "board"], check=False, capture_output=True
    )
    if case in REFUSED_BY_FARM:
        assert told.returncode == 0  # by farm alone
    with pytest.raises(DeviceError) as caught:
        await route(Device("d", Address("board"), RUNTIME))
    error = caught.value
    assert (error.cause, error.fault, error.transient) == ("ssh-config", Fault.USER, False)
    assert f"{home}/.ssh/{case.where}:{case.line}: " in error.message
    assert case.says.lower() in error.message.lower()
    assert error.hint
