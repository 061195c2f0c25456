"""Which flags a load_and_run program has, from its own `--help`."""

from __future__ import annotations

import re

_FLAG = re.compile(r"^    -(\w{1,100}) \(", re.MULTILINE | re.ASCII)
TEXT_LIMIT = 1 << 20


def parse_flags(text: str) -> frozenset[str]:
    """Flags that a help text lists, with underscores. Empty for a text that is not a help of gflags.

    The flags of gflags itself are among them.
    """
    return frozenset(_FLAG.findall(text[:TEXT_LIMIT].replace("\r\n", "\n")))
