"""Door of `inventory/`: YAML files in, `farm.model.device.Inventory` out.

The keys are described in docs/inventory.md and, for editors, in docs/schema/inventory.schema.json.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator

from farm.binaries.machines import MACHINES, machine_named
from farm.errors import RequestError
from farm.files import is_file
from farm.inventory.entry import NAME, NAME_RULE, Entry, Text, Texts
from farm.inventory.files import is_hidden
from farm.inventory.mistakes import Mistake, refuse
from farm.inventory.runtime import RuntimeEntry, runtime_of
from farm.inventory.values.ceilings import CeilingsEntries, ceilings_of, check_ceilings
from farm.inventory.values.cores import CoreIds, PinEntry, check_pin, pin_of
from farm.inventory.values.power import PowerEntry, power_of
from farm.inventory.values.relay import Named, RelayEntry, with_relays
from farm.inventory.versions import upgrade
from farm.inventory.yaml_source import Document, read
from farm.model.device import DEFAULT_SITE, KNOWN_HOSTS, LOCAL, Address, Device, Inventory
from farm.model.limits.cooling import HOTTEST_C, Cooldown
from farm.model.limits.disk import Portion, StoreLimits, portion
from farm.suggest import nearest

SUITE_KEYS = frozenset({"models", "variants", "sweep"})
"""A file with one of these keys is a suite; its `devices` is a selector."""

RESERVED = frozenset({"all"})
"""Names with a special meaning in selectors."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[^\s@/,-][^\s@/,]{0,254}")
_HOST_AND_PORT = re.compile(r"[^:\s]+:\d+")
USER = re.compile(r"[^\s@:,-][^\s@:,]*")
_JUMP = re.compile(r"[^\s-]\S*")


# --------------------------------------------------------------------------- the shape of a file


def _of_disk(value: object) -> object:
    if value is None or isinstance(value, Portion):
        return value
    if not isinstance(value, str | int | float):
        raise ValueError("should be a part of the disk, as 25%, or a size, as 200 MB or 1 GiB")  # noqa: TRY004
    return portion(str(value))


OfDisk = Annotated[Portion | None, BeforeValidator(_of_disk), WithJsonSchema({"type": ["string", "integer"]})]


class StoreEntry(Entry):
    """How much of the device's disk farm may take: parts of the disk (25%) or sizes (200 MB, 1 GiB)."""

    share: OfDisk = Field(
        None, description="what is kept of earlier runs goes first above it; default 50%, at most 8 GiB"
    )
    reserve: OfDisk = Field(None, description="no push leaves less free; default 5%, at most 64 MiB")


class CooldownEntry(Entry):
    """How a device is let cool down before a timed round; at_most_s: 0 is off."""

    to_c: float | None = Field(
        None, ge=-50, le=HOTTEST_C, description="no sensor shows more; default: what they did, and 5 C more"
    )
    at_most_s: float | None = Field(None, ge=0, le=3600, description="it begins then in any case; default 30")


