"""The context of a run, made once; and the context that the steps on one device share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from farm.device.disk.room import Room
from farm.device.former import own_name
from farm.device.session import Session
from farm.model.device import Device, Facts, Inventory
from farm.model.limits.cooling import Cooldown
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Plan
from farm.run.deploy import Deployed
from farm.run.devices.machines import Machines
from farm.run.events import Listener
from farm.run.keeping import Keeper
from farm.run.measure.surroundings import Surroundings
from farm.run.pull.collect import Allowance
from farm.run.push.supply import Supply
from farm.run.record import Recorder
from farm.runtime.files import WheelFiles
from farm.runtime.install import InstalledRuntime
from farm.store.cache.ceilings import CeilingStore, ceiling_store
from farm.store.cache.kept import KeptStore, kept_store
from farm.store.cache.products import ProductStore, product_store
from farm.store.cache.programs import ProgramStore, program_store
from farm.store.runs import RunDirectory


@dataclass(frozen=True)
class Settings:
    """Settings of a run: our name as lease holder, where products of preparations and flags of native
    programs are kept, deadlines. `run_ends_at` is by the loop's clock;
    `cooldown` counts for all devices, None: as the inventory has it; `kept` is where what is pushed is kept,
    None: nowhere. `ceilings` has those that were measured, None: each run measures its own. `is_resumed`: the
    run was begun by a process that is gone.
    """

    holder: str
    known_hosts: Path
    command: tuple[str, ...]
    products: ProductStore
    programs: ProgramStore
    deadlines: Deadlines = Deadlines()
    run_ends_at: float | None = None
    cooldown: Cooldown | None = None
    kept: KeptStore | None = None
    ceilings: CeilingStore | None = None
    is_resumed: bool = False


@dataclass(frozen=True)
class Around:
    """What a plan is measured with; `cooldown` counts for all devices, None: as the inventory has it.
    `is_resumed`: in a run that a process began which is gone.
    """

    inventory: Inventory
    runtime: InstalledRuntime | None
    deadlines: Deadlines = Deadlines()
    cooldown: Cooldown | None = None
    is_resumed: bool = False


def settings_of(run_id: str, around: Around, command: tuple[str, ...]) -> Settings:
    """With the caches of this user. Raises RequestError where the environment says what cannot be."""
    kept, deadlines = kept_store(), around.deadlines
    return Settings(
        holder=own_name(f"run {run_id}"),
        known_hosts=around.inventory.known_hosts,
        command=command,
        products=product_store(),
        programs=program_store(),
        kept=None if kept.is_off else kept,
        ceilings=ceiling_store(),
        deadlines=deadlines,
        run_ends_at=time.monotonic() + deadlines.run_s if deadlines.run_s else None,
        cooldown=around.cooldown,
        is_resumed=around.is_resumed,
    )


@dataclass(frozen=True)
class RunContext:
    """One run: the plan, where results go, and who gets the events. `clock` counts seconds."""

    plan: Plan
    directory: RunDirectory
    recorder: Recorder
    settings: Settings
    wheel: WheelFiles | None
    listener: Listener
    clock: Callable[[], float]
    keeper: Keeper | None = None
    machines: Machines = field(default_factory=Machines)
    supply: Supply = field(default_factory=Supply)


@dataclass(frozen=True)
class OnDevice:
    """A device whose cells can be run: its session, what the probe found, where the files are."""

    context: RunContext
    session: Session
    facts: Facts
    deployed: Deployed
    room: Room
    surroundings: Surroundings
    allowance: Allowance
    """What it may still send in this run."""

    @property
    def device(self) -> Device:
        return self.session.device
