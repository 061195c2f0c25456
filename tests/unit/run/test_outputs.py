"""What is compared with what, with real files of outputs in a run directory."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.compare.outcome import exit_code
from farm.errors import ExitCode, Fault
from farm.files import sha256_of
from farm.model.artifact import Artifact, Produced
from farm.model.build import Build
from farm.model.comparison import Change, Comparing, Duel
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Cell, CheckData, Golden, Model, Plan, Round, RoundKind
from farm.model.options import OptionSet, Variant
from farm.model.outputs import Against, Check, Checking, CheckInput, OutputVerdict, Tolerance
from farm.model.run import CellResult, CellStatus, Results, RoundResult, RoundStatus, RunStatus
from farm.run.context import RunContext, Settings
from farm.run.outputs.between import compare_with_run
from farm.run.outputs.checker import check_device, check_devices
from farm.run.outputs.compare import compare_files
from farm.run.outputs.files import OutputFile
from farm.run.outputs.work import compare_runs
from farm.run.planned import Origin
from farm.run.record import Recorder
from farm.store.artifacts import artifact_of
from farm.store.cache.products import ProductStore
from farm.store.cache.programs import ProgramStore
from farm.store.runs import RunDirectory
from tests.unit.plans import plan_of
from tests.unit.run.test_tensors import put

NAME = b"var={id:81, layout:{2}, Float32, owner:o{T}, name:out, slot:0}"
ONE, OTHER, NEAR = (1.0, 2.0), (1.0, 2.5), (1.0, 2.0001)


def dump(values: Sequence[float], cut: int = 0) -> bytes:
    head = struct.pack("<10I", len(NAME), 0, 7, len(values), *(0,) * 6) + NAME
    whole = head + struct.pack(f"<{len(values)}f", *values)
    return whole[: len(whole) - cut]


def devices(*names: str) -> list[Device]:
    return [Device(name, Address(name), Runtime(RuntimeKind.NATIVE, "p")) for name in names]


class Lab:
    """A run of one model in which nothing is run: its check rounds' files are written here."""

    def __init__(self, folder: Path, names: Sequence[str] = ("d",), variants: Sequence[str] = ("v",)) -> None:
        model = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")), check=CheckData())
        plan = plan_of(devices(*names), [model], [Variant(name, OptionSet()) for name in variants])
        self.folder = folder
        check = Round(RoundKind.CHECK, 0, OptionSet())
        cells = tuple(replace(cell, rounds=(*cell.rounds, check)) for cell in plan.cells)
        self.plan = replace(plan, cells=cells, checking=Checking(Check.OUTPUTS))

    def with_build(self, name: str, change: Change, **more: object) -> None:
        """Each cell again in another build, in a duel with it."""
        others = [replace(cell, build=name) for cell in self.plan.cells]
        pairs = zip(self.plan.cells, others, strict=True)
        duels = tuple(Duel(one.id, other.id, change, **more) for one, other in pairs)  # type: ignore[arg-type]
        self.plan = replace(self.plan, cells=(*self.plan.cells, *others), duels=duels)

    def with_golden(self, values: Sequence[float]) -> Path:
        path = self.folder / "golden.npy"
        np.save(path, np.array(values, np.float32))
        golden = Golden("golden.npy", (("", artifact_of(path)),))
        check = CheckData(golden=golden)
        cells = (replace(cell, model=replace(cell.model, check=check)) for cell in self.plan.cells)
        self.plan = replace(self.plan, cells=tuple(cells))
        return path

    async def open(self) -> None:
        builds = tuple(Build(name) for name in dict.fromkeys(cell.build for cell in self.plan.cells))
        self.plan = replace(self.plan, builds=builds)
        self.directory = RunDirectory.create(self.folder / "runs", "r")
        self.recorder = await Recorder.open(self.directory, self.plan, Origin("1", (), ""))
        settings = Settings(
            "test", self.folder / "hosts", (), ProductStore(self.folder), ProgramStore(self.folder)
        )
        told: list[str] = []
        self.context = RunContext(
            self.plan,
            self.directory,
            self.recorder,
            settings,
            None,
            lambda e: told.append(e.text),
            time.monotonic,
        )

    def cell(self, number: int) -> Cell:
        return self.plan.cells[number]

    async def wrote(self, number: int, *runs: bytes) -> list[Path]:
        """What the check round of a cell wrote, a file for each inference."""
        cell = self.cell(number)
        paths = []
        for index, data in enumerate(runs):
            name = f"cells/{number}/check-0/out/outputs/run{index}-var81"
            path = self.directory.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            paths.append(Produced("bin-out-dump", name, "0" * 64, len(data)))
        result = RoundResult(RoundKind.CHECK, 0, RoundStatus.COMPLETED, artifacts=tuple(paths))
        await self.recorder.round(cell, result, reproduce="by hand", is_last=False)
        return [self.directory.path / one.path for one in paths]

    async def failed(self, number: int) -> None:
        result = RoundResult(
            RoundKind.CHECK, 0, RoundStatus.FAILED, fault=Fault.RUNTIME, cause="crash", error="it crashed"
        )
        await self.recorder.round(self.cell(number), result, reproduce="", is_last=False)

    async def timed(self, number: int) -> None:
        times = RoundResult(RoundKind.TIMED, 0, RoundStatus.COMPLETED, e2e_ms=(2.0,) * 10, value_ms=2.0)
        if not self.recorder.is_closed(self.cell(number)):
            await self.recorder.round(self.cell(number), times, reproduce="")

    async def end(self) -> Results:
        """Compare, time what is left, compare across devices."""
        for device in self.plan.devices:
            await check_device(self.context, device)
        for number in range(len(self.plan.cells)):
            await self.timed(number)
        await check_devices(self.context)
        return await self.recorder.end(RunStatus.COMPLETED, "")


