"""~/.ssh/config, jump hosts, identities and agents: what people have set up already just works."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from dataclasses import replace

import pytest

from farm.errors import DeviceError, Fault
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.transport.base import Timeouts
from farm.transport.host_keys import fetch_host_keys, record
from farm.transport.route import route
from farm.transport.ssh import transport_for
from tests import proxy, servers

ONE_TRY = Timeouts(attempts=1)
RUNTIME = Runtime(RuntimeKind.WHEEL)


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    with servers.sshd(tmp_path_factory.mktemp("target") / "t") as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with servers.sshd(tmp_path_factory.mktemp("gateway") / "g", key_type="rsa") as server:
        yield server


@pytest.fixture
def pins(tmp_path, target, gateway):
    return servers.known_hosts(tmp_path / "known_hosts", target, gateway)


@pytest.fixture
def config(home):
    path = home / ".ssh" / "config"
    return lambda *lines: path.write_text("\n".join(lines) + "\n")


def entry(alias: str, server, *more: str) -> tuple[str, ...]:
    return (
        f"Host {alias}",
        f"  HostName {server.host}",
        f"  Port {server.port}",
        f"  IdentityFile {server.identity}",
        *(f"  {line}" for line in more),
    )


async def says(device: Device, pins, *argv: str) -> bytes:
    connection = await transport_for(device, known_hosts=pins, timeouts=ONE_TRY).connect()
    try:
        channel = await connection.open(argv or ("echo", "hello"))
        said = await channel.read()
        await channel.close()
        return said
    finally:
        await connection.close()


async def refusal(device: Device, pins) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await says(device, pins)
    return caught.value


def at(host: str, **more) -> Device:
    return Device("d", Address(host, **more), RUNTIME)


async def test_an_alias_of_the_ssh_configuration(config, target, pins):
    config(*entry("board", target))
    assert await says(at("board"), pins) == b"hello\n"


async def test_the_users_own_known_hosts_count_and_stay_as_they_are(config, target, tmp_path, home):
    config(*entry("board", target))
    own = servers.known_hosts(home / ".ssh" / "known_hosts", target)
    before = own.read_bytes()
    assert await says(at("board"), tmp_path / "none") == b"hello\n"
    assert own.read_bytes() == before


async def test_hashed_names_and_other_files_of_known_hosts(config, target, tmp_path):
    hashed = servers.known_hosts(tmp_path / "hashed", target)
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", hashed], check=True, capture_output=True)
    assert str(target.port) not in hashed.read_text()
    config(*entry("board", target, f"UserKnownHostsFile {hashed}"))
    assert await says(at("board"), tmp_path / "none") == b"hello\n"


async def test_checking_cannot_be_turned_off_in_the_configuration(config, target, tmp_path):
    config(*entry("board", target, "StrictHostKeyChecking no", "UserKnownHostsFile none"))
    assert (await refusal(at("board"), tmp_path / "none")).cause == "host-key-unknown"


async def test_a_host_key_alias(config, target, tmp_path):
    config(*entry("board", target, "HostKeyAlias the-board"))
    (tmp_path / "pins").write_text("the-board " + target.host_public_key + "\n")
    assert await says(at("board"), tmp_path / "pins") == b"hello\n"


async def test_a_certificate_authority_vouches_for_hosts(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "ca"], check=True)
    folder = tmp_path / "certified"
    certificate = folder / "host_key-cert.pub"
    with servers.sshd(folder) as plain:
        (tmp_path / "pins").write_text(f"@cert-authority * {(tmp_path / 'ca.pub').read_text()}")
        assert (await refusal(plain.device("d"), tmp_path / "pins")).cause == "host-key-unknown"
    sign = [
        "ssh-keygen",
        "-q",
        "-s",
        tmp_path / "ca",
        "-I",
        "x",
        "-h",
        "-n",
        "127.0.0.1",
        folder / "host_key.pub",
    ]
    subprocess.run(sign, check=True, capture_output=True)
    with servers.sshd(folder, options=(f"HostCertificate {certificate}",)) as server:
        assert await says(server.device("d"), tmp_path / "pins") == b"hello\n"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
        (tmp_path / "pins").write_text(f"@cert-authority * {(tmp_path / 'other.pub').read_text()}")
        assert (await refusal(server.device("d"), tmp_path / "pins")).cause == "host-key-unknown"


async def test_what_the_inventory_says_wins(config, target, pins, tmp_path):
    config(
        "Host 127.0.0.1",
        "  Port 1",
        "  User nobody",
        f"  IdentityFile {tmp_path}/none",
        "  ProxyJump nowhere",
    )
    device = replace(target.device("d"), address=replace(target.address, proxy_jump="none"))
    assert await says(device, pins) == b"hello\n"


async def test_an_identity_of_the_configuration_may_be_missing(config, target, pins, home):
    config(*entry("board", target), f"  IdentityFile '{home}/.ssh/gone'")
    assert await says(at("board"), pins) == b"hello\n"


async def test_the_default_identity_is_tried(home, target, pins):
    (home / ".ssh" / "id_ed25519").write_bytes(target.identity.read_bytes())
    (home / ".ssh" / "id_ed25519").chmod(0o600)
    assert await says(at("127.0.0.1", port=target.port), pins) == b"hello\n"


async def test_nothing_of_this_machine_is_handed_over(config, target, pins, agent):
    config(
        *entry(
            "board", target, "ForwardAgent yes", "RequestTTY force", "ForwardX11 yes", "ForwardX11Trusted yes"
        )
    )
    script = 'echo "[$SSH_AUTH_SOCK$SSH_TTY$DISPLAY]"; [ -t 0 ] && echo terminal; printf "a\\nb"'
    assert await says(at("board"), pins, "sh", "-c", script) == b"[]\na\nb"


async def test_a_connect_timeout_of_the_configuration_counts(config, target):
    config(*entry("board", target, "ConnectTimeout 3"))
    (hop,) = await route(at("board"))
    assert hop.connect_s == 3


@pytest.mark.parametrize("mistake", ["Port seventy", "Match nonsense", "ProxyJump ssh://"])
async def test_a_mistake_in_the_configuration_names_it(config, mistake, pins):
    config("Host board", f"  {mistake}")
    error = await refusal(at("board"), pins)
    assert (error.cause, error.fault) == ("ssh-config", Fault.USER)


async def test_a_jump_host_of_the_inventory(target, gateway, pins, tmp_path):
    """All bytes go through it: seen by a proxy in front of it."""
    async with proxy.ChaosProxy(gateway.port) as line:
        add_pin(pins, gateway, line.port)
        device = jumping(target, gateway, line.port)
        assert len(await says(device, pins, "head", "-c", "1000000", "/dev/zero")) == 1_000_000
        assert line.bytes_down > 1_000_000


async def test_two_jump_hosts_of_the_configuration(config, target, gateway, pins, tmp_path):
    with servers.sshd(tmp_path / "second") as second:
        pins.write_text(pins.read_text() + second.known_hosts_line + "\n")
        async with proxy.ChaosProxy(gateway.port) as first_line, proxy.ChaosProxy(second.port) as second_line:
            add_pin(pins, gateway, first_line.port)
            add_pin(pins, second, second_line.port)
            config(
                *entry("one", replace(gateway, port=first_line.port)),
                *entry("two", replace(second, port=second_line.port), "ProxyJump one"),
                *entry("board", target, "ProxyJump two"),
            )
            assert [hop.peer.title.split(":")[-1] for hop in await route(at("board"))] == [
                str(first_line.port),
                str(second_line.port),
                str(target.port),
            ]
            assert len(await says(at("board"), pins, "head", "-c", "300000", "/dev/zero")) == 300_000
            assert min(first_line.bytes_down, second_line.bytes_down) > 300_000


async def test_jump_hosts_in_a_row_in_one_line(config, target, gateway, pins, tmp_path):
    with servers.sshd(tmp_path / "second") as second:
        pins.write_text(pins.read_text() + second.known_hosts_line + "\n")
        config(*entry("one", gateway), *entry("two", second, "ProxyJump nowhere"), *entry("board", target))
        assert await says(at("board", proxy_jump="one,two"), pins) == b"hello\n"


async def test_a_circle_of_jump_hosts_is_found(config, pins):
    config("Host a", "  ProxyJump b", "Host b", "  ProxyJump a")
    error = await refusal(at("a"), pins)
    assert error.cause == "ssh-config"
    assert "loop" in error.message


async def test_a_jump_host_that_cannot_reach_the_device(target, gateway, pins):
    device = jumping(replace(target, port=servers.free_port()), gateway, gateway.port)
    error = await refusal(device, pins)
    assert (error.cause, error.transient) == ("unreachable", True)


async def test_a_jump_host_that_is_gone_names_itself(target, gateway, pins):
    port = servers.free_port()
    error = await refusal(jumping(target, gateway, port), pins)
    assert error.cause == "unreachable"
    assert str(port) in error.message


async def test_when_the_jump_host_breaks_the_connection_breaks(target, gateway, pins):
    async with proxy.ChaosProxy(gateway.port) as line:
        add_pin(pins, gateway, line.port)
        connection = await transport_for(jumping(target, gateway, line.port), known_hosts=pins).connect()
        channel = await connection.open(("sleep", "20"))
        line.cut()
        with pytest.raises(DeviceError) as caught:
            await channel.wait()
        assert caught.value.cause == "connection-lost"
        await connection.close()


async def test_trust_goes_hop_by_hop(target, gateway, tmp_path):
    """An unknown jump host is named; its keys come first, then those of the device behind it."""
    pins = tmp_path / "pins"
    device = jumping(target, gateway, gateway.port)
    error = await refusal(device, pins)
    assert error.cause == "host-key-unknown"
    assert str(gateway.port) in error.message
    keys = await fetch_host_keys(device, known_hosts=pins)
    assert [key.line for key in keys] == [gateway.known_hosts_line]
    await asyncio.to_thread(record, pins, keys)
    keys = await fetch_host_keys(device, known_hosts=pins)
    assert [key.line for key in keys] == [target.known_hosts_line]
    await asyncio.to_thread(record, pins, keys)
    assert await says(device, pins) == b"hello\n"


async def test_a_jump_host_is_not_overrun(target, tmp_path):
    """It drops whoever is the ninth to log in at a time; twenty devices behind it get through at once."""
    with servers.sshd(tmp_path / "narrow", options=("MaxStartups 9:100:9",)) as narrow:
        pins = servers.known_hosts(tmp_path / "pins", target, narrow)
        device = jumping(target, narrow, narrow.port)
        assert await asyncio.gather(*(says(device, pins) for _ in range(20))) == [b"hello\n"] * 20


@pytest.mark.parametrize("startups", [1, 2])
async def test_a_jump_host_that_lets_few_log_in_at_a_time_is_given_few(target, tmp_path, startups):
    """Whoever was dropped in a crowd is tried again in a smaller one."""
    with servers.sshd(tmp_path / "narrow", options=(f"MaxStartups {startups}:100:{startups}",)) as narrow:
        pins = servers.known_hosts(tmp_path / "pins", target, narrow)
        device = jumping(target, narrow, narrow.port)
        assert await asyncio.gather(*(says(device, pins) for _ in range(12))) == [b"hello\n"] * 12


async def test_a_proxy_command(config, target, pins):
    relay = (
        f"ssh -F none -o BatchMode=yes -W {target.host}:{target.port} -i {target.identity} -p {target.port}"
    )
    relay += f" -o UserKnownHostsFile={pins} {target.host}"
    config(*entry("board", target, f"ProxyCommand {relay}"))
    assert await says(at("board"), pins) == b"hello\n"


@pytest.fixture
def agent(tmp_path, monkeypatch):
    socket = tmp_path / "agent.sock"
    started = subprocess.run(
        ["ssh-agent", "-s", "-a", socket], check=True, capture_output=True, text=True
    ).stdout
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield lambda key, **more: subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True, **more)
    os.kill(int(re.search(r"SSH_AGENT_PID=(\d+)", started)[1]), 15)


@pytest.fixture
def locked(tmp_path, target):
    """The client key with a passphrase, and one that can be given to an agent."""
    path = tmp_path / "locked"
    path.write_bytes(target.identity.read_bytes())
    path.chmod(0o600)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-P", "", "-N", "secret", "-f", path], check=True, capture_output=True
    )
    return path


async def test_a_key_with_a_passphrase_and_no_agent(target, pins, locked):
    error = await refusal(at(target.host, port=target.port, identity=(locked,)), pins)
    assert (error.cause, error.fault) == ("identity-locked", Fault.USER)
    assert error.hint == f"ssh-add {locked}"


@pytest.mark.parametrize("public_half", [True, False])
async def test_a_key_with_a_passphrase_that_the_agent_holds(target, pins, locked, agent, public_half):
    agent(target.identity)
    if public_half:
        locked.with_suffix(".pub").write_bytes(target.identity.with_suffix(".pub").read_bytes())
    assert await says(at(target.host, port=target.port, identity=(locked,)), pins) == b"hello\n"


async def test_a_public_key_as_identity_means_the_agents(target, pins, agent):
    agent(target.identity)
    public = target.identity.with_suffix(".pub")
    assert await says(at(target.host, port=target.port, identity=(public,)), pins) == b"hello\n"


async def test_an_agent_alone_is_enough(target, pins, agent):
    agent(target.identity)
    assert await says(at(target.host, port=target.port), pins) == b"hello\n"


async def test_a_full_agent_does_not_use_up_the_tries(tmp_path, agent):
    """A server that allows two tries, an agent with four wrong keys, the right one in the inventory."""
    for number in range(4):
        key = tmp_path / f"wrong{number}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        agent(key)
    with servers.sshd(tmp_path / "strict", options=("MaxAuthTries 2",)) as strict:
        pins = servers.known_hosts(tmp_path / "pins", strict)
        assert await says(strict.device("d"), pins) == b"hello\n"
        error = await refusal(at(strict.host, port=strict.port), pins)
        assert error.cause == "key-refused"


async def test_only_the_named_key_of_a_full_agent_is_offered(tmp_path, agent):
    for number in range(4):
        key = tmp_path / f"wrong{number}"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        agent(key)
    with servers.sshd(tmp_path / "strict", options=("MaxAuthTries 2",)) as strict:
        agent(strict.identity)
        pins = servers.known_hosts(tmp_path / "pins", strict)
        public = strict.identity.with_suffix(".pub")
        assert await says(at(strict.host, port=strict.port, identity=(public,)), pins) == b"hello\n"


async def test_an_agent_that_is_gone_is_no_obstacle(target, pins, monkeypatch, tmp_path, home):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "stale.sock"))
    (home / ".ssh" / "id_ed25519").write_bytes(target.identity.read_bytes())
    assert await says(at(target.host, port=target.port), pins) == b"hello\n"


def jumping(target, gateway, port: int) -> Device:
    address = replace(target.address, proxy_jump=f"{target.address.user}@{gateway.host}:{port}")
    return Device("d", replace(address, identity=(*address.identity, gateway.identity)), RUNTIME)


def add_pin(pins, server, port: int) -> None:
    line = server.known_hosts_line.replace(f":{server.port}", f":{port}", 1)
    pins.write_text(f"{pins.read_text()}{line}\n")
