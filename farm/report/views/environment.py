"""What is shown of devices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EnvironmentRow:
    """One fact of every device. `odd` marks the devices that differ from most; it is set only
    for facts that are worth comparing.
    """

    label: str
    texts: tuple[str, ...]
    odd: tuple[bool, ...]

    @property
    def differs(self) -> bool:
        return any(self.odd)


@dataclass(frozen=True)
class EnvironmentGroup:
    title: str
    rows: tuple[EnvironmentRow, ...]


@dataclass(frozen=True)
class EnvironmentValue:
    """A value of a fact, how many devices have it, the first of them, and how many more there are."""

    text: str
    devices: int
    named: str
    more: int


@dataclass(frozen=True)
class SharedFact:
    """A fact of many devices: its values, the most common first; `left_out` are values that are not shown."""

    label: str
    values: tuple[EnvironmentValue, ...]
    left_out: int


@dataclass(frozen=True)
class Environment:
    """The devices' facts side by side; of many devices `shared`, the values of each fact, instead."""

    devices: tuple[str, ...]
    groups: tuple[EnvironmentGroup, ...]
    shared: tuple[SharedFact, ...] = ()
