"""Stores by URL, the shared storage, lanes as documents, reasons to wait: without a server."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from farm.errors import ExitCode, RequestError
from farm.fleet.bundle import How, lane_document, plan_of, read_lane
from farm.fleet.client import LaneState
from farm.fleet.live import placed
from farm.fleet.nouns import VERSION, split_lane, store_url
from farm.fleet.shelf import LostError, ShelfError, patiently, shelf_of
from farm.fleet.waiting import WorkerState, explained
from farm.fleet.worker import Running
from farm.model.artifact import Produced
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.store.artifacts import artifact_of
from tests.unit.plans import plan_of as plan_for

SECRET = "hunter2-of-the-lab"


def test_farm_bench_imports_no_engine() -> None:
    code = "import sys, farm.cli.bench.bench, farm.cli.runs.resume; sys.exit('dbos' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_worker_without_lanes_imports_nothing_for_them(tmp_path: Path) -> None:
    heavy = {"pydantic", "ruamel.yaml", "asyncssh", "numpy", "scipy", "farm.store.codec"}
    code = f"import sys, farm.cli.main as m\ntry: m.main()\nfinally: print({heavy} & set(sys.modules))"
    (tmp_path / "lab.yaml").write_text("devices: {board: {address: 127.0.0.1, port: 1}}\n")
    words = ("worker", "--store", "sqlite:///store.db", "--inventory", "lab.yaml", "--ttl", "5", "--drain")
    done = subprocess.run(
        (sys.executable, "-c", code, *words), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"
    assert ": 1 devices, " in done.stderr


def test_a_worker_says_what_is_wrong_with_its_inventory(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text("devices: {board: {adress: 127.0.0.1}}\n")
    words = ("worker", "--store", "sqlite:///store.db", "--inventory", "lab.yaml", "--drain")
    done = subprocess.run(
        (sys.executable, "-m", "farm", *words), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.REQUEST
    assert "lab.yaml:1" in done.stderr
    assert "address" in done.stderr
    assert not (tmp_path / "store.db").exists()


@pytest.mark.parametrize("others_run", [False, True], ids=["no lane runs any more", "after a long time"])
def test_garbage_of_lanes_goes(monkeypatch: pytest.MonkeyPatch, others_run: bool) -> None:
    class Lane:
        itself: Lane

    running = Running(cast("Any", None), cast("Any", None), {"run/board": cast("Any", None)})
    lane = Lane()
    lane.itself, gone = lane, weakref.ref(lane)
    running.tidy()
    del lane
    gc.collect()
    assert gone() is not None, "what lanes keep is looked through all the time"
    if others_run:
        monkeypatch.setattr("farm.fleet.worker.TIDY_S", 0.0)
    else:
        running.tasks.clear()
    running.tidy()
    assert gone() is None


def test_no_text_of_a_store_has_its_password() -> None:
    url = store_url(f"postgresql://farm:{SECRET}@db.lab/farm")
    assert SECRET in url.connect
    for text in (str(url), repr(url), f"{url}", url.hide(f"cannot reach {url.connect}: {SECRET} is wrong")):
        assert SECRET not in text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no url",
        f"mysql://a:{SECRET}@b/c",
        f"postgresql://b/c?password={SECRET}",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
def test_what_is_no_store_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(RequestError) as refused:
        store_url(text)
    assert SECRET not in str(refused.value) + str(refused.value.hint)


@pytest.mark.parametrize("text", ["", "run", "run/", "/device", "a/b/c", "../x/y", "run/de vice", "r\n/d"])
def test_what_is_no_id_of_a_lane_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not the id of a lane"):
        split_lane(text)


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://key:word@bucket/x",
        "s3://bucket/x?a=b",
        "gs://bucket/x",
        "http://lab/x",
        "file://other-host/x",
        "ftp://x/y",
        "",
    ],
)
def test_what_is_no_storage_is_refused_by_name(url: str) -> None:
    with pytest.raises(RequestError, match="--artifacts"):
        shelf_of(url)


def test_a_file_is_in_the_storage_whole_and_as_its_digest_says(tmp_path: Path) -> None:
    shelf = shelf_of((tmp_path / "shared").as_uri())
    with pytest.raises(ShelfError, match="cannot be used"):
        shelf.put_bytes(b"not mounted")
    shelf.make()
    source = tmp_path / "model.mge"
    source.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    shelf.put(source, sha256)
    shelf.get(sha256, tmp_path / "here" / "model.mge", executable=True)
    assert (tmp_path / "here" / "model.mge").read_bytes() == b"weights"
    assert os.access(tmp_path / "here" / "model.mge", os.X_OK)
    with pytest.raises(LostError, match="changed"):
        shelf.put(source, "0" * 64)
    (tmp_path / "shared" / sha256[:2] / sha256).write_bytes(b"rotten!")
    with pytest.raises(LostError, match="another file"):
        shelf.get(sha256, tmp_path / "again")
    assert not list((tmp_path / "shared").rglob(".*"))
    assert not (tmp_path / "again").exists()


def test_a_file_in_the_place_of_the_storage_is_an_error_of_the_storage(tmp_path: Path) -> None:
    shelf = shelf_of((tmp_path / "shared").as_uri())
    (tmp_path / "shared").write_bytes(b"")
    source = tmp_path / "model.mge"
    source.write_bytes(b"weights")
    sha256 = hashlib.sha256(b"weights").hexdigest()
    for use in (
        lambda: shelf.put(source, sha256),
        lambda: shelf.put_bytes(b"weights"),
        lambda: shelf.get(sha256, source / "here"),
    ):
        with pytest.raises(ShelfError):
            use()


@pytest.mark.parametrize(
    ("path", "sha256"), [("cells/a", "../../../../etc/passwd"), ("../a", "0" * 64), ("cells/a", "0" * 64)]
)
def test_a_file_of_a_step_that_leads_elsewhere_is_lost(tmp_path: Path, path: str, sha256: str) -> None:
    shelf = shelf_of((tmp_path / "shared").as_uri())
    shelf.make()
    (tmp_path / "run").mkdir()
    with pytest.raises(LostError):
        placed(shelf, tmp_path / "run", Produced("stdout", path, sha256, 1))
    assert not any((tmp_path / "run").rglob("a"))


async def test_a_storage_that_is_away_is_waited_for_and_told_of_once(tmp_path: Path) -> None:
    shelf = shelf_of(str(tmp_path / "shared"))
    told: list[str] = []

    def put() -> str:
        if told:
            shelf.make()
        return shelf.put_bytes(b"x")

    assert await patiently(put, told.append, Deadlines())
    assert len(told) == 1
    assert "cannot be used" in told[0]


DEVICE = Device(
    "arm-1", Address("10.0.0.1", user="me", identity=(Path("/home/me/.ssh/key"),)),
    Runtime(RuntimeKind.NATIVE, program="load_and_run", on_device=True),
    environment=(("TOKEN", SECRET),),
)  # fmt: skip
HOW = How("run-1", "ann", ("farm", "submit"), "2026-11-27T00:00:00+00:00")


def document(tmp_path: Path) -> bytes:
    model = tmp_path / "m.mge"
    model.write_bytes(b"model")
    made = plan_for([DEVICE], [Model("m", artifact_of(model))], [Variant("plain", OptionSet())])
    return lane_document(made, DEVICE, HOW)[0]


def test_a_lane_has_no_secret_and_no_path_of_who_submitted(tmp_path: Path) -> None:
    data = document(tmp_path)
    for text in (SECRET, "/home/me", str(tmp_path), '"me"'):
        assert text not in data.decode()
    lane = read_lane(data, "run-1", "arm-1")
    here = replace(DEVICE, address=Address("elsewhere"), environment=(("TOKEN", "another"),))
    plan = plan_of(lane, tmp_path / "files", here)
    [cell] = plan.cells
    assert cell.device == here
    assert cell.model.artifact.path == tmp_path / "files" / cell.model.artifact.sha256 / "m.mge"


@pytest.mark.parametrize("place", ["model", "a model without its last key", "library", "overlay"])
def test_a_forged_document_has_no_file_of_the_worker_pushed(tmp_path: Path, place: str) -> None:
    """Its own files only: a key of the worker's machine is no model of whoever submits."""
    value = json.loads(document(tmp_path))
    stolen = "/etc/hostname"
    cell = value["plan"]["cells"][0]
    match place:
        case "model":
            cell["model"]["artifact"]["path"] = stolen
        case "a model without its last key":
            cell["model"]["artifact"] = {
                key: one for key, one in cell["model"]["artifact"].items() if key != "executable"
            } | {"path": stolen}
        case "library":
            cell["device"]["runtime"] |= {"libraries": [stolen], "on_device": False}
        case "overlay":
            cell["device"]["runtime"]["overlay"] = [["lib/x.so", stolen]]
    lane = read_lane(json.dumps(value).encode(), "run-1", "arm-1")
    with pytest.raises(RequestError, match="its plan names the file"):
        plan_of(lane, tmp_path / "files")


