"""What tests of several folders need."""

from __future__ import annotations

import pytest

from farm.runtime import install
from farm.runtime.install import InstalledRuntime

pytest_plugins = ["tests.session"]


@pytest.fixture(scope="session")
def wheel_runtime() -> InstalledRuntime:
    """MegEngine's libraries, installed from the index on first use; FARM_CACHE_DIR keeps them between sessions."""
    return install.ensure(lambda *_: None)
