"""The shapes of a lab file. Its keys are described in docs/how-to/sim.md."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from farm.files import is_tree_name
from farm.inventory.devices import Settings
from farm.inventory.entry import NAME, Entry, listed
from farm.options import CATALOGUE
from farm.sim.lab.faults import FAULTS
from farm.sim.lab.heat_entry import HeatEntry
from farm.sim.lab.kinds import KINDS
from farm.sim.oddities import ODDITIES
from farm.sim.properties import Ending
from farm.suggest import nearest

MOST_DEVICES = 256
LONGEST_MS = 3_600_000.0
MOST_VALUES = 1 << 20
MOST_BYTES = 10 << 30
LONGEST_HOME = 100
OWN_FILES = frozenset(
    {"login", "id_client", "id_client.pub", "host_key", "host_key.pub", "authorized_keys"}
    | {"sshd_config", "sshd.log", "load_and_run"}
)
"""What else is in the folder of a device."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FLAGS = {option.name for option in CATALOGUE if option.flag} | {o.flag for o in CATALOGUE if o.flag}

OF_THE_LAB = frozenset({"user", "port", "identity", "proxy_jump", "workdir", "runtime"})
"""Keys of an inventory that a lab decides itself."""


def _one_of(what: str, known: Collection[str], where: str) -> Any:
    """A text that is one of these; else an error with the nearest, and the command that shows them."""

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f'unknown {what} "{value}"{nearest(value, known)}; see {where}')
        return value

    return AfterValidator(check)


KindName = Annotated[
    str, _one_of("kind", KINDS, "farm sim list"), WithJsonSchema({"type": "string", "enum": [*KINDS]})
]
FaultName = Annotated[
    str, _one_of("fault", FAULTS, "farm sim list"), WithJsonSchema({"type": "string", "enum": [*FAULTS]})
]


def _schema(one: dict[str, Any]) -> WithJsonSchema:
    """Of one text or a list of them."""
    return WithJsonSchema({"anyOf": [one, {"type": "array", "items": one}]})


Options = Annotated[
    tuple[Annotated[str, _one_of("option", _FLAGS, "farm options list")], ...],
    BeforeValidator(listed),
    _schema({"type": "string"}),
]
Oddities = Annotated[
    tuple[Annotated[str, _one_of("oddity", ODDITIES, "farm sim list")], ...],
    BeforeValidator(listed),
    _schema({"type": "string", "enum": [*ODDITIES]}),
]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Ms = Annotated[float, Field(ge=0, le=LONGEST_MS)]
Positive = Annotated[float, Field(gt=0, le=1e6)]


class FaultEntry(Entry):
    """Something that goes wrong on the device, and when."""

    fault: FaultName = Field(description="its name: farm sim list")
    run: int | None = Field(
        None, ge=0, le=1_000_000, description="in which run of the program, from 1; 0: in each; default 1"
    )
    iteration: int | None = Field(
        None, ge=0, le=1_000_000, description="after so many timed iterations of that run; default 1"
    )
    lasts_s: float | None = Field(
        None, ge=0, le=3600, description="how long it lasts; default: see the fault"
    )
    times: int | None = Field(None, ge=1, le=1000, description="how many connections are reset")

    @model_validator(mode="after")
    def _takes_what_is_said(self) -> FaultEntry:
        takes = FAULTS[self.fault].takes
        for name in sorted(self.model_fields_set - {"fault", *takes}):
            raise ValueError(f"{self.fault} has no {name}; it takes {', '.join(takes)}")
        if self.fault == "restarted" and self.lasts_s == 0:
            raise ValueError("restarted comes back after lasts_s, which is more than 0; see power-cut")
        return self


def _named_alone(value: object) -> object:
    """`connection-cut` in the place of `{fault: connection-cut}`."""
    return {"fault": value} if isinstance(value, str) else value


def _alone(value: object) -> object:
    """One fault in the place of a list."""
    return value if isinstance(value, list) else [] if value is None else [value]


Fault = Annotated[FaultEntry, BeforeValidator(_named_alone)]
Faults = Annotated[
    tuple[Fault, ...],
    BeforeValidator(_alone),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"anyOf": [{"enum": list(FAULTS)}, FaultEntry.model_json_schema()]},
        }
    ),
]


class TensorEntry(Entry):
    """An output of the model."""

    values: tuple[Finite, ...] = Field((0.0,), min_length=1, description="repeated as often as needed")
    shape: tuple[Annotated[int, Field(ge=1, le=MOST_VALUES)], ...] = Field((1,), max_length=7)
    name: str = "out"
    variable: int = Field(81, ge=0, le=1 << 30, description="its id in the graph")

    @model_validator(mode="after")
    def _is_small(self) -> TensorEntry:
        count = 1
        for length in self.shape:
            count *= length
        if count > MOST_VALUES:
            raise ValueError(f"{count} values are more than {MOST_VALUES}")
        return self


