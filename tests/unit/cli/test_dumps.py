"""`farm dumps compare`: what it prints, its exit codes, and what an interruption leaves."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from farm.cli.dumps.tables import shown
from farm.errors import ExitCode
from farm.run.tensors.compare import How, compare_dumps
from tests.unit.cli.test_compare import Farm, farm
from tests.unit.run.test_tensors import put

__all__ = ["farm"]


@pytest.fixture
def dumps(tmp_path: Path) -> Path:
    long = b"a_rather_long_name_of_an_operator_as_exporters_make_them/with/parts[12]"
    for name, value in (("a", 1.0), ("b", 1.5), ("odd", 1.0)):
        put(tmp_path / name, 1, [1.0], b"in")
        put(tmp_path / name, 2, [value] * (3 if name == "odd" else 2), long, b"{id:1, layout:{1}}")
    return tmp_path


def test_what_diverges_is_code_1_with_check_only(farm: Farm, dumps: Path) -> None:
    code, out, _ = farm("dumps", "compare", "a", "b")
    assert code == ExitCode.OK
    assert "first diverging operator: a_rather_long_name" in out
    assert farm("dumps", "compare", "a", "b", "--check")[0] == ExitCode.REGRESSION
    assert farm("dumps", "compare", "a", "b", "--check", "--tolerance", "0.6")[0] == ExitCode.OK
    assert farm("dumps", "compare", "a", "a", "--check")[0] == ExitCode.OK


def test_where_nothing_compares_check_is_undecided(farm: Farm, dumps: Path) -> None:
    (dumps / "empty").mkdir()
    code, out, _ = farm("dumps", "compare", "a", "empty", "--check")
    assert code == ExitCode.UNDECIDED
    assert "there are no tensors in it" in out


def test_json_has_every_pair_and_nothing_else(farm: Farm, dumps: Path) -> None:
    code, out, _ = farm("dumps", "compare", "a", "b", "odd", "--json", "--check")
    found = json.loads(out)
    assert code == found["exit_code"] == 1
    wrong, odd = found["sides"]
    assert (wrong["compared"], wrong["beyond"], wrong["first"]["divergence"]) == (2, 1, "introduced")
    assert odd["pairs"][1]["difference"]["problem"] == "shape (3) instead of (2)"
    assert farm("dumps", "compare", "a", "b", "--json")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nope", "a"], "no dump 'nope'"),
        (["a", "latest:arm-1/m/v"], "no runs in runs"),
        (["a", "b", "--tolerance", "x"], "--tolerance x"),
        (["a"], "Missing argument"),
    ],
)
def test_a_dump_that_is_not_there_is_a_wrong_request(
    farm: Farm, dumps: Path, words: list[str], said: str
) -> None:
    code, _, err = farm("dumps", "compare", *words)
    assert code == ExitCode.REQUEST
    assert said in err


async def test_the_table_is_as_wide_as_a_terminal(dumps: Path) -> None:
    sides = [(name, [dumps / name]) for name in ("a", "b", "odd")]
    found = await compare_dumps(sides[0], sides[1:], How())
    screen = Console(width=80, record=True, file=io.StringIO())
    for one in shown(found, show_all=True):
        screen.print(one)
    lines = screen.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("introduced" in line for line in lines)
    assert any("not comparable" in line for line in lines)
