"""Which cells a device can run: by its facts, by its programs and by the flags of these.

The others are skipped, or failed, with the reason.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from farm.device.probe import pythons_to_ask
from farm.device.session import Session
from farm.errors import DeviceError
from farm.model.device import Device, Facts, Runtime, RuntimeKind
from farm.model.matrix import Cell, Skip
from farm.options import advice, applicable
from farm.plan.builds import resolved, runtimes_of
from farm.plan.flags import unknown_flags, why_skipped
from farm.plan.matrix import cells_of, on_cores, unfit
from farm.plan.rules import unwanted
from farm.run.context import RunContext
from farm.run.deploy import Deployed, Part, own_files_of
from farm.run.programs.program import OF_A_PROGRAM, UNKNOWN_HELP, Checked, check_program, flags_of

_T = TypeVar("_T")


class Fitting:
    """Of one device, through the steps of its lane. `note` is for people who watch."""

    def __init__(self, context: RunContext, device: Device, note: Callable[[str], None]) -> None:
        self._context = context
        self._device = device
        self._recorder = context.recorder
        self._note = note
        runtimes = (
            runtime for cell in cells_of(context.plan, device) for runtime in runtimes_of(context.plan, cell)
        )
        self.pythons: tuple[str, ...] = next(filter(None, map(pythons_to_ask, runtimes)), ())
        """The interpreters that the probe has to ask for."""

    def by_facts(self, facts: Facts) -> tuple[Cell, ...]:
        """The open cells that this device can run, with advice; the others are skipped with the reason."""
        fitting: list[Cell] = []
        for planned in cells_of(self._context.plan, self._device):
            if self._recorder.is_closed(planned):
                continue
            cell = resolved(self._context.plan, planned, facts)
            reason = cell if isinstance(cell, str) else self._misfit(cell, facts)
            if isinstance(cell, str) or reason is not None:
                self._skip(planned, reason or "")
            else:
                notes = (*cell.notes, *advice(cell.variant.options, facts=facts, device=cell.device))
                fitting.append(on_cores(replace(cell, notes=notes), facts))
        return tuple(fitting)

    def _skip(self, cell: Cell, reason: str) -> None:
        self._recorder.skip(Skip(cell.device, cell.model, cell.variant, reason, cell.build))

    def _misfit(self, cell: Cell, facts: Facts) -> str | None:
        """Why a cell cannot run on a device with these facts, by its options or by the suite's rules."""
        cannot = unfit(cell) or applicable(
            cell.variant.options, runtime=cell.device.runtime.kind, facts=facts, cores=cell.device.cores
        )
        rules = self._context.plan.rules
        return cannot or unwanted(
            rules, self._device, facts, model=cell.model.name, variant=cell.variant.name
        )

    async def look_at_programs(
        self, session: Session, facts: Facts, cells: tuple[Cell, ...]
    ) -> tuple[tuple[Cell, ...], dict[Runtime, Part]]:
        """The cells whose program this device can run, and what these programs are made of."""

        async def look(runtime: Runtime) -> Checked:
            pythons = pythons_to_ask(runtime)
            has = facts
            if pythons and pythons != self.pythons:
                has = await session.call(lambda agent: agent.probe(pythons))
            checked = await check_program(session, has, runtime, has_wheel=self._context.wheel is not None)
            return replace(checked, files=await own_files_of(runtime))

        cells, found = await self._with_each(cells, look)
        for runtime, checked in found.items():
            cells = self._noted(cells, checked.note, runtime)
        return cells, {runtime: Part(one.files, one.program, one.python) for runtime, one in found.items()}

    async def _with_each(
        self, cells: tuple[Cell, ...], step: Callable[[Runtime], Awaitable[_T]]
    ) -> tuple[tuple[Cell, ...], dict[Runtime, _T]]:
        """What a step gives for each runtime of the cells, and the cells whose runtime it can be done for.
        What is wrong with one program fails its own cells; with the only one, all of the device.
        """
        done: dict[Runtime, _T] = {}
        first: DeviceError | None = None
        for runtime in dict.fromkeys(cell.device.runtime for cell in cells):
            try:
                done[runtime] = await step(runtime)
            except DeviceError as error:
                if error.cause not in OF_A_PROGRAM:
                    raise
                first = first or error
                failed = [cell for cell in cells if cell.device.runtime == runtime]
                self._recorder.fail(failed, error)
                if len(failed) < len(cells):
                    builds = ", ".join(dict.fromkeys(cell.build for cell in failed))
                    self._note(f"build {builds} cannot be run here: {error.message}")
        if first and not done:
            raise first
        return tuple(cell for cell in cells if cell.device.runtime in done), done

    async def by_flags(
        self, session: Session, deployed: Deployed, cells: tuple[Cell, ...]
    ) -> tuple[Cell, ...]:
        """The cells whose options their native program has, by its --help; the others are skipped here.

        None is skipped for what another device said: that one may lie.
        """
        programs = self._context.settings.programs

        async def ask(runtime: Runtime) -> frozenset[str] | None:
            if runtime.kind is not RuntimeKind.NATIVE:
                return None
            program = deployed.programs[runtime]
            known = await flags_of(session, runtime, program, programs, self._note)
            mine = (cell for cell in cells if cell.device.runtime == runtime)
            if known.flags and any(unknown_flags(cell, known.flags) for cell in mine):
                known = await flags_of(session, runtime, program, programs, self._note, here=True)
            return known.flags

        cells, flags = await self._with_each(cells, ask)
        for runtime, known in flags.items():
            if known is not None and not known:
                cells = self._noted(cells, UNKNOWN_HELP, runtime)
        able: list[Cell] = []
        for cell in cells:
            known = flags[cell.device.runtime]
            missing = unknown_flags(cell, known) if known else ()
            if missing:
                reason = why_skipped(missing)
                self._skip(cell, reason)
                self._note(f"{cell.name} skipped: {reason}")
            else:
                able.append(cell)
        return tuple(able)

    def _noted(self, cells: tuple[Cell, ...], note: str | None, runtime: Runtime) -> tuple[Cell, ...]:
        """The cells, those of a runtime with a note, which is told at once, too."""
        if note is None:
            return cells
        self._note(note)
        return tuple(
            replace(cell, notes=(*cell.notes, note)) if cell.device.runtime == runtime else cell
            for cell in cells
        )
