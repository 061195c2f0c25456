import json
import sys
from pathlib import Path

import hypothesis
import pytest

# No test says how long anything takes: the machine may be busy.
hypothesis.settings.register_profile("farm", deadline=None, max_examples=50)
hypothesis.settings.load_profile("farm")

DATA = Path(__file__).parents[1] / "data" / "transcripts"


@pytest.fixture(scope="session")
def transcripts():
    """Name -> {command, exit_code, stdout, stderr} of the recorded runs of the native program."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("*.json"))}


@pytest.fixture(scope="session")
def samples():
    """Files that MegEngine 1.13.0 wrote for the bundled models."""
    return Path(__file__).parent / "dumps" / "data"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages (tests.unit.plugins.packages) that is searched first."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
