"""Devices as the inventory describes them, and the facts that the probe reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, TypeAlias

from farm.model.limits.ceilings import GivenCeilings
from farm.model.limits.cooling import Cooldown
from farm.model.limits.disk import StoreLimits

LOCAL = "local"
"""Name and address of the embedded device: this machine, through an in-process SSH server."""


KNOWN_HOSTS = "known_hosts"
"""The file of pinned host keys, beside the inventory."""


ALL_DEVICES = "*"
"""The selector where none is given."""


DEFAULT_SITE = "default"
"""Where a device is whose inventory does not say it."""


class RuntimeKind(StrEnum):
    """What executes a model: see DESIGN, section 1."""

    NATIVE = "native"
    WHEEL = "wheel"


@dataclass(frozen=True)
class Runtime:
    """How a device runs models.

    native: `program` is a local path that is pushed with `libraries` (local paths, globs expanded),
    or, with `on_device`, a path (or a name in PATH) that is already there.
    wheel: MegEngine's shared libraries of `version`, driven by agents/wheel/load_and_run.py under the
    device's `python` (None: the first python3 of CPython >= 3.6 that the probe finds).
    Both: `overlay` are (name in the runtime's folder, local path) of files that are laid over what is there;
    `preload` are local paths of libraries that are loaded before all others (LD_PRELOAD).
    """

    kind: RuntimeKind
    program: str | None = None
    libraries: tuple[str, ...] = ()
    on_device: bool = False
    version: str = "1.13.0"
    python: str | None = None
    overlay: tuple[tuple[str, str], ...] = ()
    preload: tuple[str, ...] = ()


@dataclass(frozen=True)
class Address:
    """How to reach a device. `host` may be an alias of ~/.ssh/config; None: as that file has it."""

    host: str
    port: int | None = None
    user: str | None = None
    identity: tuple[Path, ...] = ()
    proxy_jump: str | None = None


How: TypeAlias = Literal["direct", "sudo"]
"""With which rights settings are written: the user's, or `sudo -n tee` without a password."""


class Extreme(StrEnum):
    """What a core's clock does at the least and at the most."""

    MIN = "min"
    MAX = "max"


@dataclass(frozen=True)
class Pin:
    """What is set before the first round and restored after the last one; None: as it is.

    `frequency_khz` is both the lowest and the highest frequency from then on. `cores` are those that governor
    and frequency are set of: a core label or ids as `4-7`; None: all.
    """

    governor: str | None = None
    frequency_khz: int | Extreme | None = None
    turbo: bool | None = None
    cores: str | None = None
    how: How = "direct"


POWER_PLACES = ("name", "address")
"""What is replaced in a command of power: `{name}` of the device, its `{address}` without port and user."""


class PowerAction(StrEnum):
    """What can be asked of a device's power."""

    ON = "on"
    OFF = "off"
    CYCLE = "cycle"
    STATUS = "status"


@dataclass(frozen=True)
class Power:
    """Commands that run on the controller, one for each action: a program and its arguments, read by no
    shell; empty: there is none.
    """

    on: tuple[str, ...] = ()
    off: tuple[str, ...] = ()
    cycle: tuple[str, ...] = ()
    status: tuple[str, ...] = ()

    @property
    def commands(self) -> Mapping[PowerAction, tuple[str, ...]]:
        """Those that there are, by action."""
        every = {
            PowerAction.ON: self.on,
            PowerAction.OFF: self.off,
            PowerAction.CYCLE: self.cycle,
            PowerAction.STATUS: self.status,
        }
        return {action: words for action, words in every.items() if words}

    @property
    def actions(self) -> tuple[PowerAction, ...]:
        """Those that there is a command for."""
        return tuple(self.commands)

    def command(self, action: PowerAction, name: str, address: str) -> tuple[str, ...]:
        """The command for a device, with its name and address put in; empty: there is none."""
        words = self.commands.get(action, ())
        return tuple(word.replace("{name}", name).replace("{address}", address) for word in words)


@dataclass(frozen=True)
class Relay:
    """Another device, which hands files on to one: they cross the line to its site once. It logs in there
    with its own SSH client, at `host`, `port` and as `user` (None: as farm does), with the key `identity`, a
    path on the relay (None: as its own configuration has it).
    """

    device: Device
    identity: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None


@dataclass(frozen=True)
class Device:
    """One target. `attributes` serve selectors of the form `soc=rk3588`; `source` is `file:line`. `site` is
    where it is: the workers there reach it (`farm worker --site`).
    """

    name: str
    address: Address
    runtime: Runtime
    workdir: str = "~/.cache/farm"
    store: StoreLimits = StoreLimits()
    cooldown: Cooldown = Cooldown()
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    cores: tuple[tuple[str, tuple[int, ...]], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    pin: Pin | None = None
    ceilings: tuple[GivenCeilings, ...] = ()
    power: Power | None = None
    site: str = DEFAULT_SITE
    relay: Relay | None = None
    source: str | None = field(default=None, compare=False)

    @property
    def architecture(self) -> str | None:
        """What the inventory says of it; None where it says nothing."""
        return dict(self.attributes).get("arch")

    @property
    def is_local(self) -> bool:
        return self.address.host == LOCAL


@dataclass(frozen=True)
class Inventory:
    """All devices, in the order of the file. `source` is None for the built-in `local` inventory.

    `known_hosts` is the file of pinned host keys that belongs to the inventory.
    """

    devices: tuple[Device, ...]
    source: Path | None
    known_hosts: Path


@dataclass(frozen=True)
class Gpu:
    """One accelerator. `compute_capability` is NVIDIA's, as `7.5`, where it has one. The clocks are those of
    its cores (SM) and of its memory; `throttle_reasons` say what holds them down now, None where it does not
    tell.
    """

    name: str
    driver: str | None = None
    compute_capability: str | None = None
    memory_bytes: int | None = None
    memory_used_bytes: int | None = None
    clock_mhz: int | None = None
    max_clock_mhz: int | None = None
    memory_clock_mhz: int | None = None
    performance_state: str | None = None
    is_persistent: bool | None = None
    temperature_c: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    throttle_reasons: tuple[str, ...] | None = None


@dataclass(frozen=True)
class CoreCluster:
    """Cores of one kind: micro-architecture, capacity (the kernel's, 1024 is the fastest core) and the most
    that their clock does.
    """

    cores: tuple[int, ...]
    name: str | None = None
    capacity: int | None = None
    max_frequency_khz: int | None = None


@dataclass(frozen=True)
class PowerSupply:
    """A source of power as the kernel has it. `kind`: Mains, Battery, USB, ...; `is_online`: it feeds the
    device; `status` and `capacity_percent` are a battery's.
    """

    name: str
    kind: str | None = None
    is_online: bool | None = None
    status: str | None = None
    capacity_percent: int | None = None


@dataclass(frozen=True)
class Python:
    """An interpreter on the device; `version` as (major, minor, micro)."""

    path: str
    version: tuple[int, ...]
    has_numpy: bool = False


@dataclass(frozen=True)
class Facts:
    """What the probe read on the device; None or empty where it is not known.

    `loaders` are the paths of dynamic loaders in the usual places; `runs_32_bit` says whether a kernel of 64
    bits runs programs of its architecture's 32 bits, too. `core_ids` are the cores that may be used: online,
    and in the affinity of the agent. `clusters` are these by kind, the slowest first; empty where the kinds
    are not known. `cpuset` are the cores and `cpu_limit_cores`, `memory_limit_bytes` the limits of the
    control group; None or empty: no limit. `frequency_limits_khz` is what the clock may do now
    (scaling_max_freq). `virtual` names what says that the device is a virtual machine. `unreadable` are the
    sensors that show nothing plausible. `boot_id` is another one after each start of the device; `machine`
    stands for its machine id, which is not kept itself: two devices with the same of both are one machine.
    """

    hostname: str | None = None
    system: str | None = None
    kernel: str | None = None
    architecture: str | None = None
    os_name: str | None = None
    libc: str | None = None
    loaders: tuple[str, ...] = ()
    runs_32_bit: bool | None = None
    cpu_model: str | None = None
    cpu_features: tuple[str, ...] = ()
    core_ids: tuple[int, ...] = ()
    governors: tuple[tuple[int, str], ...] = ()
    max_frequency_khz: tuple[tuple[int, int], ...] = ()
    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    disk_bytes: int | None = None
    disk_free_bytes: int | None = None
    load_average_1m: float | None = None
    temperatures_c: tuple[tuple[str, float], ...] = ()
    gpus: tuple[Gpu, ...] = ()
    pythons: tuple[Python, ...] = ()
    shell: str | None = None
    tools: tuple[str, ...] = field(
        default=(),
        metadata={"help": "small tools found, e.g. flock, setsid, and /bin/sh, which runs scripts"},
    )
    board: str | None = None
    soc: str | None = None
    clusters: tuple[CoreCluster, ...] = ()
    cpuset: tuple[int, ...] = ()
    cpu_limit_cores: float | None = None
    memory_limit_bytes: int | None = None
    available_governors: tuple[str, ...] = ()
    frequency_driver: str | None = None
    frequency_limits_khz: tuple[tuple[int, int], ...] = ()
    min_frequency_khz: tuple[tuple[int, int], ...] = ()
    turbo: bool | None = None
    smt: bool | None = None
    clock_source: str | None = None
    power_supplies: tuple[PowerSupply, ...] = ()
    virtual: str | None = None
    unreadable: tuple[str, ...] = ()
    boot_id: str | None = None
    machine: str | None = None
