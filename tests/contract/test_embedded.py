"""The server behind device `local`: only for us, and nothing of it stays."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncssh
import pytest

from farm.errors import DeviceError
from farm.model.device import LOCAL, Address, Device, Runtime, RuntimeKind
from farm.transport.embedded import EmbeddedServer
from farm.transport.ssh import transport_for

DEVICE = Device(LOCAL, Address(LOCAL), Runtime(RuntimeKind.WHEEL))


@pytest.fixture
async def embedded():
    async with EmbeddedServer() as server:
        yield server


@pytest.fixture
async def connection(embedded, tmp_path):
    connection = await transport_for(DEVICE, known_hosts=tmp_path / "none", embedded=embedded).connect()
    yield connection
    await connection.close()


async def said(connection, *argv: str) -> str:
    channel = await connection.open(argv)
    text = (await channel.read()).decode()
    await channel.close()
    return text


async def test_programs_run_at_home_as_the_current_user(connection, home):
    assert await said(connection, "sh", "-c", "pwd; id -u") == f"{home}\n{os.getuid()}\n"


async def test_programs_do_not_see_what_is_in_our_environment(connection, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    text = await said(connection, "env")
    assert "SECRET_TOKEN" not in text
    assert "PATH=" in text


async def test_a_program_has_a_session_of_its_own(connection):
    session, pid = (await said(connection, "sh", "-c", "cut -d ' ' -f 6 /proc/$$/stat; echo $$")).split()
    assert session == pid


async def test_nobody_else_is_let_in(embedded):
    options = dict(embedded.hop("local").options)
    options["client_keys"] = [asyncssh.generate_private_key("ssh-ed25519")]
    with pytest.raises(asyncssh.PermissionDenied):
        await asyncssh.connect(known_hosts=None, **options)


async def test_another_servers_key_is_not_accepted(embedded, tmp_path):
    async with EmbeddedServer() as other:
        embedded._host_key = other._host_key
        with pytest.raises(DeviceError, match="host key") as caught:
            await transport_for(DEVICE, known_hosts=tmp_path / "none", embedded=embedded).connect()
    assert caught.value.cause == "host-key-changed"


async def test_it_forwards_nothing_and_has_no_terminal_shell_or_sftp(embedded):
    async with asyncssh.connect(known_hosts=None, **embedded.hop("local").options) as raw:
        port = embedded.hop("local").options["port"]
        with pytest.raises(asyncssh.ChannelOpenError):
            await raw.create_connection(asyncssh.SSHTCPSession, "127.0.0.1", port)
        with pytest.raises(asyncssh.ChannelListenError):
            await raw.forward_remote_port("", 0, "127.0.0.1", port)
        for refused in (
            raw.start_sftp_client(),
            raw.create_session(asyncssh.SSHClientSession, "true", request_pty="force", term_type="vt100"),
            raw.create_session(asyncssh.SSHClientSession),
        ):
            with pytest.raises(asyncssh.ChannelOpenError):
                await refused


async def test_a_program_that_ignores_the_end_of_its_channel_is_killed(connection):
    channel = await connection.open(("sh", "-c", "trap '' HUP TERM; sleep 1000 & echo $$ $!; wait"))
    pids = [int(word) for word in (await channel.readline()).split()]
    await channel.close()
    await until(lambda: not any(alive(pid) for pid in pids))


async def test_the_end_of_the_server_is_the_end_of_its_programs(tmp_path):
    async with EmbeddedServer() as server:
        connection = await transport_for(DEVICE, known_hosts=tmp_path / "none", embedded=server).connect()
        channel = await connection.open(("sh", "-c", "echo $$; exec sleep 1000"))
        pid = int(await channel.readline())
    assert not alive(pid)
    await connection.close()


async def test_a_program_that_has_ended_leaves_its_children_alone(connection, home):
    """As sshd does: the agent relies on it."""
    text = await said(connection, "sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null & echo $!")
    pid = int(text)
    await asyncio.sleep(0.2)
    assert alive(pid)
    os.kill(pid, 9)


async def test_keys_are_never_on_disk(embedded, tmp_path, home):
    assert [path for path in home.rglob("*") if path.is_file()] == []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(true) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)
