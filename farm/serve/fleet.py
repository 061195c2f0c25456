"""The devices of an inventory now. They are asked while somebody looks, over one connection each, and only
what costs a device no process (`holder`, `sense`); a device that a run of this machine measures is not
asked at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm.device.agent import Agent
from farm.errors import DeviceError, FarmError
from farm.model.device import Device, Inventory
from farm.model.limits.deadlines import Deadlines
from farm.model.telemetry import Sample
from farm.run.devices.agents import agent_of
from farm.run.devices.check import Beside, checked_of, look_at
from farm.run.health.rules import worst
from farm.serve.nouns import FleetDevice, Health, HeatNow, LeaseNow, RunNow
from farm.serve.shelf import Shelf
from farm.store.notes.quarantine import in_quarantine
from farm.transport.address import address_text
from farm.transport.base import Timeouts, Transports
from farm.transport.pool import open_transports
from farm.visible import one_line, visible

LONGEST = 300
STAYS_S = 30.0
"""For so long after the last look connections are kept."""
RECENT_S = 2.0
"""A look at the runs that another page has paid for is as good."""
MOST_AT_ONCE = 8
"""Devices that are connected to or checked at a time."""


@dataclass
class _Seen:
    """What is known of one device."""

    device: Device
    now: FleetDevice
    checked_at: float = float("-inf")


class Fleet:
    """For one event loop. `look` from pages; what it started ends by itself, or with `close`."""

    def __init__(
        self, inventory: Inventory, devices: Sequence[Device], shelf: Shelf, deadlines: Deadlines
    ) -> None:
        self._known_hosts = inventory.known_hosts
        self._shelf = shelf
        self._deadlines = deadlines
        self._seen = {
            one.name: _Seen(one, FleetDevice(visible(one.name), visible(address_text(one.address))))
            for one in devices
        }
        self._asked_at = float("-inf")
        self._watching: asyncio.Task[None] | None = None
        self._turns = asyncio.Semaphore(MOST_AT_ONCE)

    def device(self, name: str) -> Device | None:
        """A device of the inventory by its name."""
        seen = self._seen.get(name)
        return seen.device if seen else None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._seen)

    @property
    def known_hosts(self) -> Path:
        return self._known_hosts

    async def look(self) -> tuple[FleetDevice, ...]:
        """What is known; devices are asked from now on until nobody looks any more."""
        self._asked_at = asyncio.get_running_loop().time()
        runs, quarantine = await asyncio.to_thread(self._beside)
        for name, seen in self._seen.items():
            seen.now = replace(_with_runs(seen.now, runs), quarantine=quarantine.get(name))
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch(), name="watching the fleet")
        return tuple(one.now for one in self._seen.values())

    async def close(self) -> None:
        """End all connections."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait({self._watching}, timeout=self._deadlines.serve_end_s)

    def _beside(self) -> tuple[Sequence[RunNow], Mapping[str, str]]:
        """What runs and notes of this machine say. In a thread, which changes nothing."""
        runs = self._shelf.recent(RECENT_S).running
        quarantine: Mapping[str, str] = {}
        with contextlib.suppress(FarmError, OSError):
            found = in_quarantine(self._shelf.runs_dir)
            quarantine = {name: one_line(one.sentence, LONGEST) for name, one in found.items()}
        return runs, quarantine

    def _is_looked_at(self) -> bool:
        idle_s = asyncio.get_running_loop().time() - self._asked_at
        return idle_s < max(STAYS_S, 2 * self._deadlines.serve_fleet_s)

    async def _watch(self) -> None:
        timeouts = replace(Timeouts.of(self._deadlines), attempts=1)  # the next look is the next try
        devices = [one.device for one in self._seen.values()]
        async with (
            open_transports(devices, known_hosts=self._known_hosts, timeouts=timeouts) as transports,
            asyncio.TaskGroup() as group,
        ):
            for seen in self._seen.values():
                group.create_task(self._follow(seen, transports), name=f"watching {seen.device.name}")

    async def _follow(self, seen: _Seen, transports: Transports) -> None:
        """Until nobody looks any more."""
        while self._is_looked_at():
            if seen.now.by_run is None:
                try:
                    await self._connected(seen, transports)
                except DeviceError as error:
                    told = one_line(f"{error.stage}: {error.message}", LONGEST)
                    hint = one_line(error.hint, LONGEST) if error.hint else None
                    seen.now = replace(seen.now, error=told, hint=hint, error_at_s=time.time(), lease=None)
            await asyncio.sleep(self._deadlines.serve_fleet_s)

    async def _connected(self, seen: _Seen, transports: Transports) -> None:
        """Ask one device again and again, over one connection. Raises DeviceError."""
        async with contextlib.AsyncExitStack() as stack:
            async with self._turns:
                agent = await stack.enter_async_context(agent_of(seen.device, transports, self._deadlines))
            while self._is_looked_at() and seen.now.by_run is None:
                is_free = await self._ask(seen, agent)
                if is_free:
                    await self._check(seen, transports)
                await asyncio.sleep(self._deadlines.serve_fleet_s)

    async def _ask(self, seen: _Seen, agent: Agent) -> bool:
        """Whether it is free."""
        held = await agent.held()
        at_s = time.time()
        heat = _heat(await agent.sense(), at_s) or seen.now.heat
        lease = LeaseNow(at_s)
        if held is not None:
            lease = LeaseNow(at_s, one_line(held.holder, LONGEST), at_s - held.held_s)
        seen.now = replace(seen.now, lease=lease, heat=heat, error=None, hint=None, error_at_s=None)
        return held is None

    async def _check(self, seen: _Seen, transports: Transports) -> None:
        """As `farm devices check`, of a free device: its probe starts processes there."""
        loop = asyncio.get_running_loop()
        if loop.time() - seen.checked_at < self._deadlines.serve_health_s:
            return
        seen.checked_at = loop.time()
        async with self._turns:
            look = await look_at(
                seen.device, transports, Beside(self._shelf.runs_dir, deadlines=self._deadlines)
            )
        findings = checked_of(look).findings
        gravest = worst(findings)
        first = next((one for one in findings if one.severity is gravest), None)
        health = Health(time.time())
        if first is not None:
            health = Health(
                health.at_s,
                str(first.severity),
                one_line(first.text, LONGEST),
                one_line(first.todo, LONGEST),
                len(findings) - 1,
            )
        seen.now = replace(seen.now, health=health)


def _with_runs(now: FleetDevice, runs: Sequence[RunNow]) -> FleetDevice:
    """Which runs of this machine have work for a device: the one that has rounds of it, else the one that
    began first, has it or waits for it.
    """
    measuring: list[str] = []
    others: list[str] = []
    heat = now.heat
    for run in sorted(runs, key=lambda one: one.started_at):
        for one in run.devices:
            if (one.name, one.address) != (now.name, now.address) or not one.is_open:
                continue
            (measuring if one.last else others).append(run.run_id)
            if one.heat_c is None or one.last_at_s is None:
                continue
            if heat is None or heat.at_s < one.last_at_s:
                heat = HeatNow(one.last_at_s, one.heat_c, one.heat_of or "")
    first, queue = [*measuring, *others][:1], [*measuring, *others][1:]
    return replace(now, by_run=first[0] if first else None, queue=tuple(queue), heat=heat)


def _heat(sample: Sample | None, at_s: float) -> HeatNow | None:
    hottest = max(sample.temperatures_c if sample else (), key=lambda zone: zone[1], default=None)
    return HeatNow(at_s, hottest[1], one_line(hottest[0], 60)) if hottest else None
