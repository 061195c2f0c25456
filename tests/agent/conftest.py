"""The real agent, under every shell and set of tools that devices have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.shells import SHELLS, Phone, Talk, end, make_box, make_path, until

HERE = Path(__file__).parent
EACH_TIME_UNDER_BASH = ("test_jobs.py", "test_numbers.py")
"""bash differs least from dash: the rest runs under it with `-m long` only."""
NOT_UNDER_MKSH = (
    "test_sensors.py", "test_settings.py", "test_telemetry.py", "test_leftovers.py", "test_programs.py",
    "test_versions.py", "test_limits.py",
)  # fmt: skip
"""Where mksh is as good as busybox: under it with `-m long` only."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        callspec = getattr(item, "callspec", None)
        if callspec is None or item.path.parent != HERE:
            continue
        box, name = callspec.params.get("box"), item.path.name
        if (box == "bash" and name not in EACH_TIME_UNDER_BASH) or (box == "mksh" and name in NOT_UNDER_MKSH):
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
