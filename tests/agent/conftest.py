"""The real agent, under every shell and set of tools that devices have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from tests.agent.shells import SHELLS, Phone, Talk, end, make_box, make_path, until

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test under one of the shells, by its name: the same one wherever it runs, and several in each file.
    Under the others with `-m long` only.
    """
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or item.path.parent != HERE or "box" not in callspec.params:
            continue
        shell = callspec.params["box"]
        name = f"{item.nodeid.partition('[')[0].rpartition('/')[2]} {callspec.id.replace(shell, '', 1)}"
        if shell != tuple(SHELLS)[crc32(name.encode()) % len(SHELLS)]:
            item.add_marker(pytest.mark.long)


@pytest.fixture(scope="session", params=SHELLS)
def box(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A shell and the tools of its box, hundreds of links: made once."""
    return request.param, make_box(tmp_path_factory.mktemp("box") / request.param, request.param)


@pytest.fixture
def phone(box: tuple[str, Path], tmp_path: Path) -> Iterator[Phone]:
    """A device; after the test nothing may run on it any more."""
    shell, tools = box
    phone = Phone(tmp_path, make_path(tmp_path / "bin", shell, tools), shell)
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
