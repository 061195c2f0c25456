"""Fractions as people write them."""

from __future__ import annotations

import re

_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9}) ?(%?)")
MOST = 1.0


def fraction(text: str) -> float:
    """0.03 of `3%` and of `0.03`. Raises ValueError for anything else, and for nothing and more than all."""
    found = _AMOUNT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'"{text}" is no fraction, as 3% or 0.03')
    value = float(found[1]) / (100 if found[2] else 1)
    if not 0 < value <= MOST:
        raise ValueError(f'"{text}" is not more than 0 and at most 100%')
    return value
