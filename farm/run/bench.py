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
from farm.errors import DeviceError, ExitCode, Fault, Stage
from farm.model.matrix import Plan
from farm.model.outputs import Against, OutputVerdict
from farm.model.run import CellStatus, Results, RunStatus
from farm.run.context import RunContext, Settings
from farm.run.events import Event, Kind, Listener
from farm.run.lane import Lane
from farm.run.outputs.checker import check_devices, is_worth_telling
from farm.run.record import Origin, Recorder
from farm.run.secrets import Hider
from farm.runtime.files import WheelFiles
from farm.store.runs import RunDirectory
from farm.transport.base import Timeouts
from farm.transport.pool import open_transports


async def bench(
    plan: Plan, directory: RunDirectory, wheel: WheelFiles | None, settings: Settings, listener: Listener
) -> Results:
    """Run the plan and return its results, which are on disk too unless their `losses` say that they are not.

    When cancelled, it leaves no process and no lease on any device it can reach, marks open cells as
    `cancelled`, writes the results and raises CancelledError. Raises RunError when nothing can be written.
    """
    origin = Origin(farm.__version__, settings.command, _now())
    recorder = await Recorder.open(directory, plan, origin)
    context = RunContext(
        plan, directory, recorder, settings, wheel, _guarded(listener, recorder.hider), time.monotonic
    )
    try:
        await _run_lanes(context)
        await _compare_devices(context)
    except BaseException:
        recorder.cancel(plan.cells)
        await recorder.end(RunStatus.INTERRUPTED, _now())
        raise
    return await recorder.end(_status(recorder.results()), _now())


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
    """All devices at once, as many as the settings allow."""
    places = asyncio.Semaphore(context.settings.parallel)
    devices = context.plan.devices
    async with AsyncExitStack() as stack:
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


async def _compare_devices(context: RunContext) -> None:
    """Never raises except when cancelled: what was measured is not lost for what could not be compared."""
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


ON_THE_DEVICE = frozenset({Stage.DEPLOY, Stage.EXECUTE, Stage.COLLECT})


def exit_code(results: Results) -> ExitCode:
    """The exit code of DESIGN, section 9. What only a device could show to be wrong with the request is a
    failure (3), also where nothing ran: who asked has to change something, as for a part of a run. Wrong
    outputs count before failures: that something ran is what they show. Outputs that should have been
    compared and could not be are undecided (5).
    """
    if any(check.verdict is OutputVerdict.WRONG for check in results.outputs):
        return ExitCode.REGRESSION
    statuses = {cell.status for cell in results.cells}
    if CellStatus.FAILED in statuses:
        told = _ran(results) or any(
            cell.fault is Fault.USER and cell.stage in ON_THE_DEVICE
            for cell in results.cells
            if cell.status is CellStatus.FAILED
        )
        return ExitCode.CELLS_FAILED if told else ExitCode.NOTHING_RAN
    if results.losses and CellStatus.COMPLETED in statuses:
        return ExitCode.CELLS_FAILED  # who reads the run from disk does not find what was measured
    if CellStatus.COMPLETED not in statuses:
        return ExitCode.NOTHING_RAN
    unknown = OutputVerdict.NOT_COMPARABLE
    undecided = sum(one.against in PROMISES and one.verdict is unknown for one in results.outputs)
    return ExitCode.UNDECIDED if undecided > results.comparing.max_undecided else ExitCode.OK


PROMISES = frozenset({Against.GOLDEN, Against.BASELINE})
"""What outputs are compared with because somebody asked for it."""


def _ran(results: Results) -> bool:
    return any(cell.summary is not None or cell.status is CellStatus.COMPLETED for cell in results.cells)


def _status(results: Results) -> RunStatus:
    if exit_code(results) in {ExitCode.OK, ExitCode.UNDECIDED}:
        return RunStatus.COMPLETED
    return RunStatus.PARTIAL if _ran(results) else RunStatus.FAILED


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