def verdicts(results: Results, against: Against) -> list[str]:
    return [one.verdict.value for one in results.outputs if one.against is against]


def cell_of(results: Results, cell: Cell) -> CellResult:
    return next(one for one in results.cells if one.id == cell.id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def test_a_build_that_computes_something_else_fails_before_it_is_timed(folder: Path) -> None:
    lab = Lab(folder)
    lab.with_build("new", Change.BUILD)
    await lab.open()
    await lab.wrote(0, dump(ONE), dump(ONE))
    await lab.wrote(1, dump(OTHER), dump(OTHER))
    results = await lab.end()
    assert verdicts(results, Against.BASELINE) == ["wrong"]
    old, new = (cell_of(results, lab.cell(number)) for number in (0, 1))
    assert (old.status, old.summary is None) == (CellStatus.COMPLETED, False)
    assert (new.status, new.cause, new.fault, new.summary) == ("failed", "wrong-outputs", "runtime", None)
    assert new.error == (
        "wrong outputs against the baseline d/m/v: output 'out': 1 of 2 values beyond rtol 0.001, atol 2e-05, "
        "largest difference 0.5 at (1), signal-to-noise ratio 13.0 dB"
    )
    assert new.reproduce == "by hand"
    assert exit_code(results) is ExitCode.REGRESSION
    # The journal alone gives the same.
    assert replace(lab.directory.results(), losses=()) == results
    (lab.directory.path / "results.json").unlink()
    assert lab.directory.results().outputs == results.outputs


@pytest.mark.parametrize(
    ("change", "verdict", "code"),
    [(Change.NOTHING, "wrong", ExitCode.REGRESSION), (Change.MODEL, "finding", ExitCode.OK)],
)
async def test_another_model_may_compute_something_else(
    folder: Path, change: Change, verdict: str, code: ExitCode
) -> None:
    lab = Lab(folder)
    lab.with_build("new", change)
    await lab.open()
    await lab.wrote(0, dump(ONE))
    await lab.wrote(1, dump(OTHER))
    results = await lab.end()
    assert verdicts(results, Against.BASELINE) == [verdict]
    assert exit_code(replace(results, comparisons=())) is code


async def test_a_build_that_differs_from_itself_where_its_baseline_does_not_is_wrong(folder: Path) -> None:
    lab = Lab(folder)
    lab.with_build("new", Change.BUILD)
    await lab.open()
    await lab.wrote(0, dump(ONE), dump(ONE))
    await lab.wrote(1, dump(ONE), dump(OTHER))
    results = await lab.end()
    assert verdicts(results, Against.ITSELF) == ["equal", "not-comparable"]
    assert verdicts(results, Against.BASELINE) == ["wrong"]


async def test_a_model_that_differs_from_itself_is_named_and_not_compared(folder: Path) -> None:
    lab = Lab(folder, names=("a", "b"), variants=("v", "w"))
    await lab.open()
    for number in range(4):
        await lab.wrote(number, dump(ONE), dump(OTHER))
    results = await lab.end()
    assert {one.verdict for one in results.outputs} == {OutputVerdict.NOT_COMPARABLE}
    assert {one.against for one in results.outputs} == {Against.ITSELF}
    assert "m differs from itself" in results.outputs[0].sentence
    assert exit_code(results) is ExitCode.OK  # nothing was promised


async def test_a_promise_that_could_not_be_looked_at_is_undecided(folder: Path) -> None:
    lab = Lab(folder)
    lab.with_build("new", Change.BUILD)
    await lab.open()
    await lab.wrote(0, dump(ONE), dump(OTHER))
    await lab.wrote(1, dump(ONE), dump(OTHER))
    results = await lab.end()
    assert verdicts(results, Against.BASELINE) == ["not-comparable"]
    assert (
        results.outputs[-1].sentence
    ) == "against the baseline d/m/v: the baseline: it differs from itself"
    assert exit_code(results) is ExitCode.UNDECIDED
    results = replace(results, comparisons=())  # one round is too few for these
    assert exit_code(results) is ExitCode.UNDECIDED
    assert exit_code(replace(results, comparing=Comparing(max_undecided=1))) is ExitCode.OK


async def test_a_check_round_that_fails_costs_its_cell_nothing_but_the_check(folder: Path) -> None:
    lab = Lab(folder)
    await lab.open()
    await lab.failed(0)
    results = await lab.end()
    assert results.cells[0].status is CellStatus.COMPLETED
    assert results.cells[0].summary is not None
    assert [one.sentence for one in results.outputs] == ["its check round failed: it crashed"]


async def test_the_other_side_of_a_canary_is_not_compared(folder: Path) -> None:
    lab = Lab(folder)
    lab.with_build("again", Change.NOTHING, is_canary=True)
    await lab.open()
    await lab.wrote(0, dump(ONE))
    await lab.wrote(1, dump(OTHER))
    results = await lab.end()
    assert [(one.cell, one.against) for one in results.outputs] == [("d/m/v", Against.ITSELF)]


async def test_a_device_that_computes_something_else_is_a_finding_and_beyond_a_stated_tolerance_wrong(
    folder: Path,
) -> None:
    lab = Lab(folder, names=("a", "b", "c"))
    await lab.open()
    for number, values in enumerate((ONE, OTHER, NEAR)):
        await lab.wrote(number, dump(values))
    results = await lab.end()
    assert verdicts(results, Against.DEVICE) == ["finding", "within"]
    assert exit_code(results) is ExitCode.OK
    strict = Lab(folder / "strict", names=("a", "b"))
    strict.folder.mkdir()
    checking = Checking(Check.OUTPUTS, (Tolerance("float32", 1e-6, 0.0),))
    strict.plan = replace(strict.plan, checking=checking)
    await strict.open()
    await strict.wrote(0, dump(ONE))
    await strict.wrote(1, dump(NEAR))
    results = await strict.end()
    # It was timed before all devices were done: its times are kept, and do not count.
    cell = cell_of(results, strict.cell(1))
    assert (cell.status, cell.cause, cell.summary is None) == (CellStatus.FAILED, "wrong-outputs", False)
    assert exit_code(results) is ExitCode.REGRESSION


async def test_a_golden_file_that_was_changed_meanwhile_is_not_believed(folder: Path) -> None:
    lab = Lab(folder)
    path = lab.with_golden(OTHER)
    await lab.open()
    await lab.wrote(0, dump(ONE))
    np.save(path, np.array(ONE, np.float32))
    results = await lab.end()
    assert verdicts(results, Against.GOLDEN) == ["not-comparable"]
    assert "golden.npy cannot be read: it was changed" in results.outputs[-1].sentence
    assert exit_code(results) is ExitCode.UNDECIDED


@pytest.mark.parametrize("damage", ["truncated", "gone", "empty", "no dump"])
async def test_outputs_that_cannot_be_read_are_not_comparable(folder: Path, damage: str) -> None:
    lab = Lab(folder)
    lab.with_golden(ONE)
    await lab.open()
    data = {"truncated": dump(ONE, cut=3), "empty": b"", "no dump": b"x" * 200}.get(damage, dump(ONE))
    (path,) = await lab.wrote(0, data)
    if damage == "gone":
        path.unlink()
    results = await lab.end()
    assert verdicts(results, Against.GOLDEN) == ["not-comparable"]
    assert "run0-var81 cannot be read" in results.outputs[-1].sentence
    assert results.cells[0].status is CellStatus.COMPLETED


def file(path: Path, **more: object) -> OutputFile:
    return OutputFile(path, path.name, path.stat().st_size, **more)  # type: ignore[arg-type]


def test_a_dump_of_gigabytes_is_a_memory_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sparse here: what is read of it is its head, and chunks of the rest."""
    count = 6 << 20  # 24 MiB
    for name in ("a", "b"):
        with (tmp_path / name).open("wb") as stream:
            stream.write(struct.pack("<10I", len(NAME), 0, 7, count, *(0,) * 6) + NAME)
            stream.truncate(40 + len(NAME) + 4 * count)
    with (tmp_path / "a").open("r+b") as written:
        written.seek(-4, 2)
        written.write(struct.pack("<f", math.nan))
    mapped: list[tuple[object, ...]] = []
    real = np.memmap

    def mapping(*words: object) -> object:
        mapped.append(words)
        return real(*words)  # type: ignore[call-overload]

    monkeypatch.setattr(np, "memmap", mapping)
    found = compare_files([file(tmp_path / "a")], [file(tmp_path / "b")], Against.BASELINE, True, ())
    assert (found.verdict, found.tensors[0].elements, found.tensors[0].mismatches) == ("wrong", count, 1)
    assert found.tensors[0].nans == 1
    assert len(mapped) == 2


@pytest.mark.parametrize(("scale", "verdict"), [("0.1", "equal"), ("0.5", "wrong")])
def test_quantised_outputs_are_what_their_scales_make_of_them(
    tmp_path: Path, scale: str, verdict: str
) -> None:
    for name, its in (("a", "0.1"), ("b", scale)):
        text = NAME.replace(b"Float32", f"QuantizedS8<{its}>".encode())
        head = struct.pack("<10I", len(text), 100_002, 7, 4, *(0,) * 6) + text
        (tmp_path / name).write_bytes(head + bytes([10, 20, 30, 40]))
    found = compare_files([file(tmp_path / "b")], [file(tmp_path / "a")], Against.BASELINE, True, ())
    assert found.verdict == verdict
    assert found.tensors[0].scale == 0.1


def test_a_golden_file_of_many_megabytes_is_a_memory_map_too(tmp_path: Path) -> None:
    values = np.zeros(3 << 20, np.float32)  # 12 MiB
    np.save(tmp_path / "g.npy", values)
    (tmp_path / "a").write_bytes(
        struct.pack("<10I", len(NAME), 0, 7, values.size, *(0,) * 6) + NAME + values.tobytes()
    )
    golden = file(tmp_path / "g.npy", name="", sha256=sha256_of(tmp_path / "g.npy"))
    found = compare_files([file(tmp_path / "a")], [golden], Against.GOLDEN, True, ())
    assert (found.verdict, found.tensors[0].is_zero) == ("equal", True)


async def test_large_outputs_are_compared_in_a_process_of_their_own_with_a_deadline(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as stream:
        stream.write(struct.pack("<10I", len(NAME), 0, 7, 3 << 20, *(0,) * 6) + NAME)
        stream.truncate(40 + len(NAME) + (12 << 20))
    run = (file(tmp_path / "a"),)
    found = {}
    for limit_s in (60.0, 1e-9):
        deadlines = Deadlines(compare_outputs_s=limit_s)
        found[limit_s] = await compare_runs(
            run, run, Against.BASELINE, is_strict=True, stated=(), deadlines=deadlines
        )
    assert found[60.0].verdict is OutputVerdict.EQUAL
    assert found[1e-9].verdict is OutputVerdict.NOT_COMPARABLE
    assert "deadline compare-outputs" in found[1e-9].sentence


async def test_a_device_that_sends_odd_outputs_costs_no_more_than_its_check(folder: Path) -> None:
    """Names of a megabyte, runs that nobody asked for, more outputs than any model has."""
    lab = Lab(folder, names=("a", "b"))
    await lab.open()
    name = b"var={id:81, layout:{1}, Float32, owner:o{T}, name:" + b"n\x1b" * 500_000 + b", slot:0}"
    data = struct.pack("<10I", len(name), 0, 7, 1, *(0,) * 6) + name + b"\0" * 4
    await lab.wrote(0, data, data, b"junk", b"junk")
    many = [Produced("bin-out-dump", f"cells/1/run0-var{number}", "0" * 64, 4) for number in range(1001)]
    result = RoundResult(RoundKind.CHECK, 0, RoundStatus.COMPLETED, artifacts=tuple(many))
    await lab.recorder.round(lab.cell(1), result, reproduce="", is_last=False)
    results = await lab.end()
    assert verdicts(results, Against.ITSELF) == ["equal", "not-comparable"]
    assert len(results.outputs[0].tensors[0].name) < 300
    assert "\x1b" not in results.outputs[0].sentence
    assert results.outputs[1].sentence == "it has more than 1000 outputs"


async def test_two_nights_are_compared_where_their_inputs_were_the_same(folder: Path) -> None:
    nights = []
    for name, values in (("first", ONE), ("second", OTHER)):
        lab = Lab(folder / name)
        lab.folder.mkdir()
        await lab.open()
        await lab.wrote(0, dump(values))
        nights.append((await lab.end(), lab.directory.path))
    former, night = nights

    async def checked(other: Results) -> tuple[str, str | None]:
        (found,) = await compare_with_run(
            night, (other, former[1]), [(night[0].cells[0], other.cells[0])], deadlines=Settings.deadlines
        )
        return found.verdict, found.baseline_run

    assert await checked(former[0]) == ("wrong", "r")
    models = (replace(former[0].models[0], check_inputs=(CheckInput("data", "1" * 64, 0),)),)
    assert await checked(replace(former[0], models=models)) == ("not-comparable", "r")
    without = (replace(former[0].cells[0], rounds=()),)
    assert await checked(replace(former[0], cells=without)) == ("not-comparable", "r")


def test_the_plan_without_checks_compares_nothing() -> None:
    assert Plan((), (), (), (), (), 1, 0).checking.check is Check.OFF


async def test_with_every_tensor_the_first_operator_that_diverges_is_named(folder: Path) -> None:
    """The outputs of the second variant are wrong since its weight is, or agree although a tensor does not."""
    lab = Lab(folder, variants=("v", "w", "x", "y"))
    lab.plan = replace(lab.plan, checking=Checking(Check.ALL))
    await lab.open()
    for number, out in enumerate((ONE, OTHER, ONE, ONE)):
        await lab.wrote(number, dump(out), dump(out))
    for number, values in enumerate(((1.0, 2.0), (7.0, 7.0), (8.0, 8.0))):
        path = put(
            lab.directory.path / f"cells/{number}/tensors-0/out/tensors",
            5,
            list(values),
            b"mid",
            b"{id:1, layout:",
        )
        name = str(path.relative_to(lab.directory.path))
        made = Produced("bin-io-dump", name, "0" * 64, path.stat().st_size)
        result = RoundResult(RoundKind.TENSORS, 0, RoundStatus.COMPLETED, artifacts=(made,))
        await lab.recorder.round(lab.cell(number), result, reproduce="", is_last=False)
    failed = RoundResult(RoundKind.TENSORS, 0, RoundStatus.FAILED, error="5 bytes, more than 4 in a round")
    await lab.recorder.round(lab.cell(3), failed, reproduce="", is_last=False)
    results = await lab.end()
    one, two, three = (check for check in results.outputs if check.against is Against.VARIANT)
    assert (one.verdict, one.every and one.every.operator, one.every and one.every.beyond) == (
        "finding",
        "mid",
        1,
    )
    assert "first diverging operator: mid (T): 2 of 2 values" in one.sentence
    assert (two.verdict, two.tensors[0].mismatches) == ("finding", 0)
    assert three.verdict == "equal"
    assert "its round for every tensor failed: 5 bytes, more than 4 in a round" in three.sentence
    assert not any(cell.status is CellStatus.FAILED for cell in results.cells)
