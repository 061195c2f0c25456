"""Rules on who uses a device, and how it does against its own past."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from farm.run.health.nouns import IN_A_ROW, Look, Said
from farm.store.notes.quarantine import BY_CHECK

LONG_HELD_S = 24 * 3600
"""A nightly may hold a device for a night."""


def one_machine(look: Look) -> Iterator[Said]:
    if look.twins:
        yield {"twins": ", ".join(look.twins)}


def held_long(look: Look) -> Iterator[Said]:
    held = look.held
    if held is not None and held.held_s >= LONG_HELD_S and not look.is_holder_gone:
        yield {"holder": held.holder, "held": in_words(held.held_s), "seen": in_words(held.seen_s)}


def holder_gone(look: Look) -> Iterator[Said]:
    if look.held is not None and look.is_holder_gone:
        yield {"holder": look.held.holder}


def quarantined(look: Look) -> Iterator[Said]:
    """But for one that a check which passes ends."""
    if look.quarantine is not None and (look.quarantine.by != BY_CHECK or look.trouble is not None):
        yield {"sentence": look.quarantine.sentence}


def slower_than_it_was(look: Look) -> Iterator[Said]:
    found = look.slower
    if found is not None:
        yield {
            "percent": f"{found.ratio - 1:.1%}",
            "runs": found.runs,
            "row": IN_A_ROW,
            "cells": "1 cell" if found.cells == 1 else f"{found.cells} cells",
            "evidence": f" ({'; '.join(found.evidence)})" if found.evidence else "",
        }


def in_words(seconds: float) -> str:
    """`2 days`, `3 minutes`."""
    from humanize import naturaldelta

    return naturaldelta(timedelta(seconds=min(abs(seconds), 1e9)))
