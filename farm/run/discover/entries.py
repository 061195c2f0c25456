"""Inventory entries of the devices that were found, as YAML that `farm` reads."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from farm.binaries.machines import machine_named
from farm.inventory.entry import NAME
from farm.model.device import Facts
from farm.run.discover.look import Found
from farm.visible import one_line

_LONGEST_NAME = 48
_LONGEST_COMMENT = 160


def entries_of(found: Sequence[Found], taken: Iterable[str]) -> dict[str, dict[str, Any]]:
    """What stands below `devices:`, for those with facts. Names are their host names, none of `taken`."""
    names = {name.casefold() for name in taken} | {"all", "local"}
    entries = {}
    for host in found:
        if host.facts is not None:
            name = _free(_name(host.facts.hostname, host.address.host), names)
            names.add(name.casefold())
            entries[name] = _entry(host, host.facts)
    return entries


def as_yaml(entries: dict[str, dict[str, Any]], found: Sequence[Found]) -> str:
    """An inventory file; above each device what it is."""
    devices = CommentedMap()
    hosts = [host for host in found if host.facts is not None]
    for (name, entry), host in zip(entries.items(), hosts, strict=True):
        devices[name] = _flowing(entry)
        devices.yaml_set_comment_before_after_key(name, before=_about(host), indent=2)
    yaml = YAML()
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump(CommentedMap({"devices": devices}), text)
    return text.getvalue()


def _entry(host: Found, facts: Facts) -> dict[str, Any]:
    address = host.address
    entry: dict[str, Any] = {"address": address.host}
    if address.port not in (None, 22):
        entry["port"] = address.port
    if address.user is not None:
        entry["user"] = address.user
    if address.identity:
        entry["identity"] = [str(path) for path in address.identity]
    machine = machine_named(facts.architecture) if facts.architecture else None
    if machine is not None:
        entry["arch"] = machine.name
    tags = [tag for tag in (_tag(machine.name) if machine else None, "cuda" if facts.gpus else None) if tag]
    if tags:
        entry["tags"] = tags
    if facts.soc and NAME.fullmatch(facts.soc):
        entry["soc"] = facts.soc
    return entry


def _tag(text: str) -> str | None:
    return text if NAME.fullmatch(text) else None


def _name(hostname: str | None, host: str) -> str:
    """Of the host name up to its first dot; of the address where it says nothing."""
    for text in ((hostname or "").partition(".")[0], f"host-{host}"):
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-_")[:_LONGEST_NAME]
        if NAME.fullmatch(name) and name.casefold() not in {"localhost", "host"}:
            return name
    return "device"


def _free(name: str, names: set[str]) -> str:
    if name.casefold() not in names:
        return name
    return next(f"{name}-{n}" for n in range(2, len(names) + 3) if f"{name}-{n}".casefold() not in names)


def _flowing(entry: dict[str, Any]) -> CommentedMap:
    """`{address: 10.0.0.5, tags: [arm64]}`: a line for each device."""
    flowing = CommentedMap()
    for key, value in entry.items():
        if isinstance(value, list):
            value = CommentedSeq(value)  # noqa: PLW2901
            value.fa.set_flow_style()
        flowing[key] = value
    flowing.fa.set_flow_style()
    return flowing


def _about(host: Found) -> str:
    """Text of a device becomes one line of plain characters: it stands in a file that is read again."""
    facts = host.facts or Facts()
    parts = [facts.os_name, facts.board or facts.soc]
    parts += [f"{len(facts.core_ids)}x {facts.cpu_model or '?'}" if facts.core_ids else None]
    parts += [gpu.name for gpu in facts.gpus]
    text = ", ".join(part for part in parts if part) or host.greeting
    return one_line(text, _LONGEST_COMMENT).encode("ascii", "replace").decode()
