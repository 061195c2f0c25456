"""The real agent, under every shell and set of tools that devices have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest

from tests.agent.shells import SHELLS, Phone, Talk, end, make_box, make_path, until

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each test under two of the shells, each shell in all kinds of tests: by the name of the test, so that it is
    the same two wherever it runs. Under the others with `-m long` only.
    """
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or item.path.parent != HERE or "box" not in callspec.params:
            continue
        if callspec.params["box"] not in shells_of(item):
            item.add_marker(pytest.mark.long)


def shells_of(item: pytest.Item) -> set[str]:
    """dash and bash differ least from each other, busybox and mksh most from all: one of each two."""
    others = item.callspec.id.replace(item.callspec.params["box"], "", 1)
    number = crc32(f"{item.path.name} {item.originalname} {others}".encode())
    return {("dash", "bash")[number % 2], ("busybox", "mksh")[number // 2 % 2]}


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
