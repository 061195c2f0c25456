"""`farm dumps compare`: what it prints, its exit codes, and what an interruption leaves."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from farm.cli.dumps.tables import shown
from farm.cli.terminal import tables
from farm.errors import ExitCode
from farm.run.tensors.compare import How, compare_dumps
from tests.unit.cli.test_compare import Farm, farm
from tests.unit.run.test_tensors import put

__all__ = ["farm"]

SAMPLES = Path(__file__).parent.parent / "dumps" / "data"


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


def test_who_shares_the_work_out_to_others_imports_nothing_that_only_they_need(tmp_path: Path) -> None:
    """What a process does alone cannot be made shorter by more of them."""
    heavy = {"numpy", "pydantic", "jinja2", "asyncssh"}
    for name in "ab":
        put(tmp_path / name, 1, [1.0] * (2 << 20))
    code = f"import sys, farm.cli.main as m\ntry: m.main()\nfinally: print({heavy} & set(sys.modules))"
    words = (sys.executable, "-c", code, "dumps", "compare", "a", "b", "--jobs", "2")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "all 1 tensors agree" in done.stdout
    assert done.stdout.splitlines()[-1] == "set()"


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


async def test_the_table_is_as_wide_as_a_terminal(dumps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sides = [(name, [dumps / name]) for name in ("a", "b", "odd")]
    found = await compare_dumps(sides[0], sides[1:], How())
    screen = Console(width=80, record=True, file=io.StringIO())
    monkeypatch.setattr(tables, "out", screen)
    for one in shown(found, show_all=True):
        screen.print(one)
    lines = screen.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("introduced" in line for line in lines)
    assert any("not comparable" in line for line in lines)


def test_the_planned_memory_is_shown_with_its_peak_and_who_holds_it(farm: Farm, tmp_path: Path) -> None:
    plan = SAMPLES / "StaticMemoryInfo.json"
    code, out, _ = farm("dumps", "memory", str(plan), "--all")
    found = json.loads(farm("dumps", "memory", str(SAMPLES), "--json")[1])
    assert code == ExitCode.OK
    assert f"peak: {found['peak_bytes']:,} bytes in use at step {found['peak_step']}" in out
    assert sum(one["size_bytes"] for one in found["holders"]) == found["peak_bytes"]
    assert max(one["used_bytes"] for one in found["steps"]) == found["peak_bytes"]
    broken = tmp_path / "broken.json"
    broken.write_bytes(plan.read_bytes()[:200])
    for path, said in ((broken, "is not JSON"), (tmp_path / "gone", "no such file")):
        code, _, err = farm("dumps", "memory", str(path))
        assert (code, said in err) == (ExitCode.REQUEST, True)
    broken.write_bytes(b"")
    os.truncate(broken, (256 << 20) + 1)
    assert "more than 268,435,456" in farm("dumps", "memory", str(broken))[2]
