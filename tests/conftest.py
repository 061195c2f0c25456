"""What tests of several folders need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from farm.runtime import install
from farm.runtime.install import InstalledRuntime
from tests import blocking
from tests.agent.shells import forget_agent_file
from tests.forked import Forks

pytest_plugins = ["tests.session"]


@pytest.fixture(scope="session", autouse=True)
def nothing_blocks() -> Iterator[None]:
    """No code of farm may stop an event loop, in whatever test."""
    with blocking.nothing_blocks():
        yield


@pytest.fixture(scope="session", autouse=True)
def no_agent_stays() -> Iterator[None]:
    """Which tests start as a file."""
    yield
    forget_agent_file()


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts processes of `farm`."""
    with Forks() as server:
        yield server


@pytest.fixture(scope="session")
def wheel_runtime() -> InstalledRuntime:
    """MegEngine's libraries, installed from the index on first use; FARM_CACHE_DIR keeps them between sessions."""
    return install.ensure(lambda *_: None)
