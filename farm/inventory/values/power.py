"""`power:` of an inventory: commands on the controller that switch a device."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from farm.inventory.entry import Entry, Texts
from farm.inventory.yaml_source import Document
from farm.model.device import POWER_PLACES, Power
from farm.suggest import nearest

_PLACE = re.compile(r"\{([A-Za-z_]*)\}")
_FORM = "a command: a list of the program and its arguments, [pdu, '{name}', 'on']; no shell reads it"


class PowerEntry(Entry):
    """Commands that run on the controller, without a shell: see docs/inventory.md."""

    on: Texts = Field((), description=f"switches it on; {_FORM}")
    off: Texts = Field((), description="switches it off")
    cycle: Texts = Field((), description="switches it off and on again")
    status: Texts = Field((), description="prints whether it has power")

    @field_validator("on", "off", "cycle", "status")
    @classmethod
    def _is_a_command(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        if words and not words[0].strip():
            raise ValueError("begins with the name of a program")
        for place in (found[1] for word in words for found in _PLACE.finditer(word)):
            if place not in POWER_PLACES:
                known = ", ".join(f"{{{one}}}" for one in POWER_PLACES)
                raise ValueError(f"{{{place}}} is not one of {known}{nearest(place, POWER_PLACES)}")
        return words


def power_of(document: Document, entry: PowerEntry | None) -> Power | None:
    """None for an empty one, too: so a device has none although its group has. The path of a program is
    relative to the file; a name without a slash is looked for in PATH.
    """
    if entry is None:
        return None
    power = Power(
        on=_words(document, entry.on),
        off=_words(document, entry.off),
        cycle=_words(document, entry.cycle),
        status=_words(document, entry.status),
    )
    return power if power.actions else None


def _words(document: Document, words: tuple[str, ...]) -> tuple[str, ...]:
    if not words:
        return ()
    program, *arguments = map(str, words)
    return (str(document.beside(program)) if "/" in program else program, *arguments)
