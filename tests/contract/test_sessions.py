"""Servers with limits, login shells of every kind, and noisy rc files."""

from __future__ import annotations

import asyncio
import re
import shutil

import asyncssh
import pytest

from farm.errors import DeviceError
from farm.transport.base import Timeouts
from farm.transport.channel import command_line
from farm.transport.ssh import transport_for
from tests import proxy, servers

ONE_TRY = Timeouts(attempts=1)


async def connected(server, tmp_path, timeouts=ONE_TRY):
    pins = servers.known_hosts(tmp_path / "pins", server)
    return await transport_for(server.device("d"), known_hosts=pins, timeouts=timeouts).connect()


async def test_a_server_with_one_session_per_connection_runs_several_programs(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 1",)) as server:
        connection = await connected(server, tmp_path)
        channels = [await connection.open(("cat",)) for _ in range(3)]
        for number, channel in enumerate(channels):
            await channel.write(b"%d\n" % number)
            assert await channel.readline() == b"%d\n" % number
        assert len(connection._links) == 3
        await connection.close()
        await until(lambda: not server.sessions())


@pytest.mark.parametrize(
    ("cipher", "is_sent"),
    [
        ("aes128-gcm@openssh.com", False),
        ("chacha20-poly1305@openssh.com", False),
        ("aes128-ctr", True),
    ],
)
async def test_packets_to_be_ignored_go_only_where_the_cipher_needs_them(
    tmp_path, monkeypatch, cipher, is_sent
):
    kinds = []
    send_packet = asyncssh.SSHClientConnection.send_packet

    def counted(self, kind, *parts, **more):
        kinds.append(kind)
        send_packet(self, kind, *parts, **more)

    monkeypatch.setattr(asyncssh.SSHClientConnection, "send_packet", counted)
    with servers.sshd(tmp_path / "s", options=(f"Ciphers {cipher}",)) as server:
        connection = await connected(server, tmp_path)
        channel = await connection.open(("cat",))
        await channel.write(b"x\n")
        assert await channel.readline() == b"x\n"
        await connection.close()
    assert (2 in kinds) == is_sent
    assert 94 in kinds, "data of a channel"


@pytest.mark.parametrize(
    ("configured", "allowed", "used"),
    [
        ("", "curve25519-sha256,ecdh-sha2-nistp256", "ecdh-sha2-nistp256"),
        ("", "curve25519-sha256", "curve25519-sha256"),
        ("", "ecdh-sha2-nistp521", "ecdh-sha2-nistp521"),
        ("KexAlgorithms curve25519-sha256", "ecdh-sha2-nistp256,curve25519-sha256", "curve25519-sha256"),
    ],
)
async def test_keys_are_exchanged_as_is_cheapest_for_the_server_unless_that_is_configured(
    tmp_path, monkeypatch, configured, allowed, used
):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "config").write_text(configured)
    with servers.sshd(tmp_path / "s", options=(f"KexAlgorithms {allowed}", "LogLevel DEBUG1")) as server:
        connection = await connected(server, tmp_path)
        await connection.close()
        await until(lambda: f"kex: algorithm: {used} " in server.log.read_text(errors="replace"))


