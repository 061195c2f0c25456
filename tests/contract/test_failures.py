"""Every way in which a device cannot be reached, or stops being reachable, against real servers."""

from __future__ import annotations

import asyncio
import os
import subprocess
from dataclasses import replace

import pytest

from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.transport.base import Timeouts
from farm.transport.host_keys import fetch_host_keys
from farm.transport.known_hosts import KEY_KINDS
from farm.transport.link import open_link
from farm.transport.ssh import transport_for
from tests import proxy, servers

ONE_TRY = Timeouts(attempts=1)
QUICK_KEEPALIVE = Timeouts(attempts=1, keepalive_s=0.2, keepalive_misses=2)
RUNTIME = Runtime(RuntimeKind.WHEEL)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory):
    with servers.sshd(tmp_path_factory.mktemp("sshd") / "s") as server:
        yield server


@pytest.fixture
def pins(tmp_path, sshd):
    return servers.known_hosts(tmp_path / "known_hosts", sshd)


def through(sshd, port, pins) -> Device:
    """The device behind a proxy on `port`, whose name in known_hosts is made known too."""
    pins.write_text(pins.read_text() + sshd.known_hosts_line.replace(f":{sshd.port}", f":{port}", 1) + "\n")
    return Device("d", replace(sshd.address, port=port), RUNTIME)


async def refusal(device: Device, pins, timeouts: Timeouts = ONE_TRY) -> DeviceError:
    with pytest.raises(DeviceError) as caught:
        await transport_for(device, known_hosts=pins, timeouts=timeouts).connect()
    assert caught.value.stage is Stage.CONNECT
    assert caught.value.hint
    return caught.value


async def test_a_port_where_nobody_listens(sshd, pins):
    error = await refusal(Device("d", Address("127.0.0.1", servers.free_port()), RUNTIME), pins)
    assert (error.cause, error.fault, error.transient) == ("unreachable", Fault.NETWORK, True)
    assert error.hint == "farm devices check d"


async def test_a_name_that_does_not_exist(pins):
    error = await refusal(Device("d", Address("no-such-host.invalid"), RUNTIME), pins)
    assert error.cause == "name-unknown"
    assert "no-such-host.invalid" in error.message


async def test_a_key_that_the_device_does_not_accept(sshd, pins, tmp_path):
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    error = await refusal(Device("d", replace(sshd.address, identity=(stranger,)), RUNTIME), pins)
    assert (error.cause, error.fault, error.transient) == ("key-refused", Fault.USER, False)
    assert error.hint.startswith(f"ssh -v -i {stranger} -p {sshd.port} ")


