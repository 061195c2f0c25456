"""The nearest correct name: every error about a name offers one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest_name(word: str, known: Iterable[str]) -> str | None:
    """The known name most like `word`, or None when none is near."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing: to be put behind a message or hint."""
    name = nearest_name(word, known)
    return f" (did you mean {name}?)" if name else ""
