"""One device in a run: connect, probe, fit, deploy, prepare, rounds, release.

A device that is lost meanwhile (restarted, or out of reach for too long) is taken again, and all steps are
done again but for what is recorded. What is still on the device is not sent again: so a restart costs the
round that it broke. The same way a later process goes on with a run whose own was killed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

from farm import agents
from farm.device.disk.room import Room
from farm.device.faults import RESTARTED
from farm.device.jobs import drop_left, settle_left
from farm.device.restarts import AgainError, too_often
from farm.device.session import Session
from farm.errors import DeviceError, Fault, Stage
from farm.model.build import INVENTORY_BUILD
from farm.model.comparison import Phase
from farm.model.device import Device, Facts, Runtime
from farm.model.matrix import Cell, Round, RoundKind
from farm.model.run import MOST_OUTAGES, DeviceStatus, Outage, Restart, RoundResult, RoundStatus
from farm.plan.estimate import Span
from farm.plan.matrix import cells_of
from farm.plan.schedule import Step
from farm.run.ceilings.find import find_ceilings
from farm.run.context import OnDevice, RunContext
from farm.run.deploy import Deployed, Part, deploy
from farm.run.disk import disk_error, is_of_disk
from farm.run.events import Event, Kind
from farm.run.execute import Ready, forget_timed, ready, round_name, run_round
from farm.run.measure.measuring import Measuring, Watch
from farm.run.measure.surroundings import Surroundings
from farm.run.outputs.checker import check_device, is_worth_telling
from farm.run.pins import pin, unpin
from farm.run.preparations import prepare
from farm.run.programs.fitting import Fitting
from farm.run.pull.collect import Allowance
from farm.run.push.pusher import Pushed, Pusher
from farm.run.reproduce import by_hand
from farm.run.resume.earlier import Earlier
from farm.store.journal import JOURNAL
from farm.transport.base import Transport

MOST_TRIES = 3
"""How often a round is begun that its device does not survive: it may be what restarts the device."""


class Lane:
    """See the module. `go` runs all steps; every other method is one step."""

    def __init__(self, context: RunContext, device: Device, transport: Transport) -> None:
        self._context = context
        self._device = device
        self._transport = transport
        self._cells = cells_of(context.plan, device)
        self._recorder = context.recorder
        self._pushed = Pushed()
        self._fitting = Fitting(context, device, partial(self._emit, Kind.NOTE))
        self._earlier = Earlier(context, device)
        self._engine_of = self._earlier.engine_of
        """The build whose engine the record of the device has: builds may have different ones."""
        self._measuring: Measuring | None = None
        self._ran: dict[str, Cell] = {}
        """Those that came to their rounds, as they were run, by id."""
        self._prepared = self._earlier.prepared
        """Ids of cells of which the preparations are recorded."""
        self._now: tuple[str, Cell | None] = "", None
        self._broken: Counter[Restart] = Counter()
        self._restarts = self._recorder.record(device.name).restarts
        self._is_checked = self._earlier.is_checked
        self._allowance = Allowance()
        self._live: Session | None = None
        self._is_abandoned = False
        self._boot_id: str | None = None

    def abandon(self) -> None:
        """Another process goes on with this lane: the lease is not given back when it is cancelled."""
        self._is_abandoned = True
        if self._live is not None:
            self._live.abandon()

    async def go(self, places: asyncio.Semaphore) -> None:
        """Never raises except when cancelled: errors become failed cells of the device."""
        if not self._cells:
            self._emit(Kind.FINISHED, "nothing to run here")
            return
        async with places:
            try:
                await self._steps()
            except DeviceError as error:
                self._give_up(error)
            except asyncio.CancelledError:
                what = "another process goes on with it" if self._is_abandoned else "device released"
                self._emit(Kind.FAILED, f"interrupted; {what}")
                raise
            except OSError as error:
                self._give_up(
                    disk_error(error, Stage.EXECUTE) if is_of_disk(error) else self._internal_error(error)
                )
            except Exception as error:  # noqa: BLE001 - a bug in farm must not fail the other devices
                self._give_up(self._internal_error(error))

    async def _steps(self) -> None:
        self._step("connecting")
        self._live = self._session()
        async with self._live as session:
            room = Room(session, lambda text: self._emit(Kind.NOTE, text))
            while True:
                try:
                    await session.ready()
                    await self._work(session, room)
                    break
                except DeviceError as error:
                    if error.cause == RESTARTED:
                        self._note_restart(is_last=not isinstance(error, AgainError))
                    elif isinstance(error, AgainError):
                        self._emit(Kind.NOTE, f"{error.message} during {self._now[0]}, which is done again")
                    if not isinstance(error, AgainError):
                        raise

    async def _work(self, session: Session, room: Room) -> None:
        """All that is left to do."""
        await settle_left(session)
        facts = await self._probe(session)
        note = partial(self._emit, Kind.NOTE)
        async with self._context.machines.alone(self._device.name, facts, note):
            await self._measure(session, room, facts)

    async def _measure(self, session: Session, room: Room, facts: Facts) -> None:
        """All that is left to do, on the machine that the device is."""
        cells = self._cells = self._fitting.by_facts(facts)
        if not cells and self._measuring is None:
            self._emit(Kind.FINISHED, "no cell can run on this device")
            return
        if cells:
            cells, parts = await self._fitting.look_at_programs(session, facts, cells)
            deployed = await self._deploy(room, session, facts, cells, parts)
            cells = self._earlier.with_same_program(cells, deployed)
            cells = await self._fitting.by_flags(session, deployed, cells)
            cells, held = await self._pin(session, facts, cells)
            self._earlier.require_same(held)
            around = await self._surroundings(session, facts)
            here = OnDevice(self._context, session, facts, deployed, room, around, self._allowance)
            self._ran |= {cell.id: cell for cell in cells}
            await self._rounds(here, await self._prepare(here, cells))
            await drop_left(session)
            # After the rounds: the heat is no part of their times, and nothing that fails costs a cell.
            await self._ceilings(here, held)
            await self._unpin(session)
        await drop_left(session)
        ran = self._measuring.count[0] if self._measuring else 0
        self._emit(Kind.FINISHED, "done", ran, ran)

    @property
    def _doing(self) -> Restart:
        """What a restart breaks now, without its time."""
        during, cell = self._now
        return Restart("", during, cell.id if cell else None)

    def _note_restart(self, *, is_last: bool) -> None:
        """Keep that the device was restarted, and during what; a cell that ran too often then has failed."""
        (during, cell), key = self._now, self._doing
        self._restarts += (replace(key, at=_now()),)
        self._recorder.device(self._device.name, restarts=self._restarts)
        self._broken[key] += 1
        self._now = "taking it again", None
        what = f"{cell.name} {during}" if cell else during
        if cell and self._broken[key] >= MOST_TRIES:
            error = too_often(self._device.name, f"{MOST_TRIES} times during {during} of this cell")
            self._recorder.fail([cell], error)
            self._emit(Kind.NOTE, f"restarted during {what} again: this cell is given up")
        else:
            is_over = is_last or all(map(self._recorder.is_closed, self._cells))
            self._emit(Kind.NOTE, f"restarted during {what}{'' if is_over else ', which is done again'}")

    def _session(self) -> Session:
        """Connects and takes the lease when entered; releases both when left."""
        session = Session(
            self._device,
            self._transport,
            agents.agent_script(),
            holder=self._context.settings.holder,
            deadlines=self._context.settings.deadlines,
            note=lambda text: self._emit(Kind.NOTE, text),
        )
        session.until(self._context.settings.run_ends_at).of_run(self._context.directory.run_id)
        return session.telling(self._note_outage)

    def _note_outage(self, lasted_s: float, is_over: bool) -> None:
        """Keep that the connection was lost, and during what."""
        before = self._recorder.record(self._device.name).outages
        if len(before) < MOST_OUTAGES:
            at, doing = _now(ago_s=lasted_s), self._doing
            one = Outage(at, doing.during, doing.cell, round(lasted_s, 3), is_over)
            self._recorder.device(self._device.name, outages=(*before, one))

    async def _probe(self, session: Session) -> Facts:
        self._step("probing")
        facts = await session.call(lambda agent: agent.probe(self._fitting.pythons))
        self._boot_id = facts.boot_id
        if self._measuring is None and not self._earlier.has_rounds:  # those of the start of the run
            self._recorder.device(self._device.name, facts=facts)
        return facts

    async def _surroundings(self, session: Session, facts: Facts) -> Surroundings:
        """As they are now, before anything was run under this lease."""
        cooldown = self._context.settings.cooldown or self._device.cooldown
        tell = lambda text: self._emit(Kind.STEP, text)  # noqa: E731
        around = Surroundings(session, cooldown, len(facts.core_ids) or None, tell, self._context.clock)
        await around.begin()
        return around

    async def _deploy(
        self,
        room: Room,
        session: Session,
        facts: Facts,
        cells: Sequence[Cell],
        parts: Mapping[Runtime, Part],
    ) -> Deployed:
        self._step("deploying")
        self._pushed.reused = 0
        sent = lambda done, total: self._emit(Kind.TRANSFER, "pushing", done, total)  # noqa: E731
        pusher = Pusher(session, room, sent, self._pushed, self._context.supply)
        if self._context.keeper is not None:
            built = {runtime: part.files for runtime, part in parts.items()}
            await self._context.keeper.keep(cells, built, partial(self._emit, Kind.NOTE))
        try:
            deployed = await deploy(pusher, cells, facts, self._context.wheel, parts)
        finally:
            self._recorder.device(
                self._device.name,
                pushed_bytes=pusher.pushed.bytes,
                pushed_files=pusher.pushed.files,
                reused_files=pusher.pushed.reused,
                removed_bytes=room.freed.bytes,
                removed_files=room.freed.files,
                agent_sha256=agents.agent_script().sha256,
            )
        for runtime, program in deployed.programs.items():
            self._recorder.deployed(
                [cell for cell in cells if cell.device.runtime == runtime], program.digest
            )
        own = next((cell for cell in cells if cell.build == INVENTORY_BUILD.name), None)
        if own is not None:
            self._recorder.device(self._device.name, runtime_digest=deployed.program(own).digest)
        return deployed

    async def _pin(
        self, session: Session, facts: Facts, cells: tuple[Cell, ...]
    ) -> tuple[tuple[Cell, ...], Facts]:
        """The cells, with a note on each setting that the device did not take; the facts that are kept are
        those that hold for the rounds.
        """
        pinned, held = await pin(session, self._device, facts)
        if pinned.done or pinned.refused:
            self._recorder.device(
                self._device.name, facts=held, pinned=pinned.done, not_pinned=pinned.refused
            )
        for text in pinned.refused:
            self._emit(Kind.NOTE, text)
        return tuple(replace(cell, notes=(*cell.notes, *pinned.refused)) for cell in cells), held

    async def _ceilings(self, here: OnDevice, held: Facts) -> None:
        await find_ceilings(here, [*self._ran.values()], held, self._step, partial(self._emit, Kind.NOTE))

    async def _unpin(self, session: Session) -> None:
        left = await unpin(session, self._device)
        self._recorder.device(self._device.name, not_restored=left)
        for text in left:
            self._emit(Kind.NOTE, text)

    async def _prepare(self, here: OnDevice, cells: Sequence[Cell]) -> list[Ready]:
        """The cells that can be run: one whose preparation failed is closed by the recorder."""
        prepared: list[Ready] = []
        for cell in cells:
            if cell.preparations:
                self._step(cell.preparations[0].kind, cell)
            made, results = await prepare(here, ready(cell, here.deployed))
            if cell.id not in self._prepared:
                results = tuple(
                    replace(one, round=self._told_of_restarts(one.round)) if one.round else one
                    for one in results
                )
                await self._recorder.preparations(cell, results)
                self._prepared.add(cell.id)
                here.session.progress()
            prepared.append(made)
        return prepared

    async def _rounds(self, here: OnDevice, prepared: Sequence[Ready]) -> None:
        """All rounds that were not run yet, each collected and on disk before the next one."""
        by_id = {made.cell.id: made for made in prepared}
        if self._measuring is None:
            watch = Watch(self._context.clock, lambda text: self._emit(Kind.NOTE, text))
            cells = self._earlier.with_closed([made.cell for made in prepared])
            self._measuring = Measuring(self._context.plan, cells, self._recorder, watch)
        measuring = self._measuring

        async def run(step: Step) -> None:
            await self._round(here, measuring, by_id[step[0].id], step)

        async def end(cell: Cell) -> None:
            await self._recorder.complete(cell, reproduce=by_hand(by_id[cell.id], here.deployed))

        await measuring.go(run, end, self._check_outputs)

    async def _round(self, here: OnDevice, measuring: Measuring, made: Ready, step: Step) -> None:
        cell, one = step
        name = cell.name
        self._now = round_name(one), cell
        self._emit(Kind.ROUND, f"{name} {_what(cell, one)}", *measuring.count, left=measuring.left)
        result = self._told_of_restarts(await run_round(here, made, one))
        self._engine_of = self._engine_of or (cell.build if result.engine else "")
        if result.engine and cell.build == self._engine_of:
            self._recorder.device(self._device.name, engine=result.engine)
        is_last = measuring.done(step, result)
        reproduce = by_hand(made, here.deployed)
        await self._recorder.round(made.cell, result, reproduce=reproduce, is_last=is_last)
        await forget_timed(here, made.cell, one, result)
        here.session.progress()
        if result.status is RoundStatus.FAILED:
            self._emit(Kind.NOTE, f"{name}: {result.error}")

    async def _check_outputs(self) -> None:
        """Once, when all check rounds were run and none of the times."""
        if self._is_checked:
            return
        self._is_checked = True
        for check in await check_device(self._context, self._device):
            if is_worth_telling(check):
                self._emit(Kind.NOTE, f"outputs of {check.cell}: {check.sentence}")

    def _told_of_restarts(self, result: RoundResult) -> RoundResult:
        """With a note, if it is a repetition."""
        times = self._broken[self._doing]
        if not times:
            return result
        note = f"{self._now[0]} was repeated: the device was restarted during it ({times}x)"
        return replace(result, notes=(*result.notes, note))

    def _give_up(self, error: DeviceError) -> None:
        self._recorder.device(
            self._device.name, status=DeviceStatus.FAILED, error=error.message, hint=error.hint
        )
        self._recorder.fail(self._cells, error)
        self._emit(Kind.FAILED, f"{error.stage.value}: {error.message}")

    def _internal_error(self, error: Exception) -> DeviceError:
        self._recorder.fault(self._device.name, error)
        return DeviceError(
            f"internal error in farm: {error!r}",
            stage=Stage.EXECUTE,
            fault=Fault.FARM,
            cause="farm-fault",
            hint=f"report it with {self._context.directory.path / JOURNAL}",
        )

    def _step(self, text: str, cell: Cell | None = None) -> None:
        self._now = text, cell
        self._emit(Kind.STEP, f"{cell.name}: {text}" if cell else text)

    def _emit(
        self, kind: Kind, text: str, done: int = 0, total: int | None = None, *, left: Span | None = None
    ) -> None:
        event = Event(self._device.name, kind, text, done, total, left, self._boot_id)
        self._context.listener(event)


def _what(cell: Cell, one: Round) -> str:
    """`timed`, `confirm`, `timed again`, `profile 2 of 3`."""
    word = one.phase.value if one.phase is Phase.CONFIRM else one.kind.value
    if one.kind is RoundKind.PROFILE:
        word += f" {one.index + 1} of {sum(other.kind is RoundKind.PROFILE for other in cell.rounds)}"
    return f"{word} again" if one.attempt else word


def _now(ago_s: float = 0.0) -> str:
    return (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(timespec="seconds")
