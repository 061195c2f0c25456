"""~/.ssh/config is read as OpenSSH reads it, or refused with file and line; `ssh -G` is the judge."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from asyncssh.encryption import get_encryption_algs

from farm.errors import DeviceError, Fault, RequestError
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.transport.base import Timeouts
from farm.transport.link import open_link
from farm.transport.openssh import configuration
from farm.transport.openssh.configuration import DEFAULT_PORT, Settings, settings_of
from farm.transport.openssh.options import options_of
from farm.transport.route import route
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
    passwd_home, own_home = pwd.getpwuid(os.getuid()).pw_dir, os.environ["HOME"]
    shown = [line.replace("~", passwd_home, 1) for line in told["identityfile"] if line != "none"]
    if re.search(r"[%$]", "".join(shown)):
        # As ssh really opens them: its -G shows them before their tokens are replaced.
        said = asked(config, case, "-v", "-T", "-o", "BatchMode=yes", "-o", "ProxyCommand=false")
        opened = map(unescaped, re.findall(r"debug1: identity file (.*) type -?\d+", said))
        shown = [path for path in opened if not path.endswith("-cert")]
    identities = [re.sub(rf"^{re.escape(passwd_home)}/\.ssh/", f"{own_home}/.ssh/", path) for path in shown]
    usual = f"{passwd_home}/.ssh/known_hosts {passwd_home}/.ssh/known_hosts2"
    own = f"{own_home}/.ssh/known_hosts {own_home}/.ssh/known_hosts2"
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


async def by_farm(case: Case, scene: pytest.MonkeyPatch) -> dict[str, object]:
    seen: list[Settings] = []

    async def asking(address: Address) -> Settings:
        seen.append(await settings_of(address))
        return seen[-1]

    scene.setattr("farm.transport.route.settings_of", asking)
    address = Address(case.host, case.port, case.user, proxy_jump=case.proxy_jump)
    hops = await route(Device("d", address, RUNTIME))
    settings = seen[0]
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
            wrong[case.name] = differences(case, ssh, await by_farm(case, scene), home)
    agreed = sum(not found for found in wrong.values())
    print(f"ssh -G agreement: {agreed} of {len(CASES)}")
    assert "\n".join(line for found in wrong.values() for line in found) == ""
    assert agreed == len(CASES) >= 60


@pytest.mark.parametrize("case", [*REFUSED_BY_OPENSSH, *REFUSED_BY_FARM], ids=lambda case: case.name)
async def test_what_is_refused_is_named_by_file_and_line(home, case):
    config = await asyncio.to_thread(written, home, case)
    if case in REFUSED_BY_FARM:
        assert "hostname " in await asyncio.to_thread(asked, config, Case("", ""), "-G")  # by farm alone
    with pytest.raises(DeviceError) as caught:
        await route(Device("d", Address("board"), RUNTIME))
    error = caught.value
    assert (error.cause, error.fault, error.transient) == ("ssh-config", Fault.USER, False)
    assert f"{home}/.ssh/{case.where}:{case.line}: " in error.message
    assert case.says.lower() in error.message.lower()
    assert error.hint


async def refusal(host: str = "board") -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await route(Device("d", Address(host), RUNTIME))
    assert (caught.value.cause, caught.value.fault) == ("ssh-config", Fault.USER)
    assert caught.value.hint
    return caught.value


@pytest.fixture
def only(tmp_path, monkeypatch):
    """A PATH with nothing but an `ssh` that is this script."""

    def place(script: str | None) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        if script is not None:
            (folder / "ssh").write_text(f"#!/bin/sh\n{script}\n")
            (folder / "ssh").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))

    return place


@pytest.mark.parametrize(
    "script",
    [None, "echo Dropbear v2022.83 >&2", "exit 3", "kill -9 $$"],
    ids=["none", "dropbear", "broken", "killed"],
)
async def test_a_configuration_without_openssh_is_refused_and_not_guessed(home, only, script):
    (home / ".ssh" / "config").write_text("Host board\n Port 7\n")
    only(script)
    error = await refusal()
    assert f"{home}/.ssh/config" in error.message
    assert "openssh-client" in error.hint


@pytest.mark.parametrize("script", [None, "echo Dropbear v2022.83 >&2"], ids=["none", "dropbear"])
async def test_without_a_configuration_nobody_needs_openssh(only, script):
    only(script)
    *_, jump, hop = await route(Device("d", Address("board", 7, "me", proxy_jump="you@gw"), RUNTIME))
    assert (hop.options["host"], hop.options["port"], hop.options["username"]) == ("board", 7, "me")
    assert hop.known_as == "[board]:7"
    assert jump.peer.title == "you@gw"


async def test_where_home_is_that_of_the_user_openssh_reads_what_it_always_reads(monkeypatch):
    """Among it /etc/ssh/ssh_config: nothing is named to it."""
    monkeypatch.setenv("HOME", pwd.getpwuid(os.getuid()).pw_dir)
    _, flags, *_ = await asyncio.to_thread(configuration._start)
    assert flags == ()


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_command_of_match_exec_that_does_not_end_is_ended(home, monkeypatch, cancelled):
    length = f"4711.{os.getpid()}{cancelled:d}"  # nobody else's
    command = f"echo > '{home}/began'; sleep {length}"
    (home / ".ssh" / "config").write_text(f'Match exec "{command}"\n Port 7\n')
    monkeypatch.setattr(configuration, "READ_LIMIT_S", 60 if cancelled else 0.5)
    if cancelled:
        task = asyncio.create_task(route(Device("d", Address("board"), RUNTIME)))
        while not (home / "began").exists():
            await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        error = await refusal()
        assert "Match exec" in error.hint
    while is_running(f"sleep\0{length}\0"):  # it has been told to end
        await asyncio.sleep(0.02)


def is_running(words: str) -> bool:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if entry.read_bytes() == words.encode():
                return True
    return False


async def test_a_command_of_match_exec_may_leave_something_behind(home):
    """It holds the outputs open for longer than anybody would wait."""
    (home / ".ssh" / "config").write_text(f"Match exec \"sleep 300 & echo $! > '{home}/pid'\"\n Port 7\n")
    (hop,) = await route(Device("d", Address("board"), RUNTIME))
    os.kill(int((home / "pid").read_text()), 9)
    assert hop.options["port"] == 7


def test_a_configuration_that_may_not_be_read_is_named():
    """OpenSSH goes on without it, with other users and ports than its owner thinks."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else for a moment")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (config := Path(folder) / "config").touch(mode=0o600)
        os.seteuid(65534)
        try:
            with pytest.raises(RequestError) as caught:
                configuration._can_be_read(config)
        finally:
            os.seteuid(0)
    assert caught.value.source == str(config)


