"""What a mistake of farm itself costs."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.journal import FarmFault
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.model.run import CellStatus, RunStatus
from farm.run.context import RunContext, Settings
from farm.run.events import Event, Kind
from farm.run.lane import Lane
from farm.run.planned import Origin
from farm.run.record import Recorder
from farm.store.cache.products import ProductStore
from farm.store.cache.programs import ProgramStore
from farm.store.journal import read_journal
from farm.store.runs import RunDirectory
from farm.transport.base import Connection
from tests.unit.plans import plan_of


class Mistaken:
    """A transport with a bug."""

    async def connect(self) -> Connection:
        raise ZeroDivisionError("ours")


async def test_a_bug_of_farm_fails_the_cells_of_its_device_and_is_in_the_journal(tmp_path: Path) -> None:
    device = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
    model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
    plan = plan_of([device], [model], [Variant("v", OptionSet())])
    run = RunDirectory.create(tmp_path, "r")
    recorder = await Recorder.open(run, plan, Origin("1", (), ""))
    settings = Settings(
        "test", tmp_path / "known_hosts", (), ProductStore(tmp_path / "p"), ProgramStore(tmp_path / "f")
    )
    events: list[Event] = []
    context = RunContext(plan, run, recorder, settings, None, events.append, time.monotonic)
    await Lane(context, device, Mistaken()).go(asyncio.Semaphore(1))
    (cell,) = (await recorder.end(RunStatus.FAILED, "")).cells
    assert (cell.status, cell.fault, cell.cause) == (CellStatus.FAILED, "farm", "farm-fault")
    assert "journal.jsonl" in (cell.hint or "")
    assert events[-1].kind is Kind.FAILED
    events_kept = read_journal(run.path / "journal.jsonl").events
    assert [one.error for one in events_kept if isinstance(one, FarmFault)] == ["ZeroDivisionError('ours')"]
