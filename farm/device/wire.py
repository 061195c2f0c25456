"""The agent's line protocol, version 1: bytes to nouns and back, no I/O. See docs/agent-protocol.md.

Everything a device sends is hostile: what does not fit raises WireError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

GREETING = b"farm-agent 1 "
LONGEST_LINE = 1 << 20
"""In bytes; a longer line is refused, in both directions."""

_EMPTY = b"%00"
_ESCAPES = {b"%": b"%25", b" ": b"%20", b"\t": b"%09", b"\n": b"%0A", b"\r": b"%0D"}
_BYTES = {escape: byte for byte, escape in _ESCAPES.items()}
_SPECIAL = re.compile(rb"[% \t\n\r]")
_ESCAPE = re.compile(rb"%.{0,2}", re.DOTALL)
_NUMBER = re.compile(rb"0|[1-9][0-9]{0,17}")
_CODE = re.compile(rb"[a-z][a-z0-9-]{0,39}")


class WireError(ValueError):
    """A line that is not of this protocol. The message quotes it, shortened and with `ascii()`."""


class Status(StrEnum):
    """The second word of a reply."""

    OK = "ok"
    ERR = "err"
    DATA = "data"


@dataclass(frozen=True)
class Reply:
    """One reply line.

    `code` is the short word of an `err` and empty otherwise; `size_bytes` is how many raw bytes
    follow the line, 0 unless the status is `data`. `fields` are what is left, decoded.
    """

    id: int
    status: Status
    fields: tuple[str, ...] = ()
    code: str = ""
    size_bytes: int = 0


@dataclass(frozen=True)
class Greeting:
    """The agent's first line. `workdir` is absolute, on the device."""

    pid: int
    workdir: str


def encode(text: str) -> bytes:
    """An argument as it stands in a line. Bytes that are no UTF-8 travel as surrogate escapes.

    Raises WireError for a NUL, which no argument of a program can hold.
    """
    raw = text.encode("utf-8", "surrogateescape")
    if b"\0" in raw:
        raise WireError(f"an argument cannot hold a NUL byte: {_quote(raw)}")
    return _SPECIAL.sub(lambda match: _ESCAPES[match[0]], raw) or _EMPTY


def decode(field: bytes) -> str:
    """The inverse of `encode`. Raises WireError on an unknown escape, a raw NUL or white space."""
    if field == _EMPTY:
        return ""
    if not field or b"\0" in field or _SPECIAL.search(field.replace(b"%", b"")):
        raise WireError(f"not a field: {_quote(field)}")
    return _ESCAPE.sub(_byte, field).decode("utf-8", "surrogateescape")


def _byte(escape: re.Match[bytes]) -> bytes:
    try:
        return _BYTES[escape[0]]
    except KeyError:
        raise WireError(f"not an escape: {_quote(escape[0])}") from None


def request(number: int, verb: str, *arguments: str) -> bytes:
    """A request line with its newline. Raises WireError for a NUL or a line that is too long."""
    line = b" ".join((b"%d" % number, verb.encode("ascii"), *map(encode, arguments))) + b"\n"
    if len(line) > LONGEST_LINE:
        raise WireError(f"a request of {len(line)} bytes is longer than {LONGEST_LINE}")
    return line


def parse_reply(line: bytes) -> Reply:
    """One reply line, with its newline. Raises WireError for anything else."""
    words = _words(line)
    if len(words) < 2:
        raise WireError(f"not a reply: {_quote(line)}")
    return _reply(_number(words[0], line), words[1:], line)


def parse_greeting(line: bytes) -> Greeting | Reply | None:
    """The agent's first line, or None for output of the login shell before it.

    An agent that cannot start answers with an error in the place of its greeting, and the `receive`
    channel with its only reply: both come back as a Reply with id 0. Raises WireError for a line that
    begins like a greeting but is not one.
    """
    if not line.startswith(GREETING):
        return None
    words = _words(line)[2:]
    if words and words[0] in (b"ok", b"err"):
        return _reply(0, words, line)
    if len(words) != 2 or not (workdir := decode(words[1])).startswith("/"):
        raise WireError(f"not a greeting: {_quote(line)}")
    return Greeting(_number(words[0], line), workdir)


def _reply(number: int, words: list[bytes], line: bytes) -> Reply:
    match words:
        case [b"ok", *fields]:
            return Reply(number, Status.OK, tuple(map(decode, fields)))
        case [b"err", code, *fields] if _CODE.fullmatch(code):
            return Reply(number, Status.ERR, tuple(map(decode, fields)), code=code.decode("ascii"))
        case [b"data", size, *fields]:
            return Reply(number, Status.DATA, tuple(map(decode, fields)), size_bytes=_number(size, line))
        case _:
            raise WireError(f"not a reply: {_quote(line)}")


def _words(line: bytes) -> list[bytes]:
    if len(line) > LONGEST_LINE or not line.endswith(b"\n"):
        raise WireError(f"a line that is cut or too long ({len(line)} bytes): {_quote(line)}")
    return line[:-1].rstrip(b"\r").split(b" ")


def _number(word: bytes, line: bytes) -> int:
    if not _NUMBER.fullmatch(word):
        raise WireError(f"not a number in {_quote(line)}")
    return int(word)


def _quote(raw: bytes) -> str:
    text = ascii(raw[:80])[1:]
    return text if len(raw) <= 80 else f"{text} ..."
