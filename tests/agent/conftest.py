"""The real agent, under every shell and set of tools that devices have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.shells import SHELLS, Phone, Talk, end, make_path, until


@pytest.fixture(params=SHELLS)
def phone(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Phone]:
    """A device; after the test nothing may run on it any more."""
    phone = Phone(tmp_path, make_path(tmp_path / "bin", request.param), request.param)
    yield phone
    for talk in phone.talks:
        if not talk.process.stdin.closed:
            talk.leave()
    try:
        until(lambda: not phone.processes())
    finally:
        end(phone.processes())


@pytest.fixture
def agent(phone: Phone) -> Talk:
    return phone.talk()


@pytest.fixture
def epoch(agent: Talk) -> Iterator[int]:
    """A lease; what still runs under it ends with the test."""
    epoch = int(agent("lease", "tester", 600)[0])
    yield epoch
    if agent.process.poll() is None and agent("holder"):
        agent("release", epoch)
