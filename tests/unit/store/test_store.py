"""The run directory and its JSON: whole or not at all, and safe whatever a device calls its files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.files import path_name
from farm.model.run import SCHEMA_VERSION, Results
from farm.store.cache.products import Product, ProductStore
from farm.store.cache.programs import Known, ProgramStore
from farm.store.codec import results_from_json, results_schema, results_to_dict, results_to_json
from farm.store.folder import OUT
from farm.store.runs import RunDirectory, find_run

ROOT = Path(__file__).parents[3]
VALIDATOR = jsonschema.Draft202012Validator(results_schema())
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
    VALIDATOR.validate(json.loads(written))
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


def test_the_run_id_latest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="latest"):
        RunDirectory.create(tmp_path, "latest")
    assert list(tmp_path.iterdir()) == []


def kept(run: RunDirectory, data: bytes, name: str) -> str:
    folder = run.round_folder("d", "m", "v", "timed-0")
    incoming = folder.incoming()
    incoming.add(data)
    return folder.keep(incoming, role="file", name=f"{OUT}/{name}").path


@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "/etc/passwd", "a/../../b", "..x", "a\0b", "a\nb", "~/x", "caf\udce9"]
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
    for missing in ("two", "x" * 5000, "a\0b"):
        with pytest.raises(RequestError, match="no run "):
            find_run(tmp_path, missing)


def test_a_report_that_is_rendered_again_does_not_make_its_run_the_latest(tmp_path: Path) -> None:
    for name, started in (("z-old", "2026-11-23T10:00:00+00:00"), ("a-new", "2026-11-24T10:00:00+00:00")):
        run = RunDirectory.create(tmp_path, name)
        run.begin(replace(example(), run_id=name, started_at=started)).close()
        run.write_results(example())
    RunDirectory(tmp_path / "z-old").write_report("<html>")
    assert find_run(tmp_path, "latest").run_id == "a-new"


@pytest.mark.parametrize("plan", [b"", b"[]", b"{}", b'{"started_at": 3}', b'{"started_at": "noon"}'])
def test_a_run_that_does_not_say_when_it_began_is_as_old_as_its_files(tmp_path: Path, plan: bytes) -> None:
    run = RunDirectory.create(tmp_path, "run")
    (run.path / "run.json").write_bytes(plan)
    assert run.started() == (run.path / "run.json").stat().st_mtime


def test_what_farm_keeps_is_for_its_user_only(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "runs", "run")
    run.begin(example()).close()
    run.write_results(example())
    run.write_report("<html>")
    kept(run, b"data", "p.json")
    ProgramStore(tmp_path / "cache" / "programs").keep("0" * 64, Known(frozenset({"iter"}), "d"))
    source = tmp_path / "product"
    source.write_bytes(b"choices")
    store = ProductStore(tmp_path / "cache" / "products")
    store.keep(
        Product("k", "fast-run", "cache.bin", hashlib.sha256(b"choices").hexdigest(), 7, 1.0, "r"), source
    )
    open_to_others = [
        path
        for top in (run.path, tmp_path / "cache")
        for path in (top, *top.rglob("*"))
        if not path.is_symlink()
        and path.stat().st_mode & 0o077
        and not path.is_relative_to(run.path / "cells" / "d")
    ]
    assert open_to_others == []


def test_results_with_half_characters_are_written_all_the_same() -> None:
    odd = replace(example(), run_id="caf\udce9 \ud83d")
    written = json.loads(results_to_json(odd))
    assert written["run_id"] == results_to_dict(odd)["run_id"] == r"caf\xe9 \ud83d"


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
    # Made again, it takes the place of the damaged one.
    store.keep(Product("k" * 64, "fast-run", "cache.bin", digest, 7, 1.5, "run-2"), source)
    assert store.find("k" * 64) is not None
    assert store.find("other") is None
