"""Find a row of the catalogue by a name that the user typed."""

from __future__ import annotations

from farm.errors import RequestError
from farm.options.catalogue import CATALOGUE
from farm.options.row import Option
from farm.suggest import nearest_names


def normal(name: str) -> str:
    """A name without leading dashes, with dashes for underscores: `--enable_nchw44` -> `enable-nchw44`."""
    return name.lstrip("-").replace("_", "-")


_RIGHT_NAMES = [row.name for row in CATALOGUE]
_BY_SPELLING = {spelling: row for row in CATALOGUE for spelling in row.spellings}


def find(name: str) -> Option | None:
    """The option of a spelling, None for an unknown one."""
    return _BY_SPELLING.get(normal(name))


def option(name: str) -> Option:
    """The option of a spelling. Raises RequestError with the nearest names for an unknown one."""
    found = find(name)
    if found is None:
        raise RequestError(f"unknown option --{normal(name)}", hint=_hint(normal(name)))
    return found


def misspelling_note(name: str) -> str | None:
    """The note on a documented misspelling, None where the name is right."""
    row = find(name)
    if row is None or normal(name) not in row.misspellings:
        return None
    return f"--{normal(name)} is a misspelling in the documentation; the flag of load_and_run is --{row.name}"


def _hint(name: str) -> str:
    listed = " or ".join(f"--{near}" for near in nearest_names(name, _RIGHT_NAMES, 3))
    return f"did you mean {listed}?" if listed else "`farm options list` shows all options"


def search(text: str) -> tuple[Option, ...]:
    """Options whose name, group, help or traps hold all words of `text`, in catalogue order."""
    words = normal(text.strip()).casefold().split()
    return tuple(row for row in CATALOGUE if all(word in _haystack(row) for word in words))


def _haystack(row: Option) -> str:
    text = " ".join((*row.spellings, row.group, row.help, *row.traps, row.reads or "", row.writes or ""))
    return f"{text} {text.replace('-', ' ')}".casefold()
