"""The line protocol, without a line."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.device import wire
from farm.device.wire import Greeting, Reply, Status, WireError

ARGUMENT = st.binary(max_size=60).filter(lambda raw: b"\0" not in raw).map(os.fsdecode)


@given(ARGUMENT)
def test_what_is_encoded_comes_back(text: str):
    field = wire.encode(text)
    assert field
    assert not set(field) & set(b" \t\n\r\0")
    assert wire.decode(field) == text


@given(st.lists(ARGUMENT, max_size=6), st.integers(0, 10**9))
def test_a_request_is_one_line_and_its_words_come_back(arguments: list[str], number: int):
    line = wire.request(number, "verb", *arguments)
    assert line.count(b"\n") == 1
    words = line[:-1].split(b" ")
    assert words[:2] == [str(number).encode(), b"verb"]
    assert [wire.decode(word) for word in words[2:]] == arguments


@given(st.binary(max_size=200))
def test_whatever_a_device_sends_is_a_reply_or_an_error(line: bytes):
    for parse in (wire.parse_reply, wire.parse_greeting):
        try:
            parse(line)
        except WireError as error:
            assert str(error).isprintable()


@given(st.binary(max_size=100))
def test_a_field_is_decoded_only_if_it_is_how_it_would_be_encoded(field: bytes):
    try:
        text = wire.decode(field)
    except WireError:
        return
    assert wire.encode(text) == field


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", b"%00"),
        ("a b", b"a%20b"),
        ("%00", b"%2500"),
        ("\t\n\r", b"%09%0A%0D"),
        ("é", b"\xc3\xa9"),
        ("\udcff", b"\xff"),
    ],
)
def test_encodings_that_the_agent_shares(text: str, field: bytes):
    assert wire.encode(text) == field
    assert wire.decode(field) == text


@pytest.mark.parametrize(
    "field", [b"", b"%", b"%2", b"%41", b"%0a", b"a%00", b"%00a", b"a b", b"a\0b", b"a\nb", b"%%"]
)
def test_what_is_no_field_is_refused(field: bytes):
    with pytest.raises(WireError):
        wire.decode(field)


def test_no_argument_holds_a_nul():
    with pytest.raises(WireError, match="NUL"):
        wire.request(1, "hello", "a\0b")


def test_a_request_has_a_longest_length():
    with pytest.raises(WireError, match="longer"):
        wire.request(1, "hello", "x" * wire.LONGEST_LINE)


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"1 ok\n", Reply(1, Status.OK)),
        (b"0 ok a%20b %00\n", Reply(0, Status.OK, ("a b", ""))),
        (b"7 err held me 3 60\n", Reply(7, Status.ERR, ("me", "3", "60"), code="held")),
        (b"7 err usage\n", Reply(7, Status.ERR, code="usage")),
        (b"7 data 12 x\n", Reply(7, Status.DATA, ("x",), size_bytes=12)),
        (b"7 ok\r\n", Reply(7, Status.OK)),
    ],
)
def test_replies(line: bytes, reply: Reply):
    assert wire.parse_reply(line) == reply


@pytest.mark.parametrize(
    "line",
    [
        b"", b"\n", b"1\n", b"1 \n", b"ok\n", b"x ok\n", b"-1 ok\n", b"01 ok\n", b"1 OK\n", b"1 ok", b"1 ok  a\n", b" 1 ok\n",
        b"1 err\n", b"1 err UPPER x\n", b"1 err " + b"x" * 41 + b"\n", b"1 data\n", b"1 data -1\n", b"1 data 1e3\n",
        b"1 data 9999999999999999999\n", b"1 ok " + b"x" * wire.LONGEST_LINE + b"\n", b"1 ok \x00\n", "٣ ok\n".encode(),
    ],
)  # fmt: skip
def test_what_is_no_reply_is_refused(line: bytes):
    with pytest.raises(WireError):
        wire.parse_reply(line)


@pytest.mark.parametrize(
    ("line", "greeting"),
    [
        (b"farm-agent 1 17 /home/a%20b\n", Greeting(17, "/home/a b")),
        (
            b"farm-agent 1 err no-home HOME%20is%20not%20set\n",
            Reply(0, Status.ERR, ("HOME is not set",), "no-home"),
        ),
        (b"farm-agent 1 ok 100\n", Reply(0, Status.OK, ("100",))),
        (b"Welcome to farm-agent 1 17 /x\n", None),
        (b"farm-agent 2 17 /x\n", None),
        (b"\n", None),
        (b"", None),
    ],
)
def test_greetings(line: bytes, greeting: object):
    assert wire.parse_greeting(line) == greeting


@pytest.mark.parametrize(
    "line",
    [
        b"farm-agent 1 \n",
        b"farm-agent 1 17\n",
        b"farm-agent 1 x /x\n",
        b"farm-agent 1 1 x\n",
        b"farm-agent 1 1 /x y\n",
        b"farm-agent 1 1 /x",
    ],
)
def test_what_begins_like_a_greeting_and_is_none_is_refused(line: bytes):
    with pytest.raises(WireError):
        wire.parse_greeting(line)