def test_a_device_that_is_another_at_its_site_is_refused_with_what_differs(tmp_path: Path) -> None:
    lane = read_lane(document(tmp_path), "run-1", "arm-1")
    for other, word in (
        (replace(DEVICE, cores=(("big", (4, 5)),)), "cores"),
        (replace(DEVICE, environment=()), "env"),
        (replace(DEVICE, workdir="/data"), "workdir"),
    ):
        with pytest.raises(RequestError, match=f"planned for: {word}"):
            plan_of(lane, tmp_path, other)


def test_a_document_of_something_else_is_refused(tmp_path: Path) -> None:
    value = json.loads(document(tmp_path))
    for change, word in (
        ({"version": "farm-0.0"}, "was submitted by farm-0.0"),
        ({"device": "arm-2"}, "is that of run-1/arm-2"),
        ({"files": {f"{'a' * 64}/..": False}}, "names the file"),
        ({"files": {"../../etc/passwd": False}}, "names the file"),
        ({"how": 3}, "none of farm's"),
    ):
        with pytest.raises(RequestError, match=word):
            read_lane(json.dumps(value | change).encode(), "run-1", "arm-1")
    for data in (b"", b"{", b"[]", b"\xff", b"[" * 100_000):
        with pytest.raises(RequestError):
            read_lane(data, "run-1", "arm-1")
    lane = read_lane(json.dumps(value | {"plan": {}}).encode(), "run-1", "arm-1")
    with pytest.raises(RequestError, match="none of this farm's"):
        plan_of(lane, tmp_path)