async def test_a_host_key_that_nobody_has_seen(sshd, tmp_path):
    error = await refusal(sshd.device("d"), tmp_path / "empty")
    assert (error.cause, error.fault, error.transient) == ("host-key-unknown", Fault.USER, False)
    assert fingerprint(sshd.host_public_key) in error.message
    assert error.hint == "farm devices trust d"


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_host_key_that_has_changed(sshd, tmp_path, kind):
    """Also where the device has no key of the old type any more."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", tmp_path / "old"], check=True)
    old = (tmp_path / "old.pub").read_text()
    (tmp_path / "pins").write_text(f"[127.0.0.1]:{sshd.port} {old}")
    error = await refusal(sshd.device("d"), tmp_path / "pins")
    assert (error.cause, error.transient) == ("host-key-changed", False)
    assert fingerprint(old) in error.message
    assert fingerprint(sshd.host_public_key) in error.message


async def test_a_changed_key_in_the_inventory_is_not_healed_by_the_users_own_file(sshd, tmp_path, home):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "old"], check=True)
    (tmp_path / "pins").write_text(f"[127.0.0.1]:{sshd.port} {(tmp_path / 'old.pub').read_text()}")
    servers.known_hosts(home / ".ssh" / "known_hosts", sshd)
    assert (await refusal(sshd.device("d"), tmp_path / "pins")).cause == "host-key-changed"


async def test_a_revoked_host_key_is_refused_though_it_is_pinned(sshd, pins, home):
    (home / ".ssh" / "known_hosts").write_text(f"@revoked {sshd.known_hosts_line}\n")
    error = await refusal(sshd.device("d"), pins)
    assert error.cause == "host-key-changed"
    assert "revoked" in error.message


async def test_known_hosts_that_cannot_be_read(sshd, tmp_path):
    (tmp_path / "pins").write_text("@nonsense x y z\n")
    error = await refusal(sshd.device("d"), tmp_path / "pins")
    assert (error.cause, error.fault) == ("ssh-config", Fault.USER)
    assert str(tmp_path / "pins") in error.message


async def test_an_identity_file_that_is_missing(sshd, pins, tmp_path):
    error = await refusal(Device("d", replace(sshd.address, identity=(tmp_path / "gone",)), RUNTIME), pins)
    assert (error.cause, error.fault, error.transient) == ("identity-missing", Fault.USER, False)
    assert str(tmp_path / "gone") in error.message


async def test_an_identity_file_that_is_no_key(sshd, pins, tmp_path):
    (tmp_path / "note").write_text("not a key")
    error = await refusal(Device("d", replace(sshd.address, identity=(tmp_path / "note",)), RUNTIME), pins)
    assert error.cause == "identity-missing"


async def test_a_pipe_in_the_place_of_a_file_of_ssh_is_told_and_not_waited_for(sshd, pins, tmp_path, home):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    error = await refusal(Device("d", replace(sshd.address, identity=(pipe,)), RUNTIME), pins)
    assert (error.cause, error.fault) == ("identity-missing", Fault.USER)
    assert "it is a pipe, not a file" in error.message
    os.mkfifo(home / ".ssh" / "config")
    error = await refusal(sshd.device("d"), pins)
    assert (error.cause, error.fault) == ("ssh-config", Fault.USER)
    assert "it is a pipe, not a file" in error.message


async def test_files_of_ssh_that_are_not_read_in_time_are_told_by_their_deadline(
    sshd, pins, home, monkeypatch
):
    (home / ".ssh" / "config").write_text('Match exec "sleep 2"\n User nobody\n')
    timeouts = Timeouts(attempts=1, ssh_files_s=0.3)
    error = await refusal(Device("d", replace(sshd.address, host="localhost"), RUNTIME), pins, timeouts)
    assert (error.cause, error.fault) == ("ssh-files", Fault.USER)
    assert error.message == "SSH's own files were not read for localhost within 0.3 s (deadline ssh-files)"
    assert error.hint.endswith("--deadline ssh-files=0.6")


async def test_a_host_that_speaks_another_protocol(tmp_path):
    async with talker(b"SSH-1.5-ancient\r\n") as port:
        error = await refusal(Device("d", Address("127.0.0.1", port), RUNTIME), tmp_path / "none")
    assert (error.cause, error.transient) == ("protocol", False)


@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-hello\r\n"])
async def test_a_host_that_never_lets_in(tmp_path, greeting):
    async with talker(greeting) as port:
        device = Device("d", Address("127.0.0.1", port), RUNTIME)
        error = await refusal(device, tmp_path / "none", Timeouts(attempts=1, login_s=0.3))
    assert (error.cause, error.fault, error.transient) == ("timed-out", Fault.NETWORK, True)


async def test_a_host_that_hangs_up_at_once(tmp_path):
    async with talker(None) as port:
        error = await refusal(Device("d", Address("127.0.0.1", port), RUNTIME), tmp_path / "none")
    assert (error.cause, error.transient) == ("connection-lost", True)


async def test_a_line_cut_while_receiving(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        connection = await transport_for(through(sshd, line.port, pins), known_hosts=pins).connect()
        channel = await connection.open(("cat", "/dev/zero"))
        await channel.readexactly(1 << 20)
        line.cut()
        await breaks(channel.read())
        await breaks(channel.wait())
        await breaks(connection.open(("true",)))
        await channel.close()
        await connection.close()


async def test_a_line_cut_while_sending(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        connection = await transport_for(through(sshd, line.port, pins), known_hosts=pins).connect()
        channel = await connection.open(("sh", "-c", "cat >/dev/null"))
        line.cut_after_bytes = 5_000_000
        await breaks(channel.write(os.urandom(20_000_000)))
        assert line.bytes_up < 20_000_000
        await channel.close()
        await connection.close()


async def test_what_came_before_the_cut_is_not_lost(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        connection = await transport_for(through(sshd, line.port, pins), known_hosts=pins).connect()
        channel = await connection.open(("sh", "-c", "echo one; echo two; sleep 20"))
        assert await channel.readline() == b"one\n"
        await asyncio.sleep(0.1)
        line.cut()
        await breaks(channel.wait())
        assert await channel.readline() == b"two\n"
        await breaks(channel.readline())
        await connection.close()


@pytest.mark.parametrize("how", ["stall", "half_open"])
async def test_a_host_that_falls_silent_is_noticed(sshd, pins, how):
    async with proxy.ChaosProxy(sshd.port) as line:
        device = through(sshd, line.port, pins)
        connection = await transport_for(device, known_hosts=pins, timeouts=QUICK_KEEPALIVE).connect()
        channel = await connection.open(("sleep", "20"))
        getattr(line, how)()
        await breaks(channel.wait())
        await connection.close()


async def test_a_line_that_is_only_slow_stays(sshd, pins):
    async with proxy.ChaosProxy(sshd.port, delay_s=0.05) as line:
        device = through(sshd, line.port, pins)
        connection = await transport_for(device, known_hosts=pins, timeouts=QUICK_KEEPALIVE).connect()
        channel = await connection.open(("sh", "-c", "sleep 1.5; echo here"))
        assert await channel.readline() == b"here\n"
        await connection.close()


async def test_a_line_of_little_bandwidth_stays_while_more_is_sent_than_it_takes(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        line.bytes_per_s = 1_000_000
        device = through(sshd, line.port, pins)
        connection = await transport_for(device, known_hosts=pins, timeouts=QUICK_KEEPALIVE).connect()
        channel = await connection.open(("wc", "-c"))
        await channel.write(bytes(3_000_000))
        await channel.write_eof()
        assert int(await channel.readline()) == 3_000_000
        await connection.close()
    assert line.bytes_up > 3_000_000


async def test_a_stalled_line_closes_in_bounded_time(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        device = through(sshd, line.port, pins)
        connection = await transport_for(device, known_hosts=pins, timeouts=Timeouts(close_s=0.2)).connect()
        channel = await connection.open(("cat",))
        line.stall()
        sending = asyncio.create_task(channel.write(bytes(50_000_000)))
        await asyncio.sleep(0.1)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await asyncio.wait_for(channel.close(), 20)
        await asyncio.wait_for(connection.close(), 20)


async def test_a_server_that_dies(tmp_path):
    with servers.sshd(tmp_path / "mortal") as mortal:
        pins = servers.known_hosts(tmp_path / "pins", mortal)
        transport = transport_for(mortal.device("d"), known_hosts=pins, timeouts=ONE_TRY)
        connection = await transport.connect()
        channel = await connection.open(("sleep", "20"))
        mortal.kill()
        await breaks(channel.wait())
        await connection.close()
        assert (await refusal(mortal.device("d"), pins)).cause == "unreachable"
        mortal.restart()
        connection = await transport.connect()
        channel = await connection.open(("echo", "again"))
        assert await channel.readline() == b"again\n"
        await connection.close()


async def test_what_may_pass_is_tried_again(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        line.slam_next(2)
        device = through(sshd, line.port, pins)
        connection = await transport_for(device, known_hosts=pins, timeouts=Timeouts(attempts=3)).connect()
        await connection.close()
        assert line.connections == 3


async def test_a_server_that_refuses_twice_is_tried_again(sshd, pins, monkeypatch):
    """As while it restarts: nobody listens on its port."""
    refused: list[str] = []
    async with proxy.ChaosProxy(sshd.port) as line:
        await line.refuse()

        async def opening(*arguments):
            try:
                return await open_link(*arguments)
            except DeviceError as error:
                refused.append(error.cause)
                if len(refused) == 2:
                    await line.accept()
                raise

        monkeypatch.setattr("farm.transport.ssh.open_link", opening)
        connection = await transport_for(through(sshd, line.port, pins), known_hosts=pins).connect()
        await connection.close()
    assert refused == ["unreachable", "unreachable"]


async def test_a_server_that_is_gone_in_a_login_was_lost(sshd, pins, monkeypatch):
    """As in a power cut: what is told is that it was there, not that nobody listens now."""
    async with proxy.ChaosProxy(sshd.port) as line:
        line.slam_next(1)

        async def opening(*arguments):
            try:
                return await open_link(*arguments)
            finally:
                await line.refuse()

        monkeypatch.setattr("farm.transport.ssh.open_link", opening)
        error = await refusal(through(sshd, line.port, pins), pins, Timeouts(attempts=2))
    assert (error.cause, error.transient) == ("connection-lost", True)


async def test_the_keys_of_a_server_that_resets_connections_are_asked_for_again(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        line.slam_next(len(KEY_KINDS))
        (key,) = await fetch_host_keys(through(sshd, line.port, pins), known_hosts=pins)
    assert key.fingerprint_sha256 == fingerprint(sshd.host_public_key)


async def test_trying_again_has_an_end(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        line.slam_next(100)
        await refusal(through(sshd, line.port, pins), pins, Timeouts(attempts=3))
        assert line.connections == 3


async def test_what_cannot_pass_is_tried_once(sshd, pins, tmp_path):
    async with proxy.ChaosProxy(sshd.port) as line:
        device = through(sshd, line.port, pins)
        await refusal(device, tmp_path / "empty", Timeouts(attempts=3))
        assert line.connections == 1


async def test_waiting_for_the_next_try_can_be_cancelled(sshd, pins):
    async with proxy.ChaosProxy(sshd.port) as line:
        line.slam_next(100)
        device = through(sshd, line.port, pins)
        transport = transport_for(
            device, known_hosts=pins, timeouts=Timeouts(attempts=1000, retry_total_s=1e6)
        )
        task = asyncio.create_task(transport.connect())
        while not line.connections:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def breaks(waiting) -> None:
    with pytest.raises(DeviceError) as caught:
        await asyncio.wait_for(waiting, 30)
    assert (caught.value.cause, caught.value.transient) == ("connection-lost", True)
    assert caught.value.stage is Stage.CONNECT


def fingerprint(public_key: str) -> str:
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", "-"], input=public_key, check=True, capture_output=True, text=True
    ).stdout
    return shown.split()[1]


class talker:  # noqa: N801 - reads like a function
    """A TCP server that sends a greeting and then keeps silent; None: hangs up."""

    def __init__(self, greeting: bytes | None) -> None:
        self._greeting = greeting
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        if self._greeting is None:
            writer.close()
        else:
            writer.write(self._greeting)

    async def __aexit__(self, *_: object) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._server.close()
        await asyncio.sleep(0.01)
