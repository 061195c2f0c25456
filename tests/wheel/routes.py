"""How the wheel runtime does each flag: the table of docs/wheel-runtime.md, which people read."""

from __future__ import annotations

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[2] / "docs" / "wheel-runtime.md"


def routes() -> dict[str, tuple[str, str]]:
    """(route, condition) by flag, in the order of the table; a condition of "" means: wherever the libraries work."""
    rows = re.findall(r"^\| `--([\w-]+)` \| (\w+) \| (.*) \|$", DOCUMENT.read_text("utf-8"), re.MULTILINE)
    return {name.replace("-", "_"): (route, condition) for name, route, condition in rows}
