"""Door of labs: a YAML file in, the properties of its devices out, mistakes with their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm.inventory.devices import RESERVED
from farm.inventory.mistakes import refuse
from farm.inventory.versions import upgrade
from farm.inventory.yaml_source import Document, Place, read
from farm.sim.lab.assemble import properties_of
from farm.sim.lab.entries import MOST_DEVICES, Behaviour, DeviceEntry, LabFile
from farm.sim.properties import Properties
from farm.suggest import nearest

DEVICES, DEFAULTS = "devices", "defaults"
HINT = "farm sim list shows kinds, faults and oddities; docs/how-to/sim.md has all keys"


@dataclass(frozen=True)
class Simulated:
    """One device of a lab: what it is like, and by which words of the file."""

    properties: Properties
    like: str | None
    oddities: tuple[str, ...]
    faults: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Lab:
    """Devices by name, in the order of the file."""

    path: Path
    devices: Mapping[str, Simulated]


def schema() -> dict[str, Any]:
    """JSON Schema of a lab file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "farm lab",
        **LabFile.model_json_schema(),
    }


def load(path: Path) -> Lab:
    """The lab of a file. Raises RequestError with file and line, for all mistakes at once."""
    document = upgrade(read(path))
    data = document.data
    for key in data.keys() - LabFile.model_fields.keys():
        document.report((key,), f"unknown key{nearest(key, LabFile.model_fields)}")
    defaults = data.get(DEFAULTS)
    if document.check(Behaviour, (DEFAULTS,), defaults) is None or defaults is None:
        defaults = {}
    if not data.get(DEVICES):
        document.report((DEVICES,), "is empty: define at least one device")
    devices: dict[str, Simulated] = {}
    for name, raw in document.mapping(DEVICES).items():
        place: Place = (DEVICES, name)
        if document.check_name(place):
            for one, simulated in _devices(document, name, raw, defaults):
                _add(document, devices, one, simulated, place)
    if len(devices) > MOST_DEVICES:
        document.report((DEVICES,), f"{len(devices)} devices are more than {MOST_DEVICES}")
    refuse(document.mistakes, HINT)
    return Lab(path, devices)


def _add(
    document: Document, devices: dict[str, Simulated], name: str, simulated: Simulated, place: Place
) -> None:
    """With a name that an inventory can have, and no other device of this one has."""
    twin = next((other for other in devices if other.casefold() == name.casefold()), None)
    if name in RESERVED:
        document.report(place, f"the name {name} is reserved for selectors")
    elif twin is not None:
        document.report(place, f"{name} is a device already, in {devices[twin].source}")
    else:
        devices[name] = simulated


def _devices(
    document: Document, name: str, raw: Mapping[str, Any] | None, defaults: Mapping[str, Any]
) -> Iterator[tuple[str, Simulated]]:
    """One, or as many as `count` says. Mistakes are added to the document; then there are none."""
    place: Place = (DEVICES, name)
    own = document.check(DeviceEntry, place, raw)
    if own is None:
        return
    both = {**defaults, **(raw or {})}
    merged = DeviceEntry.model_validate(both)  # each was valid alone
    inventory = _plain(both.get("inventory") or {})
    is_numbered = "count" in own.model_fields_set
    numbered = [f"{name}-{number}" for number in range(1, own.count + 1)]
    for number, one in enumerate(numbered if is_numbered else [name]):
        entry = merged if "seed" not in merged.model_fields_set else _seeded(merged, number)
        try:
            properties = properties_of(one, entry, inventory)
        except ValueError as error:
            document.report(place, str(error))
            return
        faults = tuple(fault.fault for fault in merged.faults)
        yield one, Simulated(properties, merged.like, merged.oddity, faults, document.source(place))


def _seeded(entry: DeviceEntry, number: int) -> DeviceEntry:
    """Devices of a count have noise of their own."""
    return entry.model_copy(update={"seed": entry.seed + number})


def _plain(value: Any) -> Any:
    """Texts as they were typed: an inventory reads numbers and words from them."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return None if value is None else str(value)
