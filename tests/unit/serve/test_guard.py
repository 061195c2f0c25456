"""Who may ask: names of hosts, tokens."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.serve.guard import Names, read_token


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8421",
        "127.0.0.1:1",
        "[::1]:8421",
        "[::1]",
        "10.0.0.3",
        "farm.lab:80",
        "farm.lab.",
    ],
)
def test_names_of_the_server_and_addresses_are_known(host: str) -> None:
    assert Names(["farm.lab"]).has(host)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", ":80", "[::1", "[::1]x", "a:b"],
)
def test_other_names_are_not(host: str) -> None:
    assert not Names(["farm.lab"]).has(host)


def token(folder: Path, data: bytes, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_bytes(data)
    path.chmod(mode)
    return path


def test_only_the_token_of_the_file_is_right(tmp_path: Path) -> None:
    found = read_token(token(tmp_path, b"0123456789abcdef\n"))
    assert found.is_right("0123456789abcdef")
    for other in ("", "0123456789abcde", "0123456789abcdef\n", "\udcff", "0123456789abcdeg"):
        assert not found.is_right(other)


@pytest.mark.parametrize(
    ("data", "mode", "said"),
    [
        (b"0123456789abcdef", 0o644, "others can read"),
        (b"short", 0o600, "16 characters"),
        (b"0123456789 abcdef", 0o600, "one word"),
        (b"", 0o600, "16 characters"),
        ("0123456789abcdéf".encode(), 0o600, "not ASCII"),
        (b"x" * 5000, 0o600, "no file of one line"),
    ],
)
def test_a_token_that_is_none_is_told_with_what_to_type(
    tmp_path: Path, data: bytes, mode: int, said: str
) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        read_token(token(tmp_path, data, mode))
    assert str(tmp_path) in (caught.value.hint or "")


def test_a_token_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot read"):
        read_token(tmp_path / "none")
