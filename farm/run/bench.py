"""`farm bench`: one task per device, and the only place that owns tasks.

A device's failure fails its own cells and nobody else's; cancelling the whole (Ctrl-C) gives every
device back before it returns.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import farm
from farm import agents
from farm.device.probe import pythons_to_ask
from farm.device.session import Patience, Session
from farm.errors import DeviceError, ExitCode, Fault, Stage
from farm.model.device import Device, Facts, RuntimeKind
from farm.model.matrix import Cell, Model, Plan, Skip
from farm.model.options import Variant
from farm.model.run import CellStatus, Results
from farm.options import advice, applicable
from farm.plan.flags import unknown_flag_error, unknown_flags
from farm.plan.matrix import cells_of, schedule
from farm.run.deploy import Deployed, Pushed, WheelFiles, deploy
from farm.run.events import Event, Kind, Listener
from farm.run.execute import Limits, Ready, ready, run_round
from farm.run.preparations import StageContext, run_stages
from farm.run.program import UNKNOWN_HELP, flags_of
from farm.run.record import Recorder
from farm.run.reproduce import by_hand
from farm.store.products import ProductStore
from farm.store.programs import ProgramStore
from farm.store.runs import RunDirectory
from farm.transport.base import Transports
from farm.transport.pool import open_transports

STORE_QUOTA_KIB = 8 << 20
"""What a device's artifact store may hold after a run, 8 GiB; what was used longest ago goes first."""

FactRule = Callable[[Device, Model, Variant, Facts], str | None]
"""Why a cell is not wanted on a device of these facts, or None."""


@dataclass(frozen=True)
class BenchSettings:
    """How to go about it: who we are to the devices, where products of stages and the flags of native
    programs are kept, how patient we are, how many devices work at once.
    """

    holder: str
    known_hosts: Path
    command: tuple[str, ...]
    products: Path
    programs: ProgramStore
    limits: Limits = Limits()
    patience: Patience = Patience()
    parallel: int = 100


async def bench(
    plan: Plan,
    run: RunDirectory,
    wheel: WheelFiles | None,
    settings: BenchSettings,
    listener: Listener,
    rule: FactRule | None = None,
) -> Results:
    """Run the plan and return its results, which are on disk too. `rule` is asked once a device was probed.

    Cancelled, it leaves no process and no lease on any device it can reach, marks what is open as
    `cancelled`, writes the results and raises CancelledError.
    """
    recorder = Recorder(
        run,
        plan,
        farm_version=farm.__version__,
        command=settings.command,
        started_at=_now(),
        clock=time.monotonic,
    )
    recorder.write(now=True)
    places = asyncio.Semaphore(settings.parallel)
    try:
        async with AsyncExitStack() as stack:
            transports = await stack.enter_async_context(
                open_transports(plan.devices, known_hosts=settings.known_hosts)
            )
            async with asyncio.TaskGroup() as lanes:
                for device in plan.devices:
                    lane = Lane(device, plan, recorder, run, wheel, settings, listener, rule)
                    lanes.create_task(lane.go(transports, places), name=f"lane of {device.name}")
    except BaseException:
        recorder.cancel(plan.cells)
        recorder.end("interrupted", _now())
        raise
    return recorder.end(_status(recorder.results()), _now())


