"""Versions of files that people write: an older one is read for ever, a later one is refused by its number.

A file says `version: N`, or is of version 1. tests/data/inventory has an example of each version.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from farm.errors import RequestError
from farm.inventory.yaml_source import Document

VERSION = 1
KEY = "version"

UPGRADES: dict[int, Callable[[dict[str, Any]], None]] = {}
"""By version: the upgrade of a file's data to the next one, in place."""


def upgrade(document: Document) -> Document:
    """The document in the current version. Raises RequestError for a version that this farm does not know."""
    version = document.data.pop(KEY, VERSION)
    text = str(version)
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 9 else 0
    if number != VERSION and number not in UPGRADES:
        raise RequestError(
            f"unsupported version {text[:20]!r}; this farm reads versions 1 to {VERSION}",
            source=document.source((KEY,)),
            hint="use the version of farm that it was written for, or remove the line",
        )
    for older in range(number, VERSION):
        UPGRADES[older](document.data)
    return document