async def test_a_free_place_is_used_before_another_connection_is_made(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 1",)) as server:
        connection = await connected(server, tmp_path)
        for _ in range(20):
            channel = await connection.open(("echo", "x"))
            assert await channel.readline() == b"x\n"
            assert await channel.wait() == 0
            await channel.close()
        # Not always one: sshd may read the next request before it has tidied up after the last programs.
        assert len(connection._links) <= 4
        await connection.close()


async def test_programs_opened_at_once_on_a_narrow_server_all_run(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 2",)) as server:
        connection = await connected(server, tmp_path)
        channels = await asyncio.gather(*(connection.open(("cat",)) for _ in range(6)))
        assert len({id(channel) for channel in channels}) == 6
        await connection.close()
        await until(lambda: not server.sessions())


async def test_there_is_an_end_to_it(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 1",)) as server:
        connection = await connected(server, tmp_path)
        for _ in range(8):
            await connection.open(("cat",))
        with pytest.raises(DeviceError) as caught:
            await connection.open(("cat",))
        assert caught.value.cause == "protocol"
        await connection.close()


async def test_a_server_that_runs_nothing_says_so(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 0",)) as server:
        connection = await connected(server, tmp_path)
        with pytest.raises(DeviceError) as caught:
            await connection.open(("true",))
        assert (caught.value.cause, caught.value.transient) == ("protocol", False)
        await connection.close()


async def test_closing_while_another_connection_is_being_made_leaves_none(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 1",)) as server:
        connection = await connected(server, tmp_path)
        await connection.open(("cat",))
        opening = asyncio.create_task(connection.open(("cat",)))
        await asyncio.sleep(0.015)
        await connection.close()
        await asyncio.gather(opening, return_exceptions=True)
        await until(lambda: not server.sessions())


async def test_a_lost_extra_connection_does_not_end_the_others(tmp_path):
    with servers.sshd(tmp_path / "s", options=("MaxSessions 1",)) as server:
        async with proxy.ChaosProxy(server.port) as line:
            server.port = line.port
            connection = await connected(server, tmp_path)
            first = await connection.open(("cat",))
            await connection.open(("cat",))
            writers = list(line._lines.values())[1]
            for writer in writers:
                writer.transport.abort()
            await until(lambda: connection._links[1].is_lost)
            await first.write(b"here\n")
            assert await first.readline() == b"here\n"
            third = await connection.open(("echo", "third"))
            assert await third.readline() == b"third\n"
            await connection.close()


async def test_output_of_rc_files_comes_before_that_of_the_program(tmp_path):
    with servers.sshd(tmp_path / "s", rc="echo welcome; echo careful >&2; sleep 0.2\n") as server:
        connection = await connected(server, tmp_path)
        channel = await connection.open(("echo", "program"))
        assert await channel.read() == b"welcome\nprogram\n"
        assert await channel.stderr() == b"careful\n"
        await connection.close()


async def test_a_banner_before_login_is_no_obstacle(tmp_path):
    (tmp_path / "banner").write_text("Authorised persons only.\n" * 20)
    with servers.sshd(tmp_path / "s", options=(f"Banner {tmp_path / 'banner'}",)) as server:
        connection = await connected(server, tmp_path)
        channel = await connection.open(("echo", "program"))
        assert await channel.read() == b"program\n"
        await connection.close()


async def test_a_server_without_sftp_is_enough(tmp_path):
    with servers.sshd(tmp_path / "s", sftp=False) as server:
        connection = await connected(server, tmp_path)
        channel = await connection.open(("cat",))
        await channel.write(b"bytes")
        await channel.write_eof()
        assert await channel.read() == b"bytes"
        await connection.close()


@pytest.mark.parametrize("start", [servers.sshd, servers.dropbear])
async def test_a_server_that_breaks_its_connections_lets_in_again(tmp_path, start):
    with start(tmp_path / "s") as server:
        connection = await connected(server, tmp_path)
        channel = await connection.open(("sleep", "20"))
        server.drop_connections()
        with pytest.raises(DeviceError) as caught:
            await channel.wait()
        assert caught.value.cause == "connection-lost"
        await connection.close()
        connection = await connected(server, tmp_path)
        await connection.close()


# csh cannot quote a line break; nothing that farm runs has one.
WORDS = (
    "a b",
    "it's",
    "\\n\\\\",
    "\\'",
    "$HOME",
    "`id`",
    "",
    "=ls",
    "!!",
    "!",
    "*",
    '"',
    "~",
    "ü",
    "%self",
    "#",
    ";",
)
SHELLS = {
    "bash": ("bash", WORDS),
    "dash": ("dash", WORDS),
    "zsh": ("zsh", (*WORDS, "a\nb")),
    "mksh": ("mksh", (*WORDS, "a\nb")),
    "fish": ("fish", (*WORDS, "a\nb")),
    "tcsh": ("tcsh", WORDS),
}


def test_what_some_shells_read_inside_quotes_is_outside_of_them():
    parts = re.findall(r"'([^']*)'|\\(.)", command_line(WORDS))
    assert "".join(quoted + escaped for quoted, escaped in parts) == "".join(WORDS)
    assert {escaped for _, escaped in parts} == {"", "\\", "'", "!"}
    assert not any(set(quoted) & {"\\", "!"} for quoted, _ in parts)


@pytest.mark.parametrize("name", SHELLS)
async def test_words_mean_themselves_in_every_login_shell(tmp_path, name):
    program, words = SHELLS[name]
    shell = shutil.which(program)
    if shell is None:
        pytest.skip(f"needs {program}")
    with servers.sshd(tmp_path / "s", shell=shell) as server:
        connection = await connected(server, tmp_path)
        channel = await connection.open(("/usr/bin/printf", "%s\\0", *words))
        assert (await channel.read()).decode().split("\0")[:-1] == list(words)
        assert await channel.wait() == 0
        channel = await connection.open(("/bin/sh", "-c", 'tr "\\0" x; exit 9'))
        await channel.write(b"a\0b")
        await channel.write_eof()
        assert (await channel.read(), await channel.wait()) == (b"axb", 9)
        await connection.close()


async def until(true) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)
