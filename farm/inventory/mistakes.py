"""Mistakes in inventory and suite files: all are reported at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from farm.errors import RequestError


@dataclass(frozen=True)
class Mistake:
    """One thing wrong. `source` is `file:line`."""

    source: str
    text: str


def refuse(mistakes: Iterable[Mistake], hint: str | None = None) -> None:
    """Raise all mistakes as one RequestError, one `file:line: text` a line, in the order of the file, with a
    `hint` on what to do.
    """
    ordered = sorted(dict.fromkeys(mistakes), key=_file_order)
    if not ordered:
        return
    first, *others = ordered
    message = "\n".join([first.text, *(f"{mistake.source}: {mistake.text}" for mistake in others)])
    raise RequestError(message, hint=hint, source=first.source)


def _file_order(mistake: Mistake) -> tuple[str, int]:
    name, _, line = mistake.source.rpartition(":")
    return name, int(line)
