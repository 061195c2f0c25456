"""A run can be had again with the bytes that it had, or says what is gone."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from farm.files import digest_path
from farm.model.artifact import Artifact
from farm.model.build import INVENTORY_BUILD, Build, BuildChoice
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, InputFile, InputSpec, Model, Plan
from farm.model.options import Variant
from farm.model.request import Request
from farm.model.run import Results
from farm.options import parse
from farm.plan.baseline import Gone, baseline_cells
from farm.plan.layout import model_tree, native_digest, own_files
from farm.plan.matrix import Sources, choose, make_plan
from farm.plan.models import option_files
from farm.run.keeping import Keeper
from farm.run.measure.against import against
from farm.run.planned import Origin, planned_results
from farm.store.artifacts import artifact_of
from farm.store.cache.kept import KeptStore, Space
from farm.store.cache.products import Product, ProductStore
from farm.store.manifest import MANIFEST
from farm.store.runs import RunDirectory

BUILD = ("lr", "lib.so", "over.so", "first.so", "second.so")
"""Files of the build that is overwritten."""


@dataclass
class Night:
    """A run of yesterday, whose files were overwritten since."""

    folder: Path
    plan: Plan
    run: RunDirectory
    kept: KeptStore
    results: Results

    def cells(self, *devices: Device) -> tuple[Any, ...]:
        """Cells or what is Gone."""
        return baseline_cells(self.run, self.results, devices or self.plan.devices, self.kept)

    def path(self, artifact: Artifact) -> Path:
        return digest_path(self.kept.root, artifact.sha256)


def written(folder: Path, name: str) -> str:
    path = folder / name
    path.write_bytes(f"{name} of yesterday".encode())
    return str(path)


def runtimes(folder: Path) -> tuple[Runtime, Runtime]:
    paths = {name: written(folder, name) for name in BUILD}
    preload = (paths["first.so"], paths["second.so"])
    native = Runtime(
        RuntimeKind.NATIVE,
        paths["lr"],
        (paths["lib.so"],),
        overlay=(("lib/over.so", paths["over.so"]),),
        preload=preload,
    )
    return native, Runtime(RuntimeKind.WHEEL, overlay=(("lib/over.so", paths["over.so"]),), preload=preload)


@pytest.fixture
async def night(tmp_path: Path) -> Night:
    folder = tmp_path / "builds"
    folder.mkdir()
    native, wheel = runtimes(folder)
    written(folder, "opr.so")
    device = Device("arm-1", Address("h"), native, cores=(("big", (4, 5)),))
    data = artifact_of(Path(written(folder, "x.npy")))
    model = Model(
        "net",
        artifact_of(Path(written(folder, "net.mge"))),
        InputSpec("data:x.npy", "data:{0}", (InputFile("data", data),)),
        notes=("a note",),
    )
    options = f"--c-opr-lib {folder / 'opr.so'} --multithread 2 --multi-thread-core-ids big"
    variants = (Variant("v", parse(options.split())), Variant("f", parse(["--fast-run"])))
    new = Build("new", (BuildChoice((), wheel),))
    sources = Sources(
        (device,), (model,), variants, 2, files=option_files(variants), builds=(INVENTORY_BUILD, new)
    )
    matrix = choose(sources)
    plan = make_plan(sources, matrix, matrix.models)
    run = RunDirectory.create(tmp_path / "runs", "yesterday")
    kept = KeptStore(tmp_path / "kept")
    built = {cell.device.runtime: own_files(cell.device.runtime) for cell in plan.cells}
    await Keeper(kept, run).keep(plan.cells, built, pytest.fail)
    results = planned_results("yesterday", plan, Origin("1", (), ""))
    for path in folder.iterdir():
        path.write_bytes(b"of today")
    return Night(folder, plan, run, kept, results)


def bytes_of(cell: Cell) -> dict[str, bytes]:
    """All that is pushed for a cell, by its name on the device."""
    files = (*own_files(cell.device.runtime), *model_tree(cell.model).files, *cell.files)
    return {name: artifact.path.read_bytes() for name, artifact in files}


async def test_what_was_pushed_can_be_had_again_after_its_folder_was_overwritten(night: Night) -> None:
    cells = night.cells()
    assert [cell.id for cell in cells] == [
        "arm-1/net/v@baseline", "arm-1/net/v@baseline-new", "arm-1/net/f@baseline", "arm-1/net/f@baseline-new",
    ]  # fmt: skip
    for old, planned in zip(cells, night.plan.cells, strict=True):
        content = bytes_of(old)
        assert all(data.endswith(b" of yesterday") for data in content.values())
        assert content["preload/0.so"].startswith(b"first.so")  # in their order
        assert content["lib/over.so"].startswith(b"over.so")
        assert old.rounds == planned.rounds
        assert old.preparations == planned.preparations
        assert old.variant == planned.variant
        assert replace(old.device, runtime=planned.device.runtime) == planned.device
        assert model_tree(old.model).name == model_tree(planned.model).name
    native = own_files(cells[0].device.runtime)
    assert [name for name, _ in native][:3] == ["load_and_run", "lib/lib.so", "lib/over.so"]
    assert native_digest(native) != native_digest(own_files(night.plan.cells[0].device.runtime))


async def test_the_device_of_a_baseline_is_that_of_the_present_inventory(night: Night) -> None:
    moved = replace(night.plan.devices[0], address=Address("elsewhere"))
    assert {cell.device.address.host for cell in night.cells(moved)} == {"elsewhere"}
    assert night.cells(replace(moved, name="arm-2"))[0] == Gone(
        "arm-1/net/v", "the inventory has no device arm-1, or it is not selected"
    )


FILE = {"name": "x", "sha256": "../../x", "size_bytes": 1}
Harm = Callable[[Night], object]


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda n: n.path(n.plan.models[0].artifact).unlink(), "model net.mge (sha256 "),
        (lambda n: n.path(n.plan.models[0].artifact).write_bytes(b"rot"), "is not kept any more"),
        (lambda n: n.path(n.plan.models[0].inputs.files[0].artifact).unlink(), "input x.npy"),
        (lambda n: n.path(n.plan.cells[0].files[0][1]).unlink(), "file of --c-opr-lib opr.so"),
        (lambda n: (n.run.path / MANIFEST).unlink(), "nothing of it was kept"),
        (lambda n: (n.run.path / MANIFEST).write_bytes(b"\xff\n"), "nothing of it was kept"),
        (lambda n: edit(n, "model", "id", "another"), "is damaged"),
        (lambda n: edit(n, "runtime", "program", "/data/lr"), "was on the device (/data/lr)"),
        (lambda n: edit(n, "runtime", "files", [["../x", FILE]]), "not kept any more"),
        (lambda n: edit(n, "begin", "version", 9), "unsupported version 9"),
    ],
)
async def test_what_is_gone_is_a_reason_and_never_an_error(night: Night, harm: Harm, says: str) -> None:
    harm(night)
    found = night.cells()[0]
    assert isinstance(found, Gone)
    assert found.cell == "arm-1/net/v"
    assert says in found.reason


def edit(night: Night, line: str, key: str, value: object) -> None:
    path = night.run.path / MANIFEST
    lines = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    path.write_text(
        "".join(json.dumps(one | ({key: value} if one["line"] == line else {})) + "\n" for one in lines)
    )


async def test_a_name_that_leads_out_of_its_folder_is_no_baseline(night: Night) -> None:
    sha256 = night.plan.models[0].artifact.sha256
    evil = ["../../.bashrc", {"name": "x", "sha256": sha256, "size_bytes": 1}]
    edit(
        night, "runtime", "files", [["load_and_run", {"name": "x", "sha256": sha256, "size_bytes": 1}], evil]
    )
    assert "is damaged" in night.cells()[0].reason


async def test_options_that_nobody_knows_any_more_are_a_reason(night: Night) -> None:
    (first, *_) = night.results.cells
    night.results = replace(night.results, cells=(replace(first, options={"gone-flag": True}),))
    assert "options are not known any more" in night.cells()[0].reason


async def test_products_of_searches_are_put_back_into_their_cache(
    night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FARM_CACHE_DIR", str(night.kept.root.parent))
    source = tmp_path / "fast-run.cache"
    source.write_bytes(b"algorithms")
    artifact = artifact_of(source)
    product = Product(
        "c" * 64, "fast-run", source.name, artifact.sha256, artifact.size_bytes, 3.0, "yesterday"
    )
    await Keeper(night.kept, night.run).keep_product(night.plan.cells[2], product, artifact, pytest.fail)
    source.unlink()
    products = ProductStore(tmp_path / "products")
    night.run.write_results(night.results)
    request = Request(baseline="yesterday")
    await asyncio.to_thread(against, night.plan, request, tmp_path / "runs", products)
    found, again = products.find("c" * 64)
    assert found == product
    assert again.path.read_bytes() == b"algorithms"


async def test_what_cannot_be_kept_is_a_note_and_is_told_once(tmp_path: Path, night: Night) -> None:
    class Full(KeptStore):
        def keep(self, artifact: Artifact, space: Space | None = None) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.root))

    notes: list[str] = []
    keeper = Keeper(Full(tmp_path / "full"), RunDirectory.create(tmp_path / "runs", "other"))
    cells = night.plan.cells
    built = {cell.device.runtime: own_files(cell.device.runtime) for cell in cells}
    model = night.plan.models[0].artifact
    for _ in range(2):
        await keeper.keep(cells, built, notes.append)
    assert notes == [f"not kept for later comparisons: {tmp_path / 'full'}: No space left on device"]
    changed = Keeper(night.kept, RunDirectory.create(tmp_path / "runs", "third"))
    digest_path(night.kept.root, model.sha256).unlink()
    await changed.keep(cells[:1], built, notes.append)
    assert "net.mge was changed or removed" in notes[-1]


async def test_the_event_loop_goes_on_while_files_are_kept(tmp_path: Path, night: Night) -> None:
    """`blockbuster` would see it; here a slow disk, that another lane does not wait for in vain."""
    goes_on = threading.Event()

    class Slow(KeptStore):
        def keep(self, artifact: Artifact, space: Space | None = None) -> None:
            assert goes_on.wait(60)

    keeper = Keeper(Slow(tmp_path / "slow"), RunDirectory.create(tmp_path / "runs", "slow"))
    built = {cell.device.runtime: own_files(cell.device.runtime) for cell in night.plan.cells}
    task = asyncio.create_task(keeper.keep(night.plan.cells, built, pytest.fail))
    await asyncio.sleep(0)
    goes_on.set()
    await task