def lane_state(
    run: str, device: str = "arm-1", status: str = "ENQUEUED", version: str = VERSION
) -> LaneState:
    worker = "w1" if status == "PENDING" else None
    return LaneState(f"{run}/{device}", status, "lab", 1, "ann", worker, version, 1)


WORKER = WorkerState("w1", "lab", "host", VERSION, 1, 30.0, 1.0)


@pytest.mark.parametrize(
    ("found", "workers", "reason"),
    [
        ([lane_state("a")], [], "no worker at the site lab"),
        ([lane_state("a")], [replace(WORKER, silent_s=90.0)], "no worker at the site lab"),
        ([lane_state("a")], [replace(WORKER, site="far")], "no worker at the site lab"),
        ([lane_state("a", version="farm-9")], [WORKER], "needs a worker of farm-9"),
        ([lane_state("b", status="PENDING"), lane_state("a")], [WORKER], "arm-1 is busy with b of ann"),
        ([lane_state("b", "arm-2", "PENDING"), lane_state("a")], [WORKER], "all 1 places"),
        ([lane_state("b"), lane_state("a")], [replace(WORKER, parallel=2)], "behind 1 on arm-1"),
        ([lane_state("a")], [WORKER], "is next"),
        ([lane_state("a", status="PENDING")], [], "which gives no sign of life"),
    ],
)
def test_each_lane_that_waits_has_its_reason(
    found: list[LaneState], workers: list[WorkerState], reason: str
) -> None:
    assert reason in list(explained(found, workers))[-1].reason