class WrittenEntry(Entry):
    """A file that a run leaves beside what options ask for."""

    name: str = Field(description="relative to the folder of the run")
    size_bytes: int = Field(1, ge=0, le=MOST_BYTES)
    count: int = Field(1, ge=1, le=100_000, description="more than one are numbered")

    @field_validator("name")
    @classmethod
    def _stays_below(cls, value: str) -> str:
        if not is_tree_name(value):
            raise ValueError(f'"{value}" is not the name of a file below the folder of a run')
        return value


class InventoryEntry(Settings):
    """What the inventory says of the device, but for how it is reached."""

    @model_validator(mode="after")
    def _leaves_the_lab_to_us(self) -> InventoryEntry:
        for name in sorted(OF_THE_LAB & self.model_fields_set):
            raise ValueError(f"{name} is decided by the lab")
        return self


class Behaviour(Entry):
    """What devices are like: in `defaults` of all, below a name of one."""

    like: KindName | None = Field(None, description="a kind of devices: farm sim list")
    oddity: Oddities = Field((), description="how it is odd, a name or a list of them: farm sim list")
    faults: Faults = Field((), description="what goes wrong, and when")

    latency_ms: Positive = Field(2.0, description="of an iteration; 2")
    noise: float = Field(0.02, ge=0, le=2, description="standard deviation of the logarithm of times; 0.02")
    seed: int = Field(0, ge=0, le=1 << 31, description="of the noise; default: made of the device's name")
    factors: dict[str, Positive] = Field(
        {}, description="how much longer with an option or model: {enable-nchw44: 0.8, resnet18: 3}"
    )
    load_ms: Ms = Field(1.0, description="of the model; 1")
    first_ms: Ms = Field(5.0, description="of the first inference; 5")
    pace: float = Field(0.0, ge=0, le=100, description="how much of these times really passes; 1: all; 0")
    outputs: tuple[TensorEntry, ...] = Field((), max_length=64, description="what the models compute")
    shifts: dict[str, Finite] = Field(
        {}, description="added to all outputs with an option or model: wrong outputs"
    )
    drift: Finite = Field(0.0, description="the same, times the number of the inference in its process")
    ending: Ending = Field(
        Ending.NORMAL, description="how the program ends; cut: before its summary; hang: never"
    )
    lacks: Options = Field((), description="options of load_and_run that this build has not")
    forgets: Options = Field((), description="options whose files are not written")
    writes: tuple[WrittenEntry, ...] = Field((), description="further files that each run leaves")
    says: str = Field("", description="printed on stderr by each run")
    log_bytes: int = Field(0, ge=0, le=1 << 30, description="so many bytes of log that mean nothing")

    shell: str = Field("sh", description="the login shell: sh, bash, csh, tcsh, ...")
    rc: str = Field("", description="the rc file of the login shell")
    forced_command: str | None = Field(None, description="is run in the place of each command (POSIX sh)")
    environment: dict[str, str] = Field({}, description="of all logins")
    neighbours: bool = Field(False, description="whether other processes of this machine are seen")

    home: str = Field("home", description="name of the home folder")
    tools: dict[str, str] = Field(
        {}, description="POSIX sh in the place of programs that the agent uses; REAL is the real one"
    )
    fork_s: float = Field(0.0, ge=0, le=60, description="how long each tool of the agent takes to start")
    heat: Annotated[
        HeatEntry | None, BeforeValidator(lambda value: None if str(value) == "false" else value)
    ] = Field(
        None,
        description="frequencies, governor and temperature of its own; false: this machine's",
        json_schema_extra=lambda schema: schema["anyOf"].append({"const": False}),  # type: ignore[union-attr]
    )
    inventory: InventoryEntry | None = Field(
        None, description="further keys of its entry in the inventory: tags, attributes, cores, soc, ..."
    )

    @field_validator("environment")
    @classmethod
    def _are_variables(cls, values: dict[str, str]) -> dict[str, str]:
        for name in values:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f'"{name}" is not the name of an environment variable')
        return values

    @field_validator("tools")
    @classmethod
    def _are_programs(cls, values: dict[str, str]) -> dict[str, str]:
        for name in values:
            if not NAME.fullmatch(name):
                raise ValueError(f'"{name}" is not the name of a program')
        return values

    @field_validator("home")
    @classmethod
    def _is_one_folder(cls, value: str) -> str:
        if (
            "/" in value
            or value in {"", ".", ".."}
            or value in OWN_FILES
            or len(value.encode()) > LONGEST_HOME
        ):
            raise ValueError(f'"{value}" cannot be the name of the home folder')
        return value


class DeviceEntry(Behaviour):
    """One device, or `count` of them."""

    count: int = Field(1, ge=1, le=MOST_DEVICES, description="so many, numbered: NAME-1, NAME-2, ...")


class LabFile(Entry):
    """A lab of simulated devices: farm sim up, farm sim run."""

    version: Literal[1] = Field(1, description="of the form of this file")
    defaults: Behaviour | None = Field(None, description="for all devices of this file")
    devices: dict[str, DeviceEntry | None] = Field(description="by name, in the order of the inventory")
