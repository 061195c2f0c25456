import json
from pathlib import Path

import pytest

DATA = Path(__file__).parents[1] / "data" / "transcripts"


@pytest.fixture(scope="session")
def transcripts():
    """Name -> {command, exit_code, stdout, stderr} of the recorded runs of the native program."""
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DATA.glob("*.json"))}


@pytest.fixture(scope="session")
def samples():
    """Files that MegEngine 1.13.0 wrote for the bundled models."""
    return Path(__file__).parent / "dumps" / "data"
