"""What an attack is: an honest device but for its lies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import asyncssh

from farm.device.wire import encode

CANARY = "xsscanary"
"""In every active content that an attack sends: it may be in a report as text and nowhere else."""


@dataclass(frozen=True)
class Job:
    """What a program left: streams by name, files below out/ by their names, which are bytes. `is_round`: it was a run
    of the model.
    """

    code: int = 0
    streams: Mapping[str, bytes] = field(default_factory=dict)
    files: Mapping[bytes, bytes] = field(default_factory=dict)
    is_round: bool = False


@dataclass(frozen=True)
class Asked:
    """A request; `words` are decoded, `count` is how often this verb was asked before. `job` is the one that it is
    about, if any.
    """

    number: int
    verb: str
    words: tuple[str, ...]
    count: int = 0
    job: Job | None = None


@dataclass(frozen=True)
class Answer:
    """An honest reply."""

    fields: tuple[str, ...] = ()
    data: bytes | None = None

    def line(self, number: int) -> bytes:
        head = [b"%d" % number, *([b"ok"] if self.data is None else [b"data", b"%d" % len(self.data)])]
        return b" ".join((*head, *map(encode, self.fields))) + b"\n" + (self.data or b"")


Said = Answer | bytes | AsyncIterator[bytes]
"""In the place of an honest answer: another, any bytes, or any number of pieces."""
Lie = Callable[[Asked, Answer], Said]


@dataclass(frozen=True)
class Attack:
    """`does` is what the device tries, for people. `replies` are lies by verb; `job` changes what a run of the
    program left; `probe` the text of the facts; `upload` is the reply to a file; `greeting` is said in the place of the agent's first line; `raw`
    serves a TCP connection in the place of SSH; `connected` and `started` are called for each connection and
    each channel. `ends`: a channel is over after its greeting; `help` changes what `--help` says. `fails`: whether its cell does; None: this does not matter. `is_slow`: only deadlines
    end it, one after the other. `says_farm`: it says that the fault is farm's, in the protocol's own words.
    """

    name: str
    does: str
    replies: Mapping[str, Lie] = field(default_factory=dict)
    job: Callable[[Job], Job] | None = None
    probe: Callable[[bytes], bytes] | None = None
    greeting: bytes | AsyncIterator[bytes] | Callable[[], AsyncIterator[bytes]] | None = None
    raw: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
    banner: str = ""
    upload: bytes = b"farm-agent 1 ok\n"
    started: Callable[[asyncssh.SSHServerProcess[bytes]], Awaitable[None]] | None = None
    ends: bool = False
    help: Callable[[Job], Job] | None = None
    fails: bool | None = True
    is_slow: bool = False
    says_farm: bool = False


def says(raw: bytes) -> Lie:
    """Bytes, with `%d` in them as the number of the request."""
    return lambda asked, _: raw.replace(b"%d", b"%d" % asked.number)


def fields(*given: str) -> Lie:
    return lambda _, answer: replace(answer, fields=given)


def files(more: Mapping[bytes, bytes]) -> Callable[[Job], Job]:
    return lambda job: replace(job, files={**job.files, **more})


def log(text: bytes) -> Callable[[Job], Job]:
    """Stands before the honest lines of both streams."""

    def change(job: Job) -> Job:
        honest = job.streams
        return replace(
            job,
            streams={
                **honest,
                "stderr": text + honest.get("stderr", b""),
                "stdout": text + honest.get("stdout", b""),
            },
        )

    return change


async def endless(piece: bytes) -> AsyncIterator[bytes]:
    """As long as somebody reads."""
    while True:
        yield piece
