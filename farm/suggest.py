"""The nearest correct name: every error about a name offers one."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LIKENESS = 0.6


def nearest_names(word: str, known: Iterable[str], count: int) -> list[str]:
    """The known names most like `word`, the nearest first, `count` at most; upper and lower case alike."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=count, cutoff=LIKENESS)
    return [by_folded[name] for name in found]


def nearest(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)`, or nothing: to be put behind a message or hint."""
    return "".join(f" (did you mean {name}?)" for name in nearest_names(word, known, 1))
