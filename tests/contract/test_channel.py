"""What every transport promises of programs: their bytes, their ends, their status."""

from __future__ import annotations

import asyncio
import hashlib
import os

import pytest

from farm.errors import DeviceError

TWENTY_MB = 20_000_000
EVERY_BYTE = bytes(range(256))
TELL_STDIN = ("sh", "-c", "wc -c | tr -d ' '")


async def test_bytes_of_every_value_come_back_as_they_were_sent(connection):
    channel = await connection.open(("cat",))
    await channel.write(EVERY_BYTE * 3)
    assert await channel.readexactly(768) == EVERY_BYTE * 3
    await channel.write_eof()
    assert await channel.read() == b""
    assert await channel.wait() == 0
    await channel.close()


async def test_twenty_megabytes_arrive_exactly(connection):
    data = os.urandom(TWENTY_MB)
    channel = await connection.open(("sha256sum",))
    await channel.write(data)
    await channel.write_eof()
    assert (await channel.readline()).split()[0].decode() == hashlib.sha256(data).hexdigest()
    assert await channel.wait() == 0
    await channel.close()


async def test_twenty_megabytes_come_back_exactly_while_more_is_sent(connection):
    data = os.urandom(TWENTY_MB)
    channel = await connection.open(("cat",))

    async def send() -> None:
        await channel.write(data)
        await channel.write_eof()

    sending = asyncio.create_task(send())
    assert await channel.readexactly(TWENTY_MB) == data
    await sending
    assert await channel.read() == b""
    assert await channel.wait() == 0
    await channel.close()


async def test_a_slow_reader_loses_nothing(connection):
    channel = await connection.open(("head", "-c", str(TWENTY_MB), "/dev/zero"))
    total = 0
    while piece := await channel.read(1 << 20):
        assert not piece.strip(b"\0")
        total += len(piece)
        await asyncio.sleep(0.005)
    assert total == TWENTY_MB
    await channel.close()


@pytest.mark.parametrize("status", [0, 1, 7, 126, 127, 255])
async def test_the_exit_status_is_the_programs(connection, status):
    channel = await connection.open(("sh", "-c", f"exit {status}"))
    assert await channel.wait() == status
    await channel.close()


async def test_a_signal_is_128_and_its_number(connection):
    channel = await connection.open(("sh", "-c", "kill -9 $$"))
    assert await channel.wait() == 137
    await channel.close()


async def test_a_missing_program_is_127(connection):
    channel = await connection.open(("no-such-program-here",))
    assert await channel.wait() == 127
    assert b"no-such-program-here" in await channel.stderr()
    await channel.close()


async def test_many_programs_one_after_the_other_share_a_connection(connection):
    for number in range(60):
        channel = await connection.open(("echo", str(number)))
        assert await channel.readline() == b"%d\n" % number
        assert await channel.wait() == 0
        await channel.close()


async def test_several_programs_at_once_do_not_mix(connection):
    channels = [await connection.open(("cat",)) for _ in range(5)]
    for number, channel in enumerate(channels):
        await channel.write(b"%d\n" % number)
    assert [await channel.readline() for channel in channels] == [b"0\n", b"1\n", b"2\n", b"3\n", b"4\n"]
    for channel in channels:
        await channel.close()


async def test_stderr_stands_apart_and_a_flood_of_it_stops_nothing(connection):
    channel = await connection.open(("sh", "-c", "head -c 3000000 /dev/zero >&2; echo out; exit 3"))
    assert await channel.read() == b"out\n"
    assert await channel.wait() == 3
    assert await channel.stderr() == b"\0" * 65536
    await channel.close()


async def test_lines_end_with_their_newline_and_the_last_may_lack_it(connection):
    channel = await connection.open(("printf", "one\\n\\ntwo"))
    assert [await channel.readline() for _ in range(4)] == [b"one\n", b"\n", b"two", b""]
    await channel.close()


async def test_a_line_without_end_is_refused(connection):
    channel = await connection.open(("head", "-c", "9000000", "/dev/zero"))
    with pytest.raises(DeviceError) as caught:
        await channel.readline()
    assert caught.value.cause == "protocol"
    await channel.close()


async def test_less_than_asked_for_is_an_error(connection):
    channel = await connection.open(("printf", "abc"))
    with pytest.raises(DeviceError) as caught:
        await channel.readexactly(4)
    assert caught.value.cause == "connection-lost"
    await channel.close()


async def test_the_end_of_input_reaches_the_program(connection):
    channel = await connection.open(TELL_STDIN)
    await channel.write(b"12345")
    await channel.write_eof()
    assert await channel.read() == b"5\n"
    await channel.close()


async def test_output_after_the_end_of_input_still_comes(connection):
    channel = await connection.open(("sh", "-c", "cat >/dev/null; sleep 0.2; echo late; exit 4"))
    await channel.write_eof()
    assert await channel.read() == b"late\n"
    assert await channel.wait() == 4
    await channel.close()


