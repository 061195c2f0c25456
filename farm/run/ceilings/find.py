"""The ceilings of a device's profiled cells: given by the inventory, kept from before, or measured now.

Whatever fails here costs no cell anything: it is a note of the device.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from farm.analysis.operators.roofline import cache_key
from farm.device.restarts import AgainError
from farm.errors import DeviceError
from farm.model.device import Facts
from farm.model.matrix import Cell, RoundKind
from farm.model.operators import Ceilings
from farm.model.run import RoundStatus
from farm.options import words
from farm.options.core_sets import core_set, only_deciding
from farm.plan.ceilings import given_ceilings, is_profiled
from farm.plan.matrix import cells_of
from farm.run.ceilings.measure import Asked, NotMeasuredError, Say, ceiling_models, measure
from farm.run.context import OnDevice
from farm.run.disk import not_kept

MOST_CORE_SETS = 16
"""That are measured on one device."""
MOST_FAILURES = 2
"""Where so many could not be measured, nobody waits for the next ones."""

Note = Callable[[str], None]


async def find_ceilings(here: OnDevice, cells: Sequence[Cell], facts: Facts, say: Say, note: Note) -> None:
    """Record ceilings for the profiled of `cells`, or why there are none. `facts` are those that held.

    Raises AgainError when the device is lost meanwhile, and nothing else.
    """
    record = _Record(here, note)
    done: dict[tuple[str, ...], Ceilings] = {}
    failures = 0
    for asked in _asked(here, cells):
        options = asked.cell.variant.options
        given = given_ceilings(here.device, core_set(options.as_dict()), facts)
        if given is not None:
            record.found(
                Ceilings(given.gflops, given.gbps, "inventory", device=here.device.name, cores=asked.name)
            )
            continue
        if not here.context.plan.measures_ceilings:
            continue
        key = words(only_deciding(options))
        if key not in done and len(done) >= MOST_CORE_SETS:
            record.missing(asked.name, f"more than {MOST_CORE_SETS} core sets; the inventory can give them")
            continue
        if key not in done and failures >= MOST_FAILURES:
            record.missing(asked.name, f"not tried after {MOST_FAILURES} others that failed")
            continue
        try:
            if key not in done:
                done[key] = await _kept_or_measured(here, asked, facts, say, note)
        except NotMeasuredError as error:
            failures += 1
            record.missing(asked.name, str(error))
        except AgainError:
            record.missing(asked.name, "the device was restarted or out of reach meanwhile")
            raise
        except DeviceError as error:
            record.missing(asked.name, error.message)
            return  # what the device cannot do now, it cannot do for the next ones
        except Exception as error:  # noqa: BLE001 - a bug of farm, after all rounds are done
            here.context.recorder.fault(here.device.name, error)
            record.missing(asked.name, f"internal error in farm: {error!r}")
            return
        else:
            record.found(done[key])


class _Record:
    """What is known so far, on disk at once."""

    def __init__(self, here: OnDevice, note: Note) -> None:
        self._here = here
        self._note = note
        self._found: tuple[Ceilings, ...] = ()
        self._missing: tuple[str, ...] = ()

    def found(self, one: Ceilings) -> None:
        self._found += (one,)
        self._keep()

    def missing(self, name: str, why: str) -> None:
        self._missing += (f"{name}: {why}",)
        self._note(f"no ceilings of {name}: {why}")
        self._keep()

    def _keep(self) -> None:
        self._here.context.recorder.device(
            self._here.device.name, ceilings=self._found, no_ceilings=self._missing
        )


def _asked(here: OnDevice, cells: Sequence[Cell]) -> Iterator[Asked]:
    """Each core set once, with the first cell that has a profile: where none worked, nothing would here."""
    planned = {cell.id: cell for cell in cells_of(here.context.plan, here.device)}
    seen: set[str] = set()
    for cell in filter(is_profiled, cells):
        name = core_set(planned.get(cell.id, cell).variant.options.as_dict()).name
        if name in seen or cell.device.runtime not in here.deployed.programs or not _has_profile(here, cell):
            continue
        seen.add(name)
        yield Asked(name, cell)


def _has_profile(here: OnDevice, cell: Cell) -> bool:
    rounds = here.context.recorder.rounds(cell)
    return any(one.kind is RoundKind.PROFILE and one.status is RoundStatus.COMPLETED for one in rounds)


async def _kept_or_measured(here: OnDevice, asked: Asked, facts: Facts, say: Say, note: Note) -> Ceilings:
    """Raises as `measure`."""
    store = here.context.settings.ceilings
    place, key = await asyncio.to_thread(_keys, here, asked, facts)
    if store is not None and key is not None:
        kept = await asyncio.to_thread(store.find, place, key)
        if kept is not None:
            return replace(kept, device=here.device.name, cores=asked.name)
    found = await measure(here, asked, facts, say)
    if found.disturbed:
        note(f"the ceilings of {asked.name} may be too low, and are not kept: {found.disturbed}")
    elif store is not None and key is not None:
        try:
            await asyncio.to_thread(store.keep, place, key, found)
        except OSError as error:
            note(f"{not_kept(error)}: the next run measures the ceilings again")
    return found


def _keys(here: OnDevice, asked: Asked, facts: Facts) -> tuple[str, str | None]:
    """Where they are kept, and what they depend on; None where that is not known."""
    program = here.deployed.program(asked.cell)
    options = words(only_deciding(asked.cell.variant.options))
    models = tuple(file.sha256 for file in ceiling_models().values())
    digest = (program.linked or program.digest) if program.is_whole else None
    key = cache_key(device=here.device, facts=facts, options=options, program=digest, models=models)
    return f"{here.device.name} {' '.join(options)}", key
