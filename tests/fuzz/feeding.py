"""New bytes for a parser: honest examples with all that devices might put in, and what came of reading them."""

from __future__ import annotations

import contextlib
import hashlib
import time
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, Parser

CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = 100
MORE_EXAMPLES = 2_000

TOKENS = (
    b"\n", b"\r\n", b" ", b"\t", b"\0", b"\x1b[2J", b"%", b"%00", b"%0A", b"%zz", b"/", b"../", b"-", b"--", b".", b":", b"=", b",",
    b"{", b"}", b"[", b"]", b'"', b"\\", b'":', b"(", b")", b"<script>", b"\xff", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    "\u2028".encode(), "٣".encode(), "²".encode(), "\u202e".encode(), "\x85".encode(), b"\x1c", b"0", b"-1", b"1e999", b"nan", b"-nan", b"inf", b"NaN",
    b"Infinity", b"0x", b"1_000", b"9" * 20, b"9" * 400, b"9" * 5000, b"0" * 5000, b"null", b"true", b"[[", b"{}", b"\\ud800",
    b"[" * 2000, b'{"a":' * 2000, b"== ", b"0-99999999", b"0-3,", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80",
    b"ok ", b"err ", b"data ", b"exited ", b"a" * 3000, b" " * 3000, b"\n" * 3000,
)  # fmt: skip


@st.composite
def inputs(draw: st.DrawFn, parser: Parser) -> bytes:
    """An honest example, or nothing, with pieces of it and of others, tokens and any bytes put in, cut out and repeated."""
    data = draw(st.sampled_from((*parser.seeds, b"")))
    for _ in range(draw(st.integers(0, 8))):
        begin = draw(st.integers(0, len(data)))
        end = min(len(data), begin + draw(st.sampled_from((0, 0, 1, 1, 2, 4, 8, 30, 300, 1 << 20))))
        other = draw(st.sampled_from(parser.seeds))
        cut = draw(st.integers(0, len(other)))
        piece = draw(
            st.one_of(
                st.sampled_from(TOKENS),
                st.binary(max_size=12),
                st.just(data[begin:end] * 3),
                st.just(other[cut : cut + 200]),
                st.text(max_size=6).map(lambda text: text.encode("utf-8", "surrogatepass")),
                st.integers(-(10**6), 10**20).map(lambda number: b"%d" % number),
            )
        )
        data = data[:begin] + piece + data[end:]
    return data


@dataclass
class Fed:
    """So many inputs were read; `slowest` took `slowest_s`."""

    inputs: int = 0
    slowest_s: float = 0.0
    slowest: bytes = b""


def check(name: str, data: bytes) -> float:
    """The seconds that it took."""
    parser, begin = PARSERS[name], time.perf_counter()
    with contextlib.suppress(*parser.may_raise):
        parser.read(data)
    return time.perf_counter() - begin


def feed(name: str, seconds: float = 0.0) -> Fed:
    """The same few inputs each time; or new ones, for so many seconds of processor time. What makes the parser
    crash is kept in the corpus, and raised.
    """
    usual = settings(
        max_examples=MORE_EXAMPLES if seconds else EXAMPLES, deadline=None, database=None,
        derandomize=not seconds, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    end, fed, last = time.process_time() + seconds, Fed(), b""

    def one(data: bytes) -> None:
        nonlocal last
        fed.inputs += 1
        last = data
        took_s = check(name, data)
        if took_s > fed.slowest_s:
            fed.slowest_s, fed.slowest = took_s, data

    while True:
        fuzz = given(inputs(PARSERS[name]))(one)
        try:
            usual(seed(time.time_ns())(fuzz) if seconds else fuzz)()
        except Exception:
            if seconds:
                _keep(name, last)  # the smallest that was found
            raise
        if time.process_time() >= end:
            return fed


def _keep(name: str, data: bytes) -> None:
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
