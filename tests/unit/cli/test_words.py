"""What a person looks for in the terminal: tables that break no name, reasons, what is pushed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console, RenderableType
from rich.text import Text

from farm.cli.bench.finish import finish
from farm.cli.bench.skips import REASONS_SHOWN, skips_of
from farm.cli.main import main
from farm.cli.terminal import tables
from farm.cli.terminal.comparisons import comparisons_table
from farm.cli.terminal.results import results_table
from farm.cli.terminal.tables import matrix, plan_table, simple_table
from farm.files import sha256_of
from farm.model.artifact import Artifact
from farm.model.comparison import Change, Comparison, Verdict
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model
from farm.model.options import OptionSet, Variant
from farm.model.run import CellStatus, Results, VariantRecord
from farm.store.runs import RunDirectory
from tests.data.results import make
from tests.unit.plans import plan_of

LONG = [f"layout-transform-on-big-cores-{number}" for number in range(14)]


def shown(monkeypatch: pytest.MonkeyPatch, width: int, table: Callable[[], RenderableType]) -> list[str]:
    terminal = io.StringIO()
    console = Console(file=terminal, width=width)
    monkeypatch.setattr(tables, "out", console)
    console.print(table())
    return terminal.getvalue().splitlines()


def many(names: list[str]) -> Results:
    """A run of these variants, each with the times of one."""
    results = make.small()
    cell = next(cell for cell in results.cells if cell.summary)
    return replace(
        results,
        variants=tuple(VariantRecord(name, {}, name) for name in names),
        cells=tuple(replace(cell, variant=name) for name in names),
    )


def test_no_name_is_broken_where_many_variants_meet_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = shown(monkeypatch, 80, lambda: results_table(many(LONG)))
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[2:]] == LONG
    assert all(line.split()[1].replace(".", "").isdigit() for line in lines[2:])


def test_variants_are_columns_where_there_is_room(monkeypatch: pytest.MonkeyPatch) -> None:
    few = LONG[:1]
    assert "│" in "".join(shown(monkeypatch, 80, lambda: results_table(many(few))))
    assert "│" in "".join(shown(monkeypatch, 2000, lambda: results_table(many(LONG))))


def test_the_name_of_a_row_is_not_broken_where_a_terminal_is_narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    run, reason = "20261128-090622-534e", "completed, " * 12
    rows = [(run, reason, reason), ("x", "y", "z")]
    lines = shown(monkeypatch, 80, lambda: simple_table(("run", "cells", "tags"), rows))
    assert any(line.startswith(run) for line in lines)
    assert max(map(len, lines)) <= 80
    endless = [("x" * 300, reason, reason)]
    assert max(map(len, shown(monkeypatch, 80, lambda: simple_table(("run", "a", "b"), endless)))) <= 80


def test_neither_a_verdict_nor_a_cell_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Comparison(
        "phone-2", "phone-2/tiny/plain", "phone-2/tiny/plain", Change.BUILD, Verdict.INCONCLUSIVE, ""
    )
    lines = shown(monkeypatch, 80, lambda: comparisons_table([one]))
    assert any("inconclusive  phone-2/tiny/plain" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_plan_of_many_variants_breaks_no_name_either(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device("arm-1", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
    model = Model("tiny", Artifact("tiny.mge", "0" * 64, 10, Path("tiny.mge")))
    plan = plan_of([device], [model], [Variant(name, OptionSet()) for name in LONG], rounds=3)
    lines = shown(monkeypatch, 80, lambda: plan_table(plan))
    assert lines[0] == "14 cells, 3 timed rounds each"
    assert [line.split() for line in lines[2:]] == [[name, "3"] for name in LONG]


def test_values_stand_below_each_other_also_with_wide_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["四线程" * 5, "a" * 40]
    lines = shown(monkeypatch, 50, lambda: matrix("t", names, [("d", "m", [Text("1.5"), Text("10.25")])]))
    assert lines[2:] == [f"  {names[0]}{' ' * 14}1.5", f"  {names[1]}  10.25"]


def test_a_reason_is_told_once_with_what_it_skipped() -> None:
    cells = [(f"d{number}", "m", f"v{number % 5}", "no GPU") for number in range(10)]
    told = skips_of(
        [*cells, ("d0", "m", "x", "no dot product"), ("d1", "m", "x", "old"), ("d1", "n", "x", "old")], "here"
    )
    assert told == [
        "skipped 10 cells of 10 devices (v0, v1, v2 and 2 more): no GPU",
        "skipped d0/m/x: no dot product",
        "skipped 2 cells of d1 (x): old",
    ]


def test_reasons_do_not_fill_the_screen() -> None:
    told = skips_of([("d", "m", "v", f"reason {number}") for number in range(300)], "--json shows them")
    assert len(told) == REASONS_SHOWN + 1
    assert told[-1] == "skipped 280 more cells for 280 other reasons: --json shows them"


def test_the_end_of_a_bench_tells_why_cells_were_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = make.small()
    first = replace(
        results.cells[0], status=CellStatus.SKIPPED, reason="needs the CPU feature asimddp", summary=None
    )
    finish(
        RunDirectory.create(tmp_path, "r"), replace(results, cells=(first, *results.cells[1:])), json=False
    )
    name = f"{first.device}/{first.model}/{first.variant}"
    assert f"skipped {name}: needs the CPU feature asimddp\n" in capsys.readouterr().err


def test_a_plan_counts_program_and_libraries_among_what_is_pushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And names them without the way that the inventory takes to them."""
    for name in ("load_and_run", "libmegengine.so"):
        content = name.encode() * 1000 if "so" in name else b"#!/bin/sh\n".ljust(12_000, b"#")
        (tmp_path / name).write_bytes(content)
    runtime = {"kind": "native", "program": "../load_and_run", "libraries": "../lib*.so"}
    there = {"kind": "native", "program": "~/load_and_run", "on_device": True}
    lab = tmp_path / "lab" / "inventory.yaml"
    lab.parent.mkdir()
    lab.write_text(json.dumps({"devices": {"pushed": {"runtime": runtime}, "there": {"runtime": there}}}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))

    def plan(*words: str) -> str:
        monkeypatch.setattr("sys.argv", ["farm", "plan", "-i", str(lab), "-m", "bundled:tiny", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    push = json.loads(plan("--json"))["push"]
    sizes = {name: sum(file["size_bytes"] for file in files) for name, files in push.items()}
    assert sizes["pushed"] == sizes["there"] + 12_000 + 15_000
    digests = {file["sha256"] for file in push["pushed"]} - {file["sha256"] for file in push["there"]}
    assert digests == {sha256_of(tmp_path / "load_and_run"), sha256_of(tmp_path / "libmegengine.so")}
    text = plan()
    assert f"pushed: 4 files, {sizes['pushed']:,} bytes of program, libraries, models and inputs" in text
    assert "native runtime (~/load_and_run of the device)" in text
    (tmp_path / "load_and_run").unlink()
    monkeypatch.setattr("sys.argv", ["farm", "plan", "-i", str(lab)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"no such file: {tmp_path}/load_and_run" in capsys.readouterr().err
