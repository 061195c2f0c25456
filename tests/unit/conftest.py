import json
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
