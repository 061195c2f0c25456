"""The manifest of a run: what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.store.manifest import (
    Begin,
    KeptCell,
    KeptFile,
    KeptModel,
    KeptProduct,
    Manifest,
    append,
    read_manifest,
)

FILE = KeptFile("m.mge", "a" * 64, 3)
MODEL = KeptModel(id="m", name="m", kind="mdl", file=FILE)
CELL = KeptCell(cell="d/m/v", model="m", runtime="r")


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    product = KeptProduct(cell="d/m/v", key="k", kind="fast-run", file=FILE)
    append(path, [Begin(version=1, run_id="r"), MODEL])
    append(path, [CELL, product])
    assert read_manifest(path) == Manifest({"d/m/v": CELL}, {"m": MODEL}, {}, {"d/m/v": [product]})


def test_a_line_that_was_cut_or_damaged_costs_itself_alone(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    append(path, [MODEL])
    with path.open("ab") as stream:
        stream.write(b'{"line":"cell","cell":"x"}\n\xff\xfe\n{"line":"ce')
    append(path, [CELL])
    assert read_manifest(path) == Manifest({"d/m/v": CELL}, {"m": MODEL})


def test_a_run_without_a_manifest_kept_nothing(tmp_path: Path) -> None:
    assert read_manifest(tmp_path / "kept.jsonl") == Manifest()


def test_a_manifest_of_a_later_farm_is_refused_by_its_version(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    append(path, [Begin(version=2, run_id="r")])
    with pytest.raises(RequestError, match="unsupported version 2"):
        read_manifest(path)


def test_names_that_are_no_utf8_do_not_stop_a_run(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    append(path, [KeptCell(cell="d/m/v", model="\udce9", runtime="r")])
    assert read_manifest(path).cells["d/m/v"].model == "\\xe9"
