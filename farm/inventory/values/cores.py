"""Cores and settings of cores in an inventory: `cores:` and `pin:`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator

from farm.cores import AUTOMATIC, given_core_ids
from farm.inventory.entry import Entry, Text
from farm.inventory.yaml_source import Document
from farm.model.device import Device, Extreme, How, Pin
from farm.suggest import nearest

CoreIds = Annotated[
    tuple[int, ...],
    BeforeValidator(given_core_ids),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": ["string", "integer"]},
                {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1},
            ]
        }
    ),
]


class PinEntry(Entry):
    """Settings of the device that a run may change and restores: see docs/inventory.md."""

    governor: str | None = Field(
        None, description="of the frequency, as scaling_governor has it: performance"
    )
    frequency_khz: Annotated[int, Field(ge=1_000, le=100_000_000)] | Extreme | None = Field(
        None, description="the one frequency from then on; min or max: the device's own"
    )
    turbo: bool | None = Field(None, description="whether the processor may go above its nominal frequency")
    cores: Text | None = Field(None, description="a name of cores, or ids as 4-7; default: all")
    how: How = Field("direct", description="direct: the user may write the files; sudo: by `sudo -n tee`")

    @field_validator("governor")
    @classmethod
    def _is_a_governor(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[A-Za-z0-9_]{1,40}", value):
            raise ValueError(f'"{value}" is not the name of a governor')
        return value


def pin_of(entry: PinEntry | None) -> Pin | None:
    """None for an empty one, too: so a device has none although its group has."""
    if entry is None or {entry.governor, entry.frequency_khz, entry.turbo} == {None}:
        return None
    return Pin(entry.governor, entry.frequency_khz, entry.turbo, entry.cores, entry.how)


def check_pin(document: Document, device: Device) -> None:
    """Report cores of a pin that are none."""
    named = device.pin.cores if device.pin else None
    if named is None or named in dict(device.cores) or named in AUTOMATIC:
        return
    try:
        given_core_ids(named)
    except ValueError as error:
        known = (*dict(device.cores), *AUTOMATIC)
        document.report(("devices", device.name, "pin"), f"cores: {error}{nearest(named, known)}")
