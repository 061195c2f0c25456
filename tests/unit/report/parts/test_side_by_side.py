"""Operators of a run side by side in its report: of variants, devices and runs."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.cli.main import main
from farm.errors import ExitCode
from farm.model.artifact import Produced
from farm.model.comparison import Change, Duel
from farm.model.matrix import RoundKind
from farm.model.run import RoundResult, RoundStatus
from farm.report.compose import compose
from farm.report.parts import side_by_side as parts
from farm.report.parts.operators import operators
from farm.report.render import render
from farm.report.views.side_by_side import OperatorsOfRun, SideBySide
from farm.store.codec import results_to_json
from farm.store.runs import RunDirectory, find_run
from tests.unit.cli.test_profiles import DATA, profiled_round, slower
from tests.unit.compare.made import cell, run, timed

Cells = dict[tuple[str, str], int]
"""How many profiles a device and variant have."""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copyfile(DATA, "p.json")


def keep(cells: Cells, name: str = "night", **fields: Any) -> RunDirectory:
    """A run of which every profile is the same; they are `DEVICE-VARIANT-NUMBER`."""
    folder = Path("runs") / name
    folder.mkdir(parents=True)
    made = []
    for (device, variant), number in cells.items():
        paths = [f"{device}-{variant}-{at}" for at in range(number)]
        for path in paths:
            shutil.copyfile("p.json", folder / path)
        profiled = (profiled_round(path, at) for at, path in enumerate(paths))
        made.append(cell(*timed([5.0, 5.0, 5.0]), *profiled, device=device, variant=variant))
    results = replace(run(*made), run_id=name, **fields)
    (folder / "results.json").write_bytes(results_to_json(results))
    return find_run(Path("runs"), name)


def shown(directory: RunDirectory) -> OperatorsOfRun:
    section: OperatorsOfRun = operators(directory, directory.results()).run["operators"]
    return section


def only(directory: RunDirectory) -> SideBySide:
    (group,) = shown(directory).groups
    return group


def page(directory: RunDirectory) -> str:
    """The section as HTML."""
    html = render(compose(directory.results(), operators(directory, directory.results())))
    return html[html.index('<section id="operators">') : html.index('<section id="cells">')]


def slow(directory: RunDirectory, cell_name: str, rounds: int = 3, **how: Any) -> None:
    for at in range(rounds):
        slower(directory.path / f"{cell_name}-{at}", **how)


def test_a_planted_slow_operator_comes_first_with_word_and_shade_and_is_the_top_bar() -> None:
    directory = keep({("arm-1", "old"): 3, ("arm-1", "new"): 3, ("arm-1", "same"): 3})
    slow(directory, "arm-1-new", by_ms=1.8)
    group = only(directory)
    assert group.title == "m on arm-1"
    assert [(one.name, one.profiles) for one in group.sides] == [
        ("old", "3 profiles"),
        ("new", "3 profiles"),
        ("same", "3 profiles"),
    ]
    row = group.rows[0]
    assert row.name == "second.Convolution"
    base, changed, same = row.cells
    assert base is not None
    assert changed is not None
    assert same is not None
    assert base.ratio == "0.041 ms"
    assert (changed.key, changed.symbol, changed.word, changed.shade) == ("slower", "\N{BLACK UP-POINTING TRIANGLE}", "slower", 4)  # fmt: skip
    assert (same.key, same.word, same.shade, same.ratio) == ("same", "no change shown", 0, "1.00")
    name, drawn = group.waterfalls[0]
    assert name == "new"
    assert (drawn.steps[1].name, drawn.steps[1].value) == ("second.Convolution (changed)", "+1.80 ms")
    html = page(directory)
    assert '<td class="slower shade-4"><b>44' in html
    assert "<script" not in html


def test_the_gap_between_the_operators_and_a_timed_inference_is_shown() -> None:
    directory = keep({("arm-1", "old"): 3, ("arm-1", "new"): 3})
    slow(directory, "arm-1-new", by_ms=1.8)
    told = {
        row.name: [one and (one.ratio, one.interval) for one in row.cells] for row in only(directory).totals
    }
    assert told == {
        "all operators": [("0.077 ms", ""), ("1.877 ms", "\N{MULTIPLICATION SIGN} 24.4")],
        "a timed inference": [("5.000 ms", ""), ("5.000 ms", "\N{MULTIPLICATION SIGN} 1.00")],
        "beside the operators": [("+4.923 ms", ""), ("+3.123 ms", "")],
    }


@pytest.mark.parametrize(("rounds", "word"), [(1, "one profile"), (2, "2 profiles")])
def test_fewer_than_three_profiles_decide_nothing_and_say_so(rounds: int, word: str) -> None:
    directory = keep({("arm-1", "old"): 3, ("arm-1", "new"): rounds})
    slow(directory, "arm-1-new", rounds, by_ms=1.8)
    group = only(directory)
    assert group.undecided == f"{word}: not decided what changed (new); 3 of each can tell: --profile-rounds"
    assert {one.word for row in group.rows for one in row.cells[1:] if one and one.word} == {"not decided"}
    assert "(changed)" not in group.waterfalls[0][1].steps[1].name
    assert f"{word}: not decided what changed" in page(directory)


def test_devices_are_compared_too_and_what_only_one_has_is_listed() -> None:
    directory = keep({("arm-1", "v"): 3, ("arm-2", "v"): 3})
    root = json.loads(DATA.read_text())
    gone = next(key for key, one in root["graph_exec"]["operator"].items() if one["type"] == "MatrixMul")
    for where in ("device", "host"):
        root["profiler"][where].pop(gone)
    for at in range(3):
        (directory.path / f"arm-2-v-{at}").write_text(json.dumps(root))
    group = only(directory)
    assert group.title == "m v, by device"
    assert [one.name for one in group.sides] == ["arm-1", "arm-2"]
    (alone,) = group.alone
    assert alone.side == "arm-1"
    assert "(MatrixMul, " in alone.operators[0]
    assert "Only in arm-1: " in page(directory)


def test_a_huge_run_has_a_bounded_section_that_names_the_command_for_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = 9
    directory = keep({(f"d{at}", variant): 1 for at in range(devices) for variant in ("a", "b")})
    slower(directory.path / "d7-a-0", by_ms=3.0)
    section = shown(directory)
    kinds = [group.title.rpartition(" ")[0] for group in section.groups]
    assert kinds == ["m on"] * parts.MOST_OF_A_KIND + ["m a, by", "m b, by"]
    assert section.notes[0].startswith("3 tables with smaller differences left out: farm profiles compare ")
    by_device = next(group for group in section.groups if group.title == "m a, by device")
    assert by_device.sides[0].name == "d0"
    assert "d7" in [one.name for one in by_device.sides]  # the one that differs most is not left out
    assert len(by_device.sides) == parts.MOST_SIDES
    assert len(by_device.rows) == parts.MOST_ROWS
    assert by_device.left[0].startswith("and 6 operators that differ less: ")
    left = by_device.left[1]
    assert left.startswith("3 columns whose sums differ less left out: ")
    command = shlex.split(left.partition(": ")[2])
    monkeypatch.setattr("sys.argv", [*command, "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code in (None, ExitCode.OK)
    assert len(json.loads(capsys.readouterr().out)["sides"]) == devices
    assert len(page(directory)) < 400_000


def test_what_takes_longer_than_in_the_run_that_it_was_compared_with_is_shown() -> None:
    keep({("arm-1", "v"): 3}, name="before")
    duels = (Duel("arm-1/m/v@baseline", "arm-1/m/v", Change.BUILD, since="before"),)
    directory = keep({("arm-1", "v"): 3}, duels=duels)
    slow(directory, "arm-1-v", by_ms=1.8)
    group = only(directory)
    assert group.title == "arm-1/m/v, before and now"
    assert [(one.name, bool(one.anchor)) for one in group.sides] == [
        ("run before", False),
        ("this run", True),
    ]
    assert group.rows[0].name == "second.Convolution"
    assert group.waterfalls[0][1].steps[1].name == "second.Convolution (changed)"
    assert group.command == "farm profiles compare before:arm-1/m/v night:arm-1/m/v"


@pytest.mark.parametrize("since", ["gone", "../before", "/etc", "", "x" * 5000, "night/../before"])
def test_a_run_before_that_is_gone_or_elsewhere_costs_nothing(since: str) -> None:
    keep({("arm-1", "v"): 3}, name="before")
    shutil.move("runs/before", "before")
    duels = (Duel("arm-1/m/v@baseline", "arm-1/m/v", Change.BUILD, since=since),)
    directory = keep({("arm-1", "v"): 3}, duels=duels)
    found = operators(directory, directory.results())
    assert found.run == {}
    assert found.cells["arm-1/m/v"]["operators"].rows


def test_algorithms_that_differ_are_told_at_their_operator() -> None:
    line = (
        "[26 10:44:14 setup_algo@algo_chooser.cpp:87][DEBUG] ConvolutionForward(second.Convolution): tensor "
        "layouts({{1(16)}} ) -> ({{1(10)}} )): algo={} workspace=0.00MiB attribute=9\n"
    )
    directory = keep({("arm-1", "old"): 3, ("arm-1", "new"): 3})
    slow(directory, "arm-1-new")
    results = directory.results()
    cells = []
    for one, algorithm in zip(results.cells, ("X86_F32_BLAS", "NAIVE"), strict=True):
        path = f"{one.variant}-stderr"
        (directory.path / path).write_text(line.format(algorithm))
        log = (Produced("stderr", path, "ab" * 32, 1),)
        verbose = RoundResult(RoundKind.INFO, 0, RoundStatus.COMPLETED, artifacts=log)
        cells.append(replace(one, rounds=(*one.rounds, verbose)))
    more = operators(directory, replace(results, cells=tuple(cells)))
    row = more.run["operators"].groups[0].rows[0]
    assert row.note == "algorithm X86_F32_BLAS (old), NAIVE (new)"
    assert more.cells["arm-1/m/new"]["operators"].rows[0].algorithm == "NAIVE"


def test_names_stay_text_in_the_tables_of_operators() -> None:
    directory = keep({("arm-1", "old"): 1, ("arm-1", "new"): 1})
    slower(directory.path / "arm-1-old-0", name="<script>alert(1)</script>\u202e" + "x" * 100_000)
    html = page(directory)
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "\u202e" not in html
    assert len(html) < 100_000


def test_layers_are_in_a_table_of_their_own() -> None:
    directory = keep({("arm-1", "old"): 3, ("arm-1", "new"): 3})
    slow(directory, "arm-1-new", name="second.deep.Convolution", by_ms=1.8)
    layers: dict[str, Any] = {row.name: row.cells for row in only(directory).layers}
    assert layers["second"][1].word == "faster"  # the operator is in another layer now
    assert layers["second.deep"][0] is None
    assert "<summary>By layer</summary>" in page(directory)


def test_a_run_with_one_profiled_cell_has_no_tables() -> None:
    directory = keep({("arm-1", "old"): 3, ("arm-1", "new"): 0})
    assert operators(directory, directory.results()).run == {}
