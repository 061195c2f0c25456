"""`relay:` of an inventory: another device that hands files on: they cross the line of a site once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from farm.inventory.entry import Entry
from farm.inventory.mistakes import Mistake
from farm.model.device import Device, Relay
from farm.suggest import nearest


class RelayForm(Entry):
    """How the relay logs in to the device: see docs/inventory.md."""

    device: str = Field(description="name of another device of the inventory; empty: none")
    identity: str | None = Field(
        None, description="private key file on the relay; default: as its own ~/.ssh has it"
    )
    host: str | None = Field(
        None, pattern=r"^[^\s@/,-][^\s@/,]*$", description="as the relay names it; default: as farm does"
    )
    port: int | None = Field(None, ge=1, le=65535)
    user: str | None = Field(None, pattern=r"^[^\s@:,-][^\s@:,]*$")


def _form(value: object) -> object:
    return {"device": value} if isinstance(value, str) else value


RelayEntry = Annotated[
    RelayForm,
    BeforeValidator(_form),
    WithJsonSchema({"anyOf": [{"type": "string"}, RelayForm.model_json_schema()]}),
]
"""A name alone, or a mapping."""


@dataclass(frozen=True)
class Named:
    """A device as its file describes it, whose relay is not looked up yet."""

    device: Device
    relay: RelayForm | None


def with_relays(named: Iterable[Named]) -> tuple[list[Device], list[Mistake]]:
    """The devices, each with its relay; and what is wrong with those."""
    every = list(named)
    known = {one.device.name: one for one in every}
    devices, mistakes = [], []
    for one in every:
        relay, why = _relay(one, known)
        if why:
            mistakes.append(Mistake(str(one.device.source), f"device {one.device.name}, relay: {why}"))
        devices.append(replace(one.device, relay=relay))
    return devices, mistakes


def _relay(one: Named, known: Mapping[str, Named]) -> tuple[Relay | None, str]:
    """A device is no relay of its own, also where its group or the defaults name it."""
    form = one.relay
    if form is None or form.device in ("", one.device.name) or one.device.is_local:
        return None, ""
    found = known.get(form.device)
    if found is None:
        return None, f'no device is named "{form.device}"{nearest(form.device, known)}'
    if found.device.is_local:
        return None, f"{form.device} is this machine, which has the files already"
    if found.relay is not None and found.relay.device not in ("", form.device):
        return None, f"{form.device} has a relay itself, {found.relay.device}: name that one, or give it none"
    how: dict[str, Any] = form.model_dump(exclude={"device"})
    return Relay(found.device, **how), ""
