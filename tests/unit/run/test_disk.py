"""A disk of this machine that fails: failed cells and noted losses, never the end of a run."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from farm.compare.outcome import exit_code
from farm.errors import DeviceError, ExitCode
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model, Plan, RoundKind
from farm.model.options import OptionSet, Variant
from farm.model.run import CellStatus, RoundResult, RoundStatus, RunStatus
from farm.run.bench import _guarded
from farm.run.context import RunContext, Settings
from farm.run.disk import HINTS
from farm.run.events import Event, Kind
from farm.run.lane import Lane
from farm.run.planned import Origin
from farm.run.record import Recorder
from farm.run.secrets import Hider
from farm.store.cache.products import ProductStore
from farm.store.cache.programs import ProgramStore
from farm.store.runs import RunDirectory
from farm.transport.base import Connection
from tests.unit.plans import plan_of

TIMED = RoundResult(RoundKind.TIMED, 0, RoundStatus.COMPLETED, e2e_ms=(2.0,) * 10, value_ms=2.0)


def plan_for(*devices: Device) -> Plan:
    model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
    return plan_of(devices, [model], [Variant("v", OptionSet()), Variant("w", OptionSet())])


def device(name: str = "d", **environment: str) -> Device:
    pairs = tuple(environment.items())
    return Device(name, Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL), environment=pairs)


async def opened(tmp_path: Path, plan: Plan) -> tuple[Recorder, RunDirectory]:
    run = RunDirectory.create(tmp_path, "r")
    return await Recorder.open(run, plan, Origin("1", (), "")), run


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and the journal's disk has no room any more."""

    def fill() -> None:
        def refuse(_file: object, _lines: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", "journal.jsonl")

        monkeypatch.setattr("farm.store.journal.JournalFile.append", refuse)

    return fill


async def test_a_round_that_cannot_be_kept_ends_its_device_and_stays_in_the_results(
    tmp_path: Path, full: Callable[[], None]
) -> None:
    plan = plan_for(device())
    recorder, _ = await opened(tmp_path, plan)
    first, second = plan.cells
    full()
    with pytest.raises(DeviceError) as caught:
        await recorder.round(first, TIMED, reproduce="")
    assert (caught.value.cause, caught.value.fault) == ("controller-disk", "user")
    assert caught.value.hint == HINTS[errno.ENOSPC]
    recorder.fail(plan.cells, caught.value)
    results = await recorder.end(RunStatus.PARTIAL, "")
    assert [cell.status for cell in results.cells] == [CellStatus.COMPLETED, CellStatus.FAILED]
    assert results.cells[0].rounds == (TIMED,)
    assert "of the journal could not be written: No space left" in results.losses[0]
    assert exit_code(results) is ExitCode.CELLS_FAILED
    assert second.id == results.cells[1].id


async def test_results_that_cannot_be_written_are_a_loss_and_no_success(tmp_path: Path) -> None:
    plan = plan_for(device())
    recorder, run = await opened(tmp_path, plan)
    for cell in plan.cells:
        await recorder.round(cell, TIMED, reproduce="")
    (run.path / "results.json").mkdir()  # cannot be replaced
    results = await recorder.end(RunStatus.COMPLETED, "")
    assert {cell.status for cell in results.cells} == {CellStatus.COMPLETED}
    assert "results.json could not be written" in results.losses[0]
    assert exit_code(results) is ExitCode.CELLS_FAILED
    (run.path / "results.json").rmdir()
    assert run.results().cells == results.cells  # the journal has it all


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "controller-disk"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "controller-disk"),
        (OSError(errno.EIO, "Input/output error"), "controller-disk"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "farm-fault"),
    ],
)
async def test_an_error_of_this_machines_disk_is_not_called_a_mistake_of_farm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, cause: str
) -> None:
    class Broken:
        async def connect(self) -> Connection:
            raise error

    plan = plan_for(device())
    recorder, run = await opened(tmp_path, plan)
    settings = Settings(
        "test", tmp_path / "known_hosts", (), ProductStore(tmp_path / "p"), ProgramStore(tmp_path / "f")
    )
    context = RunContext(plan, run, recorder, settings, None, lambda _: None, time.monotonic)
    await Lane(context, plan.devices[0], Broken()).go(asyncio.Semaphore(1))
    results = await recorder.end(RunStatus.FAILED, "")
    assert {cell.cause for cell in results.cells} == {cause}


def test_who_looks_on_hears_no_secret_and_no_more_after_it_failed() -> None:
    heard: list[Event] = []

    def closed(event: Event) -> None:
        heard.append(event)
        raise BrokenPipeError

    tell = _guarded(closed, Hider([device(HUB_TOKEN="hush-hush-4711")]))
    for _ in range(3):
        tell(Event("d", Kind.STEP, "it said hush-hush-4711"))
    assert [event.text for event in heard] == ["it said ***"]


async def test_half_characters_and_secrets_of_a_device_reach_no_file(tmp_path: Path) -> None:
    plan = plan_for(device(API_TOKEN="hush-hush-4711", MODE="r"), device("hush-hush"))
    recorder, run = await opened(tmp_path, plan)
    odd = "/caf\udce9 hush-hush-4711 \ud83d"
    recorder.device("d", error=odd, engine=odd)
    recorder.fault("d", ValueError(odd))
    failed = RoundResult(
        RoundKind.TIMED, 0, RoundStatus.FAILED, argv=(odd,), error=odd, hint=odd, notes=(odd,)
    )
    for cell in plan.cells:
        await recorder.round(cell, failed, reproduce=odd)
    results = await recorder.end(RunStatus.FAILED, "")
    assert run.results() == results
    assert results.cells[0].argv == (r"/caf\xe9 *** \ud83d",)
    assert results.devices[0].error == r"/caf\xe9 *** \ud83d"
    assert {cell.device for cell in results.cells} == {"d", "hush-hush"}
    written = [path for path in run.path.rglob("*") if path.is_file() and b"4711" in path.read_bytes()]
    assert written == []
