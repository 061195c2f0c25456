"""No bytes of a device make a parser crash: it gives a value, or an error that its callers expect.

`scripts/fuzz-parsers SECONDS [PARSER...]` runs each parser with new inputs for so long and keeps what made one crash in
`tests/fuzz/corpus`; the suite runs the corpus and the same few inputs each time.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.parsers import PARSERS, Parser

SECONDS = float(os.environ.get("FUZZ_SECONDS", "0"))
CHOSEN = os.environ.get("FUZZ_PARSERS", "").split() or list(PARSERS)
CORPUS = Path(__file__).parent / "corpus"
EXAMPLES = 100
MORE_EXAMPLES = 2_000
SLOW_S = 1.0
"""Of an input of a few KiB: told by the script, as work that grows faster than its input."""

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


def check(name: str, data: bytes) -> float:
    """The seconds that it took."""
    parser, begin = PARSERS[name], time.perf_counter()
    try:
        parser.read(data)
    except parser.may_raise:
        pass
    except BaseException as error:
        if SECONDS and isinstance(error, Exception):
            _keep(name, data)
        raise
    return time.perf_counter() - begin


def _keep(name: str, data: bytes) -> None:
    folder = CORPUS / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


@pytest.mark.parametrize("name", CHOSEN)
@pytest.mark.timeout(SECONDS + 300)
def test_no_bytes_make_a_parser_crash(name: str) -> None:
    usual = settings(
        max_examples=MORE_EXAMPLES if SECONDS else EXAMPLES, deadline=None, database=None, derandomize=not SECONDS,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    end, count, slowest = time.monotonic() + SECONDS, 0, (0.0, b"")

    def one(data: bytes) -> None:
        nonlocal count, slowest
        count += 1
        slowest = max(slowest, (check(name, data), data))

    while True:
        fuzz = given(inputs(PARSERS[name]))(one)
        usual(seed(time.time_ns())(fuzz) if SECONDS else fuzz)()
        if time.monotonic() >= end:
            break
    slow = f"; slow: {slowest[1]!r:.300}" if slowest[0] > SLOW_S else ""
    print(
        f"\n{name}: {count} inputs, the slowest {1000 * slowest[0]:.0f} ms for {len(slowest[1])} bytes{slow}"
    )


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_made_a_parser_crash_once_does_so_no_more(path: Path) -> None:
    check(path.parent.name, path.read_bytes())


@pytest.mark.parametrize("name", PARSERS)
def test_the_examples_are_honest(name: str) -> None:
    """Else everything would be refused at the first byte: each has at least one that is read."""
    parser = PARSERS[name]
    read = []
    for one in parser.seeds:
        try:
            read.append(parser.read(one))
        except parser.may_raise:
            continue
    assert any(read)
