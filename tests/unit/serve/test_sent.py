"""A file that is sent is closed, whatever the client does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from farm.serve.app import _Sent
from farm.serve.files import open_file

SCOPE = {"type": "http", "asgi": {"spec_version": "2.4"}}


async def receive() -> dict[str, Any]:
    return {"type": "http.disconnect"}


@pytest.mark.parametrize("sent_before", [0, 1])
async def test_a_client_that_is_gone_before_the_first_byte_keeps_no_file_open(
    tmp_path: Path, sent_before: int
) -> None:
    (tmp_path / "report.html").write_bytes(b"<p>" * 100_000)
    found = open_file(tmp_path, "report.html")
    assert found is not None
    messages: list[Any] = []

    async def send(message: Any) -> None:
        if len(messages) == sent_before:
            raise OSError("gone")
        messages.append(message)

    with pytest.raises(ClientDisconnect):
        await _Sent(found, {})(SCOPE, receive, send)
    assert found.file.closed


async def test_the_whole_file_is_sent_as_it_was_when_it_was_opened(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_bytes(b"<p>" * 100_000)
    found = open_file(tmp_path, "report.html")
    assert found is not None
    with (tmp_path / "report.html").open("ab") as more:
        more.write(b"more")
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    await _Sent(found, {})(SCOPE, receive, send)
    assert b"".join(one.get("body", b"") for one in messages) == b"<p>" * 100_000
    assert found.file.closed
