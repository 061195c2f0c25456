"""`heat` of a lab file: the frequencies, governor and temperature of a simulated device."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from farm.files import is_tree_name
from farm.inventory.entry import Entry, Texts
from farm.inventory.values.cores import CoreIds
from farm.sim.properties import Cluster, Heat

MOST_CORES = 256

Celsius = Annotated[float, Field(ge=-50, le=200)]
Khz = Annotated[int, Field(ge=1_000, le=100_000_000)]

_WORD = re.compile(r"[A-Za-z0-9_-]{1,40}")


class ClusterEntry(Entry):
    """Cores of one kind."""

    cores: CoreIds = Field(description="their ids: 0-3")
    max_khz: Khz = Field(description="highest frequency")
    min_khz: Khz = Field(600_000, description="lowest frequency; 600000")
    capacity: int = Field(1024, ge=1, le=1024, description="the kernel's cpu_capacity; 1024: the fastest")

    @model_validator(mode="after")
    def _has_frequencies(self) -> ClusterEntry:
        if self.min_khz > self.max_khz:
            raise ValueError(f"min_khz {self.min_khz} is more than max_khz {self.max_khz}")
        return self


class HeatEntry(Entry):
    """How it becomes warm, and what it does about it; what is not said is as its kind has it."""

    idle_c: Celsius = Field(40.0, description="how cool it becomes")
    warming_c: float = Field(10.0, ge=0, le=10_000, description="by so much in a (simulated) second of work")
    cooling_c: float = Field(2.0, ge=0, le=10_000, description="by so much in a second of the clock")
    trip_c: Celsius = Field(70.0, description="above it the cores are slower")
    throttled: float = Field(0.5, gt=0, le=1, description="at so much of their frequency")
    zone: str = Field("soc-thermal", description="name of the sensor")
    clusters: tuple[ClusterEntry, ...] = Field((), max_length=8, description="kinds of cores")
    governor: str = Field("schedutil", description="the present one")
    governors: Texts = Field((), description="those that there are; powersave has the lowest frequency")
    files: dict[str, str] = Field(
        {}, description="further files, by path below /sys, or others in the place of those that there are"
    )

    @field_validator("zone", "governor")
    @classmethod
    def _is_a_word(cls, value: str) -> str:
        if not _WORD.fullmatch(value):
            raise ValueError(f'"{value}" is not a name')
        return value

    @field_validator("governors")
    @classmethod
    def _are_words(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(cls._is_a_word(value) for value in values)

    @field_validator("files")
    @classmethod
    def _are_below(cls, values: dict[str, str]) -> dict[str, str]:
        for name in values:
            if not is_tree_name(name):
                raise ValueError(f'"{name}" is not a path below /sys')
        return values

    @field_validator("clusters")
    @classmethod
    def _are_apart(cls, values: tuple[ClusterEntry, ...]) -> tuple[ClusterEntry, ...]:
        cores = [core for value in values for core in value.cores]
        if len(set(cores)) < len(cores):
            raise ValueError("a core is in two clusters")
        if not cores or max(cores) >= MOST_CORES:
            raise ValueError(f"cores are numbered from 0 to {MOST_CORES - 1}")
        return values


def heated(kind: Heat | None, entry: HeatEntry) -> Heat:
    """The heat of a kind with what the entry says. Raises ValueError for a governor that there is not."""
    said = entry.model_fields_set - {"clusters", "governors", "files"}
    heat = replace(kind or Heat(), **{name: getattr(entry, name) for name in said})
    if entry.clusters:
        heat = replace(heat, clusters=tuple(_clusters(entry.clusters)))
    if entry.governors:
        heat = replace(heat, governors=entry.governors)
    if entry.files:
        heat = replace(heat, files=tuple(entry.files.items()))
    if heat.governor not in heat.governors:
        raise ValueError(f"the governor {heat.governor} is not one of {', '.join(heat.governors)}")
    return heat


def _clusters(entries: Iterable[ClusterEntry]) -> Iterable[Cluster]:
    for one in entries:
        yield Cluster(one.cores, one.max_khz, one.min_khz, one.capacity)
