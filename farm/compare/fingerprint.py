"""What a cell's number belongs to, and in what the two sides of a comparison differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from farm.model.build import INVENTORY_BUILD
from farm.model.comparison import Change
from farm.model.device import Facts, RuntimeKind
from farm.model.run import CellResult, DeviceRecord, ModelRecord, Results
from farm.visible import one_line

LONGEST_VALUE = 80


@dataclass(frozen=True)
class Side:
    """A cell of a run, with the records of its device and its model where the run has them."""

    results: Results
    cell: CellResult

    @cached_property
    def device(self) -> DeviceRecord:
        found = (one for one in self.results.devices if one.name == self.cell.device)
        return next(found, DeviceRecord(self.cell.device, "", RuntimeKind.NATIVE))

    @cached_property
    def facts(self) -> Facts:
        return self.device.facts or Facts()

    @property
    def is_own_runtime(self) -> bool:
        """Whether the cell was run with what its device's record tells of: the inventory's runtime."""
        return self.cell.build == INVENTORY_BUILD.name

    @property
    def runtime_digest(self) -> str | None:
        """Runs of former versions have it for the device only."""
        return self.cell.runtime_digest or (self.device.runtime_digest if self.is_own_runtime else None)

    @property
    def engine(self) -> str | None:
        """As the log says it."""
        told = next((one.engine for one in self.cell.rounds if one.engine), None)
        return told or (self.device.engine if self.is_own_runtime else None)

    @cached_property
    def model(self) -> ModelRecord | None:
        return next((one for one in self.results.models if one.name == self.cell.model), None)

    @property
    def input(self) -> str | None:
        return (self.model.input or "none given") if self.model else None


Reader: TypeAlias = Callable[[Side], str | None]


@dataclass(frozen=True)
class Trait:
    """One fact. `part_of` is the declared change that it may differ with; `is_harmless`: a difference is
    told, and the comparison holds all the same. `unless`: a better fact, and where both sides have that, this
    one does not count.
    """

    label: str
    read: Reader
    part_of: Change | None = None
    is_harmless: bool = False
    unless: str | None = None


TRAITS = (
    Trait("model", lambda s: (s.cell.model_sha256 or (s.model.sha256 if s.model else ""))[:12], Change.MODEL),
    Trait("input's data", lambda s: (s.cell.input_sha256 or "")[:12], Change.MODEL),
    Trait("input", lambda s: s.input, Change.MODEL, unless="input's data"),
    Trait("options", lambda s: _options(s.cell), Change.VARIANT),
    Trait("files of options", lambda s: (s.cell.options_sha256 or "")[:12], Change.VARIANT),
    Trait("runtime", lambda s: str(s.device.runtime) if s.is_own_runtime else None, Change.BUILD),
    Trait("runtime's files", lambda s: (s.runtime_digest or "")[:12], Change.BUILD),
    Trait("engine", lambda s: s.engine, Change.BUILD),
    Trait("architecture", lambda s: s.facts.architecture),
    Trait("CPU", lambda s: s.facts.cpu_model),
    Trait("cores", lambda s: _list(sorted(s.facts.core_ids))),
    Trait("cores of the control group", lambda s: _list(s.facts.cpuset)),
    Trait("CPU limit", lambda s: _number(s.facts.cpu_limit_cores)),
    Trait("highest frequency", lambda s: _by_core(s.facts.max_frequency_khz)),
    Trait("frequency limit", lambda s: _by_core(s.facts.frequency_limits_khz)),
    Trait("frequency driver", lambda s: s.facts.frequency_driver),
    Trait("governor", lambda s: _by_core(s.facts.governors)),
    Trait("turbo", lambda s: _on(s.facts.turbo)),
    Trait("SMT", lambda s: _on(s.facts.smt)),
    Trait("virtual machine", lambda s: s.facts.virtual),
    Trait("power", lambda s: _power(s.facts)),
    Trait("kernel", lambda s: s.facts.kernel),
    Trait("C library", lambda s: s.facts.libc),
    Trait("GPU", lambda s: ", ".join(gpu.name for gpu in s.facts.gpus)),
    Trait("GPU driver", lambda s: _each(gpu.driver for gpu in s.facts.gpus)),
    Trait("GPU power limit, W", lambda s: _each(gpu.power_limit_w for gpu in s.facts.gpus)),
    # These differ from night to night, or have no part in a model's time.
    Trait("CPU features", lambda s: _features(s.facts), is_harmless=True),
    Trait("system", lambda s: s.facts.os_name, is_harmless=True),
    Trait("clock source", lambda s: s.facts.clock_source, is_harmless=True),
    Trait("memory", lambda s: _gigabytes(s.facts.memory_bytes), is_harmless=True),
    Trait("address", lambda s: s.device.address, is_harmless=True),
    Trait("farm", lambda s: s.results.farm_version, is_harmless=True),
)


@dataclass(frozen=True)
class Differences:
    """What differs beyond the declared change: `blocking` makes a comparison invalid, `harmless` does not."""

    blocking: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        return self.blocking + self.harmless


Fingerprint: TypeAlias = Mapping[str, str]
"""What a number belongs to: value by label. What is not known is left out."""


def fingerprint(side: Side) -> Fingerprint:
    return {trait.label: value for trait in TRAITS if (value := trait.read(side))}


def differences(baseline: Fingerprint, candidate: Fingerprint, change: Change) -> Differences:
    """In words, `kernel: 6.1.43 and 6.1.75`. What one side does not know is no difference."""
    blocking: list[str] = []
    harmless: list[str] = []
    for trait in _unequal(baseline, candidate):
        if trait.part_of is None or trait.part_of is not change:
            texts = (one_line(side[trait.label], LONGEST_VALUE) for side in (baseline, candidate))
            (harmless if trait.is_harmless else blocking).append(f"{trait.label}: {' and '.join(texts)}")
    return Differences(tuple(blocking), tuple(harmless))


def changes(baseline: Fingerprint, candidate: Fingerprint) -> frozenset[Change]:
    """What really changed of that which a comparison can be about."""
    return frozenset(trait.part_of for trait in _unequal(baseline, candidate) if trait.part_of)


def _unequal(baseline: Fingerprint, candidate: Fingerprint) -> Iterator[Trait]:
    common = baseline.keys() & candidate.keys()
    return (
        one
        for one in TRAITS
        if one.label in common and one.unless not in common and baseline[one.label] != candidate[one.label]
    )


def _options(cell: CellResult) -> str:
    shown = (f"--{name}={value}" for name, value in sorted(cell.options.items()))
    return " ".join(shown) or "the program's defaults"


def _list(values: Iterable[object]) -> str:
    return ",".join(map(str, values))


def _each(values: Iterable[object | None]) -> str:
    """Of each GPU; nothing where it is known of none."""
    known = list(values)
    return ", ".join("unknown" if one is None else str(one) for one in known) if any(known) else ""


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _on(value: bool | None) -> str | None:
    return None if value is None else "on" if value else "off"


def _power(facts: Facts) -> str | None:
    if not facts.power_supplies:
        return None
    drained = any(one.kind == "Battery" and one.status == "Discharging" for one in facts.power_supplies)
    return "battery" if drained else "mains"


def _by_core(pairs: Sequence[tuple[int, object]]) -> str:
    """One value where all cores agree, else each core with its own."""
    values = {str(value) for _, value in pairs}
    if len(values) == 1:
        return values.pop()
    return ", ".join(f"{core}: {value}" for core, value in sorted(pairs, key=lambda pair: pair[0]))


def _features(facts: Facts) -> str:
    return " ".join(sorted(facts.cpu_features))


def _gigabytes(size_bytes: int | None) -> str | None:
    return None if size_bytes is None else f"{size_bytes / 2**30:.1f} GiB"
