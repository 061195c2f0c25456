"""What a device says at length is read in threads: seconds of work for one that lies must not stop the talk with others."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from farm.device import agent as module
from farm.device.agent import Agent
from farm.device.wire import Reply, Status
from farm.model.limits.deadlines import Deadlines


class Told:
    """A line on which everything is answered with no bytes."""

    async def call(self, *words: str, **limits: Any) -> tuple[Reply, bytes]:
        return Reply(1, Status.DATA, ("0", "0", "0", "0")), b""

    def moved(self) -> None:
        """Nothing ever does."""


@pytest.mark.parametrize(
    ("ask", "parser", "words"),
    [
        ("probe", "parse_facts", ()),
        ("sense", "parse_telemetry", ()),
        ("processes", "parse_processes", ()),
        ("stock", "parse_stock", ()),
        ("gather", "parse_gathered", ("job", 100)),
    ],
)
async def test_what_may_be_long_is_read_in_a_thread(
    ask: str, parser: str, words: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = []
    parse = getattr(module, parser)

    def spy(*given: Any) -> Any:
        readers.append(threading.current_thread())
        return parse(*given)

    monkeypatch.setattr(module, parser, spy)
    monkeypatch.setattr(module, "SMALL_TEXT_BYTES", -1)  # nothing is that short
    agent = Agent(None, Told(), "/w", "/w/agent.sh", Deadlines())  # type: ignore[arg-type]
    await getattr(agent, ask)(*words)
    assert readers
    assert threading.main_thread() not in readers