class Settings(Entry):
    """Settings of defaults, groups and devices."""

    user: str | None = Field(None, description="login name; default: as in ~/.ssh/config")
    port: int | None = Field(None, ge=1, le=65535)
    identity: Texts = Field((), description="private key files, relative to this file or to ~")
    proxy_jump: str | None = Field(None, description="jump hosts, as in ssh -J")
    workdir: str | None = Field(None, description="farm's folder on the device; default ~/.cache/farm")
    store: StoreEntry | None = Field(None, description="how much of the device's disk farm may take")
    cooldown: CooldownEntry | None = Field(None, description="how it is let cool down before a timed round")
    runtime: RuntimeEntry | None = Field(
        None, description="how models are run; replaces the runtime of groups and defaults as a whole"
    )
    tags: Texts = Field((), description="for selectors: tag:cuda")
    cores: dict[str, CoreIds] = Field({}, description="names for sets of cores, e.g. big: 4-7")
    attributes: dict[str, Text] = Field({}, description="for selectors: site=lab2")
    pin: PinEntry | None = Field(
        None,
        description="governor, frequency and turbo for the time of a run; replaces that of groups as a whole",
    )
    ceilings: CeilingsEntries = Field(
        (), description="what it can do at most; replaces that of groups as a whole; default: is measured"
    )
    power: PowerEntry | None = Field(
        None, description="commands that switch it on and off; replaces that of groups as a whole"
    )
    soc: Text | None = Field(None, description="the same as attributes.soc")
    arch: str | None = Field(
        None, description="the processor's architecture, as uname -m has it: builds are checked against it"
    )
    env: dict[str, Text] = Field({}, description="environment variables of every round")
    site: str | None = Field(
        None, description=f"where it is: the workers of that site measure it; default: {DEFAULT_SITE}"
    )
    relay: RelayEntry | None = Field(
        None, description="a device that hands files on to this one: they cross the line of its site once"
    )

    @property
    def all_attributes(self) -> dict[str, str]:
        own = {"soc": self.soc, "arch": self.arch}
        return self.attributes | {name: value for name, value in own.items() if value}

    @field_validator("user", "proxy_jump", "workdir")
    @classmethod
    def _is_usable(cls, value: str | None, info: ValidationInfo) -> str | None:
        rule, wanted = _RULES[str(info.field_name)]
        if value is not None and not rule.fullmatch(value):
            raise ValueError(f'"{value}" is not {wanted}')
        return value

    @field_validator("arch")
    @classmethod
    def _is_an_architecture(cls, value: str | None) -> str | None:
        if value is not None and machine_named(value) is None:
            known = [one.name for one in MACHINES]
            raise ValueError(
                f'"{value}" is no architecture{nearest(value, known)}; known: {", ".join(known)}'
            )
        return value

    @field_validator("site")
    @classmethod
    def _is_a_name(cls, value: str | None) -> str | None:
        if value is not None and not NAME.fullmatch(value):
            raise ValueError(f'"{value}" is not a name: {NAME_RULE}')
        return value

    @field_validator("tags")
    @classmethod
    def _are_names(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if not NAME.fullmatch(value):
                raise ValueError(f'"{value}" is not a name: {NAME_RULE}')
        return values

    @field_validator("cores", "attributes", "env")
    @classmethod
    def _have_names(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        rule, wanted = (
            (_VARIABLE, "the name of an environment variable")
            if info.field_name == "env"
            else (NAME, "a name")
        )
        for key in values:
            if not rule.fullmatch(key):
                raise ValueError(f'"{key}" is not {wanted}')
        return values


_RULES = {
    "user": (USER, "a login name"),
    "proxy_jump": (_JUMP, "a jump host such as gw.lab or me@gw.lab:22"),
    "workdir": (re.compile(r"(/|~/)[^\n]*"), "an absolute path or one that starts with ~/"),
}


class GroupEntry(Settings):
    """What the devices of a group have in common."""


class DeviceEntry(Settings):
    """One device."""

    address: str | None = Field(
        None, description=f"host, alias of ~/.ssh/config, or {LOCAL}; default: the name"
    )
    group: Texts = Field((), description="the device's groups; later ones take precedence")
    groups: Texts = Field((), description="the same as group")

    @field_validator("address")
    @classmethod
    def _is_a_host(cls, value: str | None) -> str | None:
        if value is None or (_HOST.fullmatch(value) and not _HOST_AND_PORT.fullmatch(value)):
            return value
        if "@" in value:
            raise ValueError(f'"{value}": put the login name into user')
        if _HOST_AND_PORT.fullmatch(value):
            raise ValueError(f'"{value}": put the port number into port')
        raise ValueError(f'"{value}" is not a host')


class InventoryFile(Entry):
    """An inventory of devices to benchmark on."""

    version: Literal[1] = Field(1, description="of the form of this file")
    defaults: Settings | None = Field(None, description="for all devices of this file")
    groups: dict[str, GroupEntry | None] = Field({}, description="settings that devices share, by name")
    devices: dict[str, DeviceEntry | None] = Field(description="by name, in the order of the results")


def schema() -> dict[str, Any]:
    """JSON Schema of an inventory file, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "farm inventory",
        **InventoryFile.model_json_schema(),
    }


# --------------------------------------------------------------------------- loading


def load(path: Path) -> Inventory:
    """The inventory in a file, or in all inventory files of a folder.

    Raises RequestError with file and line, for all mistakes of a file (or folder) at once.
    """
    documents = _documents(path)
    devices, unknown = with_relays(device for document in documents for device in _devices(document))
    mistakes = [mistake for document in documents for mistake in document.mistakes]
    refuse([*(mistakes or unknown), *_same_names(devices)])
    folder = path if path.is_dir() else path.parent
    return Inventory(tuple(devices), path, folder / KNOWN_HOSTS)


def _documents(path: Path) -> list[Document]:
    if not path.is_dir():
        document = upgrade(read(path))
        if SUITE_KEYS & document.data.keys():
            raise RequestError("this is a suite, not an inventory", source=str(path), hint=f"--suite {path}")
        return [document]
    try:
        files = sorted(file for file in path.iterdir() if _is_inventory(file))
    except OSError as error:
        reason = error.strerror or str(error)
        raise RequestError(f"cannot read the folder: {reason}", source=str(path)) from error
    documents = [read(file) for file in files]
    found = [each for each in documents if "devices" in each.data and not SUITE_KEYS & each.data.keys()]
    if not found:
        raise RequestError(
            "no inventory found: no YAML file in this folder has the key devices",
            source=str(path),
            hint="docs/inventory.md",
        )
    return [upgrade(document) for document in found]


def _devices(document: Document) -> list[Named]:
    """The devices of one file. Mistakes are added to `document`; devices with mistakes are left out."""
    data = document.data
    for key in data.keys() - InventoryFile.model_fields.keys():
        document.report((key,), f"unknown key{nearest(key, InventoryFile.model_fields)}")
    defaults = document.check(Settings, ("defaults",), data.get("defaults"))
    groups = {
        name: document.check(GroupEntry, ("groups", name), entry)
        for name, entry in _named(document, "groups").items()
    }
    if not data.get("devices"):
        document.report(("devices",), "is empty: define at least one device")
    devices = []
    for name, raw in _named(document, "devices").items():
        _check_groups(document, name, raw, groups)
        entry = document.check(DeviceEntry, ("devices", name), raw)
        if entry is None:
            continue
        members = tuple(dict.fromkeys((*entry.group, *entry.groups)))
        layers = [layer for layer in (defaults, *(groups.get(member) for member in members), entry) if layer]
        relay = next((layer.relay for layer in reversed(layers) if layer.relay), None)
        devices.append(Named(_device(document, name, entry, members, layers), relay))
    return devices


def _named(document: Document, key: str) -> dict[str, Any]:
    """The entries under a top-level key, without those with an invalid name."""
    kept = {name: entry for name, entry in document.mapping(key).items() if document.check_name((key, name))}
    for name in kept.keys() & RESERVED:
        document.report((key, name), f"the name {name} is reserved for selectors")
    return kept


def _check_groups(document: Document, name: str, raw: object, groups: Iterable[str]) -> None:
    """Report unknown groups; from the raw entry, so that other mistakes do not hide them."""
    known = set(groups)
    for key in ("group", "groups"):
        value = raw.get(key) if isinstance(raw, dict) else None
        for member in value if isinstance(value, list) else [value]:
            if isinstance(member, str) and member not in known:
                document.report(("devices", name, key), f'unknown group "{member}"{nearest(member, known)}')


def _device(
    document: Document, name: str, entry: DeviceEntry, groups: tuple[str, ...], layers: list[Settings]
) -> Device:
    """`layers` in rising order of precedence: defaults, groups, device."""

    def last(key: str) -> Any:
        return next((value for layer in reversed(layers) if (value := getattr(layer, key))), None)

    def union(key: str) -> tuple[tuple[str, Any], ...]:
        return tuple({name: value for layer in layers for name, value in getattr(layer, key).items()}.items())

    address = Address(
        host=entry.address or name,
        port=last("port"),
        user=last("user"),
        identity=tuple(document.beside(path) for path in last("identity") or ()),
        proxy_jump=last("proxy_jump"),
    )
    device = Device(
        name=name,
        address=address,
        runtime=runtime_of(document, last("runtime")),
        tags=tuple(dict.fromkeys(tag for layer in layers for tag in layer.tags)),
        groups=groups,
        cores=union("cores"),
        attributes=union("all_attributes"),
        environment=union("env"),
        store=_store([layer.store for layer in layers if layer.store]),
        pin=pin_of(last("pin")),
        ceilings=ceilings_of(last("ceilings")),
        power=power_of(document, last("power")),
        cooldown=_cooldown([layer.cooldown for layer in layers if layer.cooldown]),
        site=last("site") or DEFAULT_SITE,
        source=document.source(("devices", name)),
    )
    check_pin(document, device)
    check_ceilings(document, device)
    workdir = last("workdir")
    return replace(device, workdir=workdir) if workdir else device


def _store(layers: list[StoreEntry]) -> StoreLimits:
    given = {name: value for layer in layers for name, value in layer if value is not None}
    return replace(StoreLimits(), **given)


def _cooldown(layers: list[CooldownEntry]) -> Cooldown:
    given = {name: value for layer in layers for name, value in layer if value is not None}
    return replace(Cooldown(), **given)


def _is_inventory(file: Path) -> bool:
    return file.suffix in {".yaml", ".yml"} and not is_hidden(file) and is_file(file)


def _same_names(devices: Iterable[Device]) -> list[Mistake]:
    """Device names become folder names, also on case-insensitive file systems."""
    mistakes, first = [], dict[str, Device]()
    for device in devices:
        twin = first.setdefault(device.name.casefold(), device)
        if twin is device:
            continue
        word = "defined" if twin.name == device.name else f"defined as {twin.name} (case is ignored)"
        text = f"device {device.name}: already {word} in {twin.source}"
        mistakes.append(Mistake(str(device.source), text))
    return mistakes