class Lane:
    """One device's way through the run."""

    def __init__(
        self,
        device: Device,
        plan: Plan,
        recorder: Recorder,
        run: RunDirectory,
        wheel: WheelFiles | None,
        settings: BenchSettings,
        listener: Listener,
        rule: FactRule | None,
    ) -> None:
        self._rule = rule
        self._device = device
        self._plan = plan
        self._cells = cells_of(plan, device)
        self._recorder = recorder
        self._run = run
        self._wheel = wheel
        self._settings = settings
        self._products = ProductStore(settings.products)
        self._listener = listener

    async def go(self, transports: Transports, places: asyncio.Semaphore) -> None:
        """Never raises but for cancellation: what goes wrong becomes the device's failed cells."""
        if not self._cells:
            self._say(Kind.FINISHED, "nothing to run here")
            return
        async with places:
            try:
                await self._work(transports)
            except DeviceError as error:
                self._give_up(error)
            except asyncio.CancelledError:
                self._say(Kind.FAILED, "interrupted; device given back")
                raise
            except Exception as error:  # noqa: BLE001 - a mistake of ours must not cost the other devices
                self._run.journal("farm-fault", device=self._device.name, error=repr(error))
                self._give_up(
                    DeviceError(
                        f"farm itself failed: {error!r}",
                        stage=Stage.EXECUTE,
                        fault=Fault.FARM,
                        cause="farm-fault",
                        hint=f"please report it, with {self._run.path / 'journal.jsonl'}",
                    )
                )

    async def _work(self, transports: Transports) -> None:
        self._say(Kind.STAGE, "connecting")
        session = Session(
            self._device,
            transports.to(self._device),
            agents.agent_script(),
            holder=self._settings.holder,
            patience=self._settings.patience,
            note=lambda text: self._say(Kind.NOTE, text),
        )
        async with session:
            self._say(Kind.STAGE, "probing")
            facts = await session.call(lambda agent: agent.probe(pythons_to_ask(session.device.runtime)))
            self._recorder.device(self._device.name, facts=facts)
            self._cells = self._that_make_sense(facts)
            if not self._cells:
                self._say(Kind.FINISHED, "no cell makes sense here")
                return
            await self._run_cells(session, facts, self._cells)

    def _that_make_sense(self, facts: Facts) -> tuple[Cell, ...]:
        """The cells that this device can run, with advice; the others are skipped with the reason."""
        fitting: list[Cell] = []
        for cell in self._cells:
            reason = applicable(
                cell.variant.options, runtime=self._device.runtime.kind, facts=facts, cores=cell.device.cores
            )
            if reason is None and self._rule is not None:
                reason = self._rule(cell.device, cell.model, cell.variant, facts)
            if reason is None:
                notes = (*cell.notes, *advice(cell.variant.options, facts=facts))
                fitting.append(replace(cell, notes=notes))
            else:
                self._recorder.skip(Skip(cell.device, cell.model, cell.variant, reason))
        return tuple(fitting)

    async def _run_cells(self, session: Session, facts: Facts, cells: Sequence[Cell]) -> None:
        self._say(Kind.STAGE, "deploying")
        pushed = Pushed()
        try:
            deployed = await deploy(
                session,
                cells,
                facts,
                self._wheel,
                pushed,
                lambda done, total: self._say(Kind.TRANSFER, "pushing", done, total),
            )
        finally:
            self._recorder.device(
                self._device.name,
                pushed_bytes=pushed.bytes,
                pushed_files=pushed.files,
                reused_files=pushed.reused,
                agent_sha256=agents.agent_script().sha256,
            )
        self._recorder.device(self._device.name, runtime_digest=deployed.digest)
        cells = await self._that_the_program_can(session, deployed, cells)
        context = StageContext(
            session, deployed, facts, self._run, self._products, self._settings.limits, time.monotonic
        )
        prepared: dict[str, Ready] = {}
        for cell in cells:
            if cell.stages:
                self._say(Kind.STAGE, f"{cell.model.name} {cell.variant.name}: {cell.stages[0].kind}")
            prepared[cell.id], stages = await run_stages(context, ready(cell, deployed))
            self._recorder.stages(cell, stages)
        steps = schedule(cells, self._plan.seed)
        for number, (cell, one) in enumerate(steps):
            if self._recorder.is_closed(cell):
                continue  # a stage or an earlier round of this cell failed
            self._say(
                Kind.ROUND, f"{cell.model.name} {cell.variant.name} {one.kind.value}", number, len(steps)
            )
            here = prepared[cell.id]
            result = await run_round(session, here, one, self._run, self._settings.limits, time.monotonic)
            if result.engine:
                self._recorder.device(self._device.name, engine=result.engine)
            self._recorder.round(cell, result, reproduce=by_hand(self._device, here, deployed.store))
            if result.status == "failed":
                self._say(Kind.NOTE, f"{cell.model.name} {cell.variant.name}: {result.error}")
        await session.call(lambda agent: agent.gc(session.epoch, STORE_QUOTA_KIB))
        self._say(Kind.FINISHED, "done", len(steps), len(steps))

    async def _that_the_program_can(
        self, session: Session, deployed: Deployed, cells: Sequence[Cell]
    ) -> Sequence[Cell]:
        """The cells whose options a native program has, asked of itself; the others end here."""
        if self._device.runtime.kind is not RuntimeKind.NATIVE:
            return cells
        flags = await flags_of(session, deployed, self._settings.programs)
        if not flags:
            self._say(Kind.NOTE, UNKNOWN_HELP)
            return [replace(cell, notes=(*cell.notes, UNKNOWN_HELP)) for cell in cells]
        able: list[Cell] = []
        for cell in cells:
            missing = unknown_flags(cell, flags)
            if missing:
                error = unknown_flag_error(missing)
                self._recorder.fail([cell], error)
                self._say(Kind.NOTE, f"{cell.model.name} {cell.variant.name}: {error.message}")
            else:
                able.append(cell)
        return able

    def _give_up(self, error: DeviceError) -> None:
        self._recorder.device(self._device.name, status="failed", error=error.message, hint=error.hint)
        self._recorder.fail(self._cells, error)
        self._say(Kind.FAILED, f"{error.stage.value}: {error.message}")

    def _say(self, kind: Kind, text: str, done: int = 0, total: int | None = None) -> None:
        self._listener(Event(self._device.name, kind, text, done, total))


def exit_code(results: Results) -> ExitCode:
    """What the shell is told: DESIGN, section 9."""
    statuses = {cell.status for cell in results.cells}
    if CellStatus.FAILED in statuses:
        ran = any(cell.summary is not None or cell.status is CellStatus.COMPLETED for cell in results.cells)
        return ExitCode.CELLS_FAILED if ran else ExitCode.NOTHING_RAN
    return ExitCode.OK if CellStatus.COMPLETED in statuses else ExitCode.NOTHING_RAN


def _status(results: Results) -> str:
    return {ExitCode.OK: "completed", ExitCode.CELLS_FAILED: "partial"}.get(exit_code(results), "failed")


def needs_wheel(plan: Plan) -> bool:
    return any(cell.device.runtime.kind is RuntimeKind.WHEEL for cell in plan.cells)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