async def test_writing_to_a_program_that_has_ended_says_so(connection):
    channel = await connection.open(("true",))
    assert await channel.wait() == 0
    assert await channel.read() == b""
    with pytest.raises(DeviceError) as caught:
        await channel.write(bytes(100 << 20))
    assert caught.value.cause == "program-ended"
    assert not caught.value.transient
    await channel.close()


async def test_words_of_a_command_arrive_as_they_are(connection):
    words = (
        "a b",
        "it's",
        "\\n\\\\",
        "$HOME",
        "",
        "=ls",
        "!!",
        "a\nb",
        "*",
        '"',
        "~",
        "ü",
        "%self",
        "#x",
        ";",
        "\t",
    )
    channel = await connection.open(("printf", "%s\\0", *words))
    assert (await channel.read()).decode().split("\0")[:-1] == list(words)
    await channel.close()


async def test_a_word_cannot_hold_a_null(connection):
    with pytest.raises(ValueError, match="not a command"):
        await connection.open(("echo", "a\0b"))


async def test_closing_twice_and_anything_after_it_is_harmless(reach):
    connection = await reach.transport.connect()
    channel = await connection.open(("cat",))
    await channel.close()
    await channel.close()
    await connection.close()
    await connection.close()
    await channel.close()
    with pytest.raises(DeviceError) as caught:
        await connection.open(("true",))
    assert caught.value.cause == "connection-lost"


async def test_closing_a_connection_ends_its_channels_with_an_error(reach):
    connection = await reach.transport.connect()
    channel = await connection.open(("cat",))
    await connection.close()
    for waiting in (
        channel.wait(),
        channel.readline(),
        channel.read(),
        channel.readexactly(1),
        channel.write(b"x"),
    ):
        with pytest.raises(DeviceError) as caught:
            await waiting
        assert caught.value.cause == "connection-lost"
        assert caught.value.transient


async def test_a_program_that_reads_its_input_ends_when_the_channel_closes(connection, reach):
    mark = reach.home / "ended"
    channel = await connection.open(("sh", "-c", f"echo ready; cat >/dev/null; echo yes > '{mark}'"))
    assert await channel.readline() == b"ready\n"
    await channel.close()
    await appears(mark)
    mark.unlink()


async def test_a_program_that_writes_sees_that_nobody_reads_any_more(connection, reach):
    mark = reach.home / "noticed"
    script = f"trap '' PIPE; while echo x; do :; done 2>/dev/null; echo yes > '{mark}'"
    channel = await connection.open(("sh", "-c", script))
    assert await channel.readline() == b"x\n"
    await channel.close()
    if reach.kind == "dropbear":  # tells it only when the whole connection ends
        await connection.close()
    await appears(mark)
    mark.unlink()


async def test_what_made_a_session_of_its_own_survives_the_connection(reach):
    mark, go = reach.home / "survived", reach.home / "go"
    script = f"echo ready; while [ ! -e '{go}' ]; do sleep 0.05; done; echo yes > '{mark}'"
    connection = await reach.transport.connect()
    channel = await connection.open(
        ("sh", "-c", f"setsid sh -c \"$0\" </dev/null >'{go}.out' 2>&1 &", script)
    )
    await channel.read()
    await appears(reach.home / "go.out")
    await connection.close()
    go.touch()
    await appears(mark)
    mark.unlink()
    go.unlink()


CANCELLED = {
    "read": lambda channel: channel.read(),
    "readline": lambda channel: channel.readline(),
    "readexactly": lambda channel: channel.readexactly(10),
    "write": lambda channel: channel.write(bytes(10_000_000)),
    "wait": lambda channel: channel.wait(),
}


@pytest.mark.parametrize("what", CANCELLED)
async def test_cancelling_leaves_the_connection_usable(connection, what):
    channel = await connection.open(("sleep", "20"))
    task = asyncio.create_task(CANCELLED[what](channel))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await channel.close()
    channel = await connection.open(("echo", "still here"))
    assert await channel.readline() == b"still here\n"
    await channel.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3, 5, 8, 13, 40])
async def test_cancelling_an_open_half_way_leaves_no_channel(connection, turns):
    """However far it has come: the program that nobody waits for any more ends."""
    task = asyncio.create_task(connection.open(("cat",)))
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    task.cancel()
    results = await asyncio.gather(task, return_exceptions=True)
    for channel in results:
        if not isinstance(channel, BaseException):
            await channel.close()
    channel = await connection.open(("echo", "still here"))
    assert await channel.readline() == b"still here\n"
    await channel.close()
    await until(lambda: not connection._links[0]._connections[-1]._channels)


@pytest.mark.parametrize("delay_s", [0, 0.001, 0.003, 0.006, 0.01, 0.02, 0.04, 0.08])
async def test_cancelling_a_connect_half_way_leaves_nothing(reach, delay_s):
    task = asyncio.create_task(reach.transport.connect())
    await asyncio.sleep(delay_s)
    task.cancel()
    for connection in await asyncio.gather(task, return_exceptions=True):
        if not isinstance(connection, BaseException):
            await connection.close()


async def appears(path) -> None:
    await until(path.exists)


async def until(true) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)
