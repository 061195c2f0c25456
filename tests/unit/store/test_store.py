"""The run directory and its JSON: whole or not at all, and safe whatever a device calls its files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.files import path_name
from farm.model.run import SCHEMA_VERSION, Results
from farm.store.codec import results_from_json, results_schema, results_to_dict, results_to_json
from farm.store.products import Product, ProductStore
from farm.store.runs import RunDirectory, find_run

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "tests" / "data" / "results").glob("*.json"))


def example() -> Results:
    return results_from_json(EXAMPLES[0].read_bytes(), str(EXAMPLES[0]))


def test_the_schema_in_docs_is_the_one_that_farm_prints() -> None:
    committed = json.loads((ROOT / "docs" / "schema" / "results.schema.json").read_text("utf-8"))
    assert committed == json.loads(json.dumps(results_schema())), (
        "farm schema results > docs/schema/results.schema.json"
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_results_survive_the_way_to_disk_and_fit_their_schema(path: Path) -> None:
    results = results_from_json(path.read_bytes(), str(path))
    written = results_to_json(results)
    assert results_from_json(written, "again") == results
    jsonschema.validate(json.loads(written), results_schema())
    assert results_to_dict(results)["run_id"] == results.run_id


@pytest.mark.parametrize(
    ("text", "word"),
    [("", "JSON"), ("{}", "schema_version"), ('{"schema_version": 1, "cells": 3}', "run_id"), ("[1", "JSON")],
)
def test_what_is_no_results_file_is_refused_by_name(text: str, word: str) -> None:
    with pytest.raises(RequestError, match=r"x\.json") as caught:
        results_from_json(text.encode(), "x.json")
    assert word in str(caught.value)


def test_version_1_is_still_read_with_its_stages_as_preparations() -> None:
    path = ROOT / "tests" / "data" / "results" / "version-1.json"
    written = json.loads(path.read_bytes())
    assert written["schema_version"] == 1
    stages = [one["kind"] for cell in written["cells"] for one in cell["stages"]]
    results = results_from_json(path.read_bytes(), str(path))
    assert results.schema_version == SCHEMA_VERSION
    assert [one.kind for cell in results.cells for one in cell.preparations] == stages == ["fast-run"]


def test_a_later_schema_version_is_refused(tmp_path: Path) -> None:
    later = results_to_dict(example()) | {"schema_version": 99}
    with pytest.raises(RequestError, match="version 99"):
        results_from_json(json.dumps(later).encode(), "x.json")


@given(st.text(max_size=200))
def test_a_path_name_is_one_safe_component(name: str) -> None:
    safe = path_name(name)
    assert safe not in {"", ".", ".."}
    assert "/" not in safe
    assert "\0" not in safe
    assert len(safe.encode()) < 128


@given(st.text(max_size=30), st.text(max_size=30))
def test_different_names_have_different_paths(one: str, other: str) -> None:
    assert (path_name(one) == path_name(other)) == (one == other)


def test_a_run_id_is_taken_once(tmp_path: Path) -> None:
    RunDirectory.create(tmp_path, "nightly")
    with pytest.raises(RequestError, match="already exists"):
        RunDirectory.create(tmp_path, "nightly")


def test_an_event_is_on_the_disk_before_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, flushed, fsync = RunDirectory.create(tmp_path, "run"), [], os.fsync

    def seen(handle: int) -> None:
        fsync(handle)
        flushed.append((run.path / "journal.jsonl").read_text())

    monkeypatch.setattr(os, "fsync", seen)
    run.journal("round", index=1)
    run.journal("end")
    assert flushed == ['{"event":"round","index":1}\n', '{"event":"round","index":1}\n{"event":"end"}\n']


def kept(run: RunDirectory, data: bytes, name: str) -> str:
    incoming = run.path / "artifacts" / ".incoming"
    incoming.write_bytes(data)
    under = run.cell_path("d", "m", "v", "timed-0")
    return run.keep(
        incoming, role="file", sha256=hashlib.sha256(data).hexdigest(), under=under, name=name
    ).path


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "a/../../b", "..", "a\0b", "a\nb", "~/x"]
)
def test_a_name_from_a_device_never_leaves_the_cells_folder(tmp_path: Path, name: str) -> None:
    run = RunDirectory.create(tmp_path, "run")
    path = run.path / kept(run, b"data", name)
    assert path.resolve().is_relative_to(run.path.resolve())
    assert path.parent.resolve().is_relative_to((run.path / "cells").resolve())
    assert path.read_bytes() == b"data"


def test_equal_files_are_kept_once_under_all_their_names(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path, "run")
    paths = {kept(run, b"same", "one"), kept(run, b"same", "two")}
    assert len(paths) == 2
    files = [path for path in (run.path / "artifacts").rglob("*") if path.is_file()]
    assert len(files) == 1


def test_latest_is_the_newest_run_and_a_missing_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="no runs"):
        find_run(tmp_path, "latest")
    run = RunDirectory.create(tmp_path, "one")
    run.write_results(example())
    assert find_run(tmp_path, "latest").run_id == "one"
    with pytest.raises(RequestError, match="no run 'two'"):
        find_run(tmp_path, "two")


def test_a_product_that_was_damaged_is_not_used(tmp_path: Path) -> None:
    store = ProductStore(tmp_path / "products")
    (tmp_path / "products").mkdir()
    source = tmp_path / "cache.bin"
    source.write_bytes(b"choices")
    digest = hashlib.sha256(b"choices").hexdigest()
    artifact = store.keep(Product("k" * 64, "fast-run", "cache.bin", digest, 7, 1.5, "run-1"), source)
    found = store.find("k" * 64)
    assert found is not None
    assert found[1] == artifact
    artifact.path.write_bytes(b"damaged")
    assert store.find("k" * 64) is None
    assert store.find("other") is None
