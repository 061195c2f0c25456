"""Words and bytes that pass between this machine and a device: every split, any content, real shells."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.device.wire import Greeting, Reply, Status, parse_greeting, parse_reply
from farm.transport.channel import Stream, command_line

SHELLS = ("sh", "dash", "bash", "mksh", "busybox", "zsh", "yash")
WORDS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
    | st.text(alphabet=" '\"\\\n\t$`!*?[]{}~#&|;<>()=%^-a", max_size=20),
    min_size=1,
    max_size=40,
)


def _shell(name: str) -> list[str]:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    return ["busybox", "sh"] if name == "busybox" else [name]


@pytest.mark.parametrize("name", SHELLS)
def test_any_words_mean_themselves_in_a_real_shell(name: str) -> None:
    shell = _shell(name)

    @settings(max_examples=60, deadline=None)
    @given(WORDS)
    def check(words: list[str]) -> None:
        command = command_line(("printf", "%s\\0", *words))
        said = subprocess.run([*shell, "-c", command], capture_output=True, check=True, timeout=30)
        assert said.stdout.decode().split("\0")[:-1] == words
        assert said.stderr == b""

    check()


BODY = b"a\n7 ok x\n\0\xff"
SAID = b"farm-agent 1 12 /w%20d\n1 ok 5 %00\n2 data 11\n" + BODY + b"3 err no-file caf\xc3\xa9\n"
MEANT = [
    Greeting(12, "/w d"),
    Reply(1, Status.OK, ("5", "")),
    Reply(2, Status.DATA, size_bytes=len(BODY)),
    BODY,
    Reply(3, Status.ERR, ("caf\u00e9",), code="no-file"),
]


async def _heard(reader: asyncio.StreamReader) -> list[object]:
    """What a session reads, as farm.device.agent does: lines, and as many bytes as one announces."""
    found: list[object] = [parse_greeting(await reader.readline())]
    while line := await reader.readline():
        reply = parse_reply(line)
        found.append(reply)
        if reply.size_bytes:
            found.append(await reader.readexactly(reply.size_bytes))
    return found


async def test_what_an_agent_says_means_the_same_however_it_is_split() -> None:
    """In any three pieces, and byte by byte."""
    ways = [(0, *cuts, len(SAID)) for cuts in itertools.combinations(range(1, len(SAID)), 2)]
    for way in (*ways, tuple(range(len(SAID) + 1))):
        stream = Stream()
        hearing = asyncio.create_task(_heard(stream.reader))
        for start, end in itertools.pairwise(way):
            stream.reader.feed_data(SAID[start:end])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        stream.reader.feed_eof()
        assert await hearing == MEANT, way


async def test_what_an_agent_says_that_ends_anywhere_is_never_another_reply() -> None:
    """Each whole line before the end is what it was; half a line is a reply to nobody, or an error."""
    for end in range(len(SAID)):
        stream = Stream()
        stream.reader.feed_data(SAID[:end])
        stream.reader.feed_eof()
        found: list[object] = []
        try:
            found = await _heard(stream.reader)
        except (ValueError, asyncio.IncompleteReadError):
            continue
        assert found == MEANT[: len(found)] or found == [None], end
