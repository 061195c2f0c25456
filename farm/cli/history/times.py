"""Times as people type them: a day, or so long ago."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from farm.errors import RequestError

_AGO = re.compile(r"([1-9][0-9]{0,4})([hdwy])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}


def ago_s(option: str, text: str) -> float:
    """Seconds of `36h`, `30d`, `12w`, `1y`. Raises RequestError."""
    found = _AGO.fullmatch(text)
    if found is None:
        raise RequestError(f"{option}: {text} is no time", hint=f"{option} 30d")
    return float(int(found[1]) * _SECONDS[found[2]])


def since_s(option: str, text: str) -> float:
    """In seconds since 1970: of `2026-09-01`, or of so long ago. Raises RequestError."""
    if _AGO.fullmatch(text):
        return time.time() - ago_s(option, text)
    try:
        read = datetime.fromisoformat(text)
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise RequestError(
            f"{option}: {text} is no time", hint=f"{option} 2026-09-01, or {option} 30d"
        ) from error
