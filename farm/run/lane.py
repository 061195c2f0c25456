"""One device in a run: connect, probe, fit, deploy, prepare, rounds, release.

A device that is restarted meanwhile is taken again, and all steps are done again but for what is recorded.
What is still on the device is not sent again: so a restart costs the round that it broke.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from farm import agents
from farm.device.disk.room import Room
from farm.device.faults import RESTARTED
from farm.device.probe import pythons_to_ask
from farm.device.restarts import RestartedError, too_often
from farm.device.session import Session
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Device, Facts, RuntimeKind
from farm.model.matrix import Cell, Round, Skip
from farm.model.run import DeviceStatus, Restart, RoundResult, RoundStatus
from farm.options import advice, applicable
from farm.plan.flags import unknown_flags, why_skipped
from farm.plan.matrix import cells_of, on_cores, schedule
from farm.plan.rules import unwanted
from farm.run.context import OnDevice, RunContext
from farm.run.deploy import Deployed, Program, Pushed, Pusher, deploy
from farm.run.disk import disk_error, is_of_disk
from farm.run.events import Event, Kind
from farm.run.execute import Ready, ready, round_name, run_round
from farm.run.pins import pin, unpin
from farm.run.preparations import prepare
from farm.run.program import UNKNOWN_HELP, check_program, flags_of
from farm.run.reproduce import by_hand
from farm.store.journal import JOURNAL
from farm.transport.base import Transport

PREPARED = "prepared"
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
        self._order: tuple[tuple[Cell, Round], ...] = ()
        self._recorded: set[tuple[str, str]] = set()
        """What needs not be done again: ids of cells with their rounds, or PREPARED."""
        self._now: tuple[str, Cell | None] = "", None
        self._broken: Counter[Restart] = Counter()
        self._restarts: tuple[Restart, ...] = ()

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
                self._emit(Kind.FAILED, "interrupted; device released")
                raise
            except OSError as error:
                self._give_up(
                    disk_error(error, Stage.EXECUTE) if is_of_disk(error) else self._internal_error(error)
                )
            except Exception as error:  # noqa: BLE001 - a bug in farm must not fail the other devices
                self._give_up(self._internal_error(error))

    async def _steps(self) -> None:
        self._step("connecting")
        async with self._session() as session:
            room = Room(session, lambda text: self._emit(Kind.NOTE, text))
            while True:
                try:
                    await session.ready()
                    await self._work(session, room)
                    break
                except DeviceError as error:
                    if error.cause != RESTARTED:
                        raise
                    self._note_restart(is_last=not isinstance(error, RestartedError))
                    if not isinstance(error, RestartedError):
                        raise

    async def _work(self, session: Session, room: Room) -> None:
        """All that is left to do."""
        facts = await self._probe(session)
        cells = self._fit(facts)
        if not cells and not self._order:
            self._emit(Kind.FINISHED, "no cell can run on this device")
            return
        if cells:
            checked = await check_program(session, facts, has_wheel=self._context.wheel is not None)
            cells = self._noted(cells, checked.note)
            deployed = await self._deploy(room, session, facts, cells, checked.program)
            cells = await self._fit_program(session, deployed, cells)
            cells = await self._pin(session, facts, cells)
            here = OnDevice(self._context, session, facts, deployed, room)
            await self._rounds(here, await self._prepare(here, cells))
            await self._unpin(session)
        self._emit(Kind.FINISHED, "done", len(self._order), len(self._order))

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
        what = f"{cell.model.name} {cell.variant.name} {during}" if cell else during
        if cell and self._broken[key] >= MOST_TRIES:
            error = too_often(self._device.name, f"{MOST_TRIES} times during {during} of this cell")
            self._recorder.fail([cell], error)
            self._emit(Kind.NOTE, f"restarted during {what} again: this cell is given up")
        else:
            self._emit(Kind.NOTE, f"restarted during {what}{'' if is_last else ', which is done again'}")

    def _session(self) -> Session:
        """Connects and takes the lease when entered; releases both when left."""
        return Session(
            self._device,
            self._transport,
            agents.agent_script(),
            holder=self._context.settings.holder,
            deadlines=self._context.settings.deadlines,
            note=lambda text: self._emit(Kind.NOTE, text),
        ).until(self._context.settings.run_ends_at)

    async def _probe(self, session: Session) -> Facts:
        self._step("probing")
        facts = await session.call(lambda agent: agent.probe(pythons_to_ask(self._device.runtime)))
        if not self._order:  # those of the start of the run
            self._recorder.device(self._device.name, facts=facts)
        return facts

    def _fit(self, facts: Facts) -> tuple[Cell, ...]:
        """The open cells that this device can run, with advice; the others are skipped with the reason."""
        fitting: list[Cell] = []
        for cell in cells_of(self._context.plan, self._device):
            if self._recorder.is_closed(cell):
                continue
            reason = self._misfit(cell, facts)
            if reason is None:
                notes = (*cell.notes, *advice(cell.variant.options, facts=facts))
                fitting.append(on_cores(replace(cell, notes=notes), facts))
            else:
                self._recorder.skip(Skip(cell.device, cell.model, cell.variant, reason))
        self._cells = tuple(fitting)
        return self._cells

    def _misfit(self, cell: Cell, facts: Facts) -> str | None:
        """Why a cell cannot run on a device with these facts, by its options or by the suite's rules."""
        cannot = applicable(
            cell.variant.options, runtime=self._device.runtime.kind, facts=facts, cores=cell.device.cores
        )
        rules = self._context.plan.rules
        return cannot or unwanted(
            rules, self._device, facts, model=cell.model.name, variant=cell.variant.name
        )

    async def _deploy(
        self, room: Room, session: Session, facts: Facts, cells: Sequence[Cell], found: Program | None
    ) -> Deployed:
        self._step("deploying")
        self._pushed.reused = 0
        sent = lambda done, total: self._emit(Kind.TRANSFER, "pushing", done, total)  # noqa: E731
        pusher = Pusher(session, room, sent, self._pushed)
        try:
            deployed = await deploy(pusher, cells, facts, self._context.wheel, found)
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
        self._recorder.device(self._device.name, runtime_digest=deployed.program.digest)
        return deployed

    async def _fit_program(
        self, session: Session, deployed: Deployed, cells: tuple[Cell, ...]
    ) -> tuple[Cell, ...]:
        """The cells whose options the native program has, by its --help; the others are skipped here."""
        if self._device.runtime.kind is not RuntimeKind.NATIVE:
            return cells
        programs = self._context.settings.programs
        flags = await flags_of(session, deployed.program, programs, lambda text: self._emit(Kind.NOTE, text))
        if not flags:
            return self._noted(cells, UNKNOWN_HELP)
        able: list[Cell] = []
        for cell in cells:
            missing = unknown_flags(cell, flags)
            if missing:
                reason = why_skipped(missing)
                self._recorder.skip(Skip(cell.device, cell.model, cell.variant, reason))
                self._emit(Kind.NOTE, f"{cell.model.name} {cell.variant.name} skipped: {reason}")
            else:
                able.append(cell)
        return tuple(able)

    async def _pin(self, session: Session, facts: Facts, cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
        """The cells, with a note on each setting that the device did not take."""
        held = await pin(session, self._device, facts)
        self._recorder.device(self._device.name, pinned=held.done, not_pinned=held.refused)
        for text in held.refused:
            cells = self._noted(cells, text)
        return cells

    async def _unpin(self, session: Session) -> None:
        left = await unpin(session, self._device)
        self._recorder.device(self._device.name, not_restored=left)
        for text in left:
            self._emit(Kind.NOTE, text)

    def _noted(self, cells: tuple[Cell, ...], note: str | None) -> tuple[Cell, ...]:
        """The cells with a note, which is told at once, too."""
        if note is None:
            return cells
        self._emit(Kind.NOTE, note)
        return tuple(replace(cell, notes=(*cell.notes, note)) for cell in cells)

    async def _prepare(self, here: OnDevice, cells: Sequence[Cell]) -> list[Ready]:
        """The cells that can be run: one whose preparation failed is closed by the recorder."""
        prepared: list[Ready] = []
        for cell in cells:
            if cell.preparations:
                self._step(cell.preparations[0].kind, cell)
            made, results = await prepare(here, ready(cell, here.deployed))
            if (cell.id, PREPARED) not in self._recorded:
                results = tuple(
                    replace(one, round=self._told_of_restarts(one.round)) if one.round else one
                    for one in results
                )
                await self._recorder.preparations(cell, results)
                self._recorded.add((cell.id, PREPARED))
                here.session.progress()
            prepared.append(made)
        return prepared

    async def _rounds(self, here: OnDevice, prepared: Sequence[Ready]) -> None:
        """All rounds in the order of the schedule, each collected and on disk before the next one."""
        by_id = {made.cell.id: made for made in prepared}
        self._order = self._order or schedule([made.cell for made in prepared], self._context.plan.seed)
        for number, (cell, one) in enumerate(self._order):
            # Closed: an earlier round of this cell failed.
            if self._recorder.is_closed(cell) or (cell.id, round_name(one)) in self._recorded:
                continue
            name = f"{cell.model.name} {cell.variant.name}"
            self._now = round_name(one), cell
            self._emit(Kind.ROUND, f"{name} {one.kind.value}", number, len(self._order))
            result = self._told_of_restarts(await run_round(here, by_id[cell.id], one))
            if result.engine:
                self._recorder.device(self._device.name, engine=result.engine)
            await self._recorder.round(cell, result, reproduce=by_hand(by_id[cell.id], here.deployed))
            self._recorded.add((cell.id, round_name(one)))
            here.session.progress()
            if result.status is RoundStatus.FAILED:
                self._emit(Kind.NOTE, f"{name}: {result.error}")

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
        self._emit(Kind.STEP, f"{cell.model.name} {cell.variant.name}: {text}" if cell else text)

    def _emit(self, kind: Kind, text: str, done: int = 0, total: int | None = None) -> None:
        self._context.listener(Event(self._device.name, kind, text, done, total))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
