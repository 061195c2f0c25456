"""`farm bench`: one task per device, and the only place that owns tasks.

A device's failure fails its own cells and nobody else's; cancelling the run (Ctrl-C) releases every
device before it returns.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime

import farm
from farm.compare.outcome import has_times, measured_code
from farm.errors import DeviceError, ExitCode
from farm.model.matrix import Plan
from farm.model.run import Results, RunStatus
from farm.run.context import RunContext, Settings
from farm.run.events import Event, Kind, Listener
from farm.run.keeping import Keeper
from farm.run.lane import Lane
from farm.run.outputs.checker import check_devices, is_worth_telling
from farm.run.planned import Origin
from farm.run.push.relays import Relays
from farm.run.push.supply import Supply
from farm.run.record import Recorder
from farm.run.secrets import Hider
from farm.runtime.files import WheelFiles
from farm.store.runs import RunDirectory
from farm.transport.base import Timeouts
from farm.transport.pool import open_transports, places_for


async def bench(
    plan: Plan, directory: RunDirectory, wheel: WheelFiles | None, settings: Settings, listener: Listener
) -> Results:
    """Run the plan and return its results, which are on disk too unless their `losses` say that they are not.

    When cancelled, it leaves no process and no lease on any device it can reach, marks open cells as
    `cancelled`, writes the results and raises CancelledError. Raises RunError when nothing can be written,
    and RequestError where a run is to be resumed that cannot be.
    """
    if settings.is_resumed:
        recorder = await Recorder.reopen(directory, plan, _now())
    else:
        recorder = await Recorder.open(directory, plan, Origin(farm.__version__, settings.command, _now()))
    context = RunContext(
        plan,
        directory,
        recorder,
        settings,
        wheel,
        _guarded(listener, recorder.hider),
        time.monotonic,
        Keeper(settings.kept, directory, wheel.libraries if wheel else ()) if settings.kept else None,
        supply=Supply(settings.kept, Relays(plan.devices, settings.known_hosts, settings.deadlines)),
    )
    try:
        await _run_lanes(context)
        await compare_devices(context)
    except BaseException:
        recorder.cancel(plan.cells)
        await recorder.end(RunStatus.INTERRUPTED, _now())
        raise
    return await recorder.end(status_of(recorder.results()), _now())


def _guarded(listener: Listener, hider: Hider) -> Listener:
    """It hears no secrets, and nothing at all once it failed (a closed terminal, say)."""
    hears = True

    def tell(event: Event) -> None:
        nonlocal hears
        if hears:
            try:
                listener(replace(event, text=hider.text(event.text)))
            except Exception:  # noqa: BLE001 - whatever a terminal does
                hears = False

    return tell


async def _run_lanes(context: RunContext) -> None:
    """All devices at once, or as many as this process may have files open for."""
    busy = {cell.device.name for cell in context.plan.cells if not context.recorder.is_closed(cell)}
    devices = [device for device in context.plan.devices if device.name in busy]
    at_once = places_for(len(devices))
    places = asyncio.Semaphore(at_once)
    for device in devices[at_once:]:
        text = f"waits for one of {at_once} places: more needs more open files than `ulimit -Hn` allows"
        context.listener(Event(device.name, Kind.NOTE, text))
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(context.supply.relays)
        transports = await stack.enter_async_context(
            open_transports(
                devices,
                known_hosts=context.settings.known_hosts,
                timeouts=Timeouts.of(context.settings.deadlines),
            )
        )
        async with asyncio.TaskGroup() as lanes:
            for device in devices:
                lane = Lane(context, device, transports.to(device))
                lanes.create_task(lane.go(places), name=f"lane of {device.name}")


async def compare_devices(context: RunContext) -> None:
    """Compare outputs across devices. Never raises except when cancelled: what was measured is not lost for
    what could not be compared.
    """
    try:
        checks = await check_devices(context)
    except DeviceError:
        return  # what of the journal is lost is told by the results
    except Exception as error:  # noqa: BLE001 - a bug in farm
        context.recorder.fault("", error)
        return
    for check in checks:
        if is_worth_telling(check):
            context.listener(Event(check.device, Kind.NOTE, f"outputs of {check.cell}: {check.sentence}"))


def status_of(results: Results) -> RunStatus:
    """What a run is that came to its end."""
    if measured_code(results) is ExitCode.OK:
        return RunStatus.COMPLETED
    return RunStatus.PARTIAL if has_times(results) else RunStatus.FAILED


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