async def test_a_name_that_is_no_text_is_shown_and_not_raised(home):
    (home / ".ssh" / "config").write_bytes(b"Host board\n User caf\xe9\n ProxyJump caf\xe9\xe9\n")

    async def connected() -> None:
        hops = await route(Device("d", Address("board"), RUNTIME))
        await open_link(hops, home / "none", Timeouts(attempts=1))

    with pytest.raises(DeviceError) as caught:
        await connected()
    caught.value.message.encode()


@pytest.mark.parametrize("option", ["ciphers", "kexalgorithms", "macs"])
def test_algorithms_that_farm_does_not_know_are_refused(option):
    settings = Settings("board", 22, "me", {option: ("rot13,rot26",)}, frozenset({option}))
    with pytest.raises(RequestError, match="knows none of these"):
        options_of(settings)


def test_what_is_configured_reaches_the_connection(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENT", "/run/agent")
    values = {
        "addressfamily": ("inet6",),
        "bindaddress": ("10.0.0.1",),
        "compression": ("yes",),
        "identityagent": ("$AGENT",),
        "rekeylimit": ("1024 0",),
        "setenv": ("A=1", "B=x y"),
        "pubkeyauthentication": ("false",),
        "certificatefile": (str(tmp_path / "none"),),
        "proxycommand": ("none",),
    }
    options = options_of(Settings("board", 22, "me", values, frozenset(values)))
    assert options == {
        "family": socket.AF_INET6,
        "local_addr": ("10.0.0.1", 0),
        "compression_algs": "zlib@openssh.com,zlib,none",
        "agent_path": "/run/agent",
        "rekey_bytes": 1024,
        "env": ["A=1", "B=x y"],
        "public_key_auth": False,
        "client_certs": [],
    }


@pytest.fixture
def questions(tmp_path, monkeypatch):
    """The hosts that OpenSSH is asked for, by an `ssh` in front of PATH that notes them."""
    folder, log = tmp_path / "front", tmp_path / "asked"
    folder.mkdir()
    log.touch()
    program = folder / "ssh"
    program.write_text(
        f'#!/bin/sh\nfor last; do :; done\necho "$last" >>{log}\nexec {shutil.which("ssh")} "$@"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return lambda: [host for host in log.read_text().split() if host not in ("-V", "localhost")]


BOARDS = [
    Address(f"board-{number}.lab", port, user)
    for number in range(9)
    for port, user in [(None, "me"), (7, None)]
]


@pytest.mark.parametrize(
    "config",
    [
        "",
        "Compression yes\nUser root\nPort 2222\nIdentityFile ~/.ssh/farm\n",
        "# Host board-1.lab, 100 %\nHost *\n  ConnectTimeout 7\n\nMatch final all\n  Compression yes\n",
        "HOST *\r\n  User you\r\n",
    ],
    ids=["empty", "plain", "for all", "windows"],
)
async def test_openssh_is_asked_once_for_hosts_that_its_configuration_does_not_tell_apart(
    home, questions, config
):
    (home / ".ssh" / "config").write_bytes(config.encode())
    found = await asyncio.gather(*map(settings_of, BOARDS))
    assert len(questions()) == 1
    for address, settings in zip(BOARDS, found, strict=True):
        alone = dict(configuration._values(await configuration._answer(settings.question)))
        del alone["loglevel"]  # of no use to farm, and changed by the question for all
        assert {name: settings.values[name] for name in alone} == alone
        assert (settings.host, settings.port) == (address.host, int(alone["port"][0]))


@pytest.mark.parametrize(
    "config",
    [
        "Host board-1.lab\n  Port 7\n",
        'Host "*"\n  Port 7\n',
        "host=board-1.lab\n  Port 7\n",
        "Host * !board-1.lab\n  Port 7\n",
        "Match host board-1.lab\n  Port 7\n",
        "HostName %h.example\n",
        "HostName gateway\n",
        "IdentityFile ~/.ssh/%n\n",
        "ProxyJump gateway\n",
        "\tMatch  user me\n",
        "Include more\n",
    ],
)
async def test_openssh_is_asked_for_each_host_where_a_line_may_tell_them_apart(home, questions, config):
    (home / ".ssh" / "config").write_text(config)
    await asyncio.gather(*map(settings_of, BOARDS[:6]))
    assert set(questions()) == {address.host for address in BOARDS[:6]}


async def test_a_corrected_configuration_counts_for_the_next_host(home, questions):
    config = home / ".ssh" / "config"
    for port in (7, 77):
        config.write_text(f"Port {port}\n")
        assert (await settings_of(Address("board"))).port == port
    config.unlink()
    assert (await settings_of(Address("board"))).port == DEFAULT_PORT
    assert len(questions()) == 2


async def test_a_mistake_in_a_configuration_is_told_for_each_host(home):
    (home / ".ssh" / "config").write_text("Prot 7\n")
    for host in ("board", "other"):
        assert f"{home}/.ssh/config:1" in (await refusal(host)).message
