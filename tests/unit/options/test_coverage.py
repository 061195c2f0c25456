"""Every option is tested on each runtime, and what farm says of the wheel runtime is what its program does."""

from __future__ import annotations

import ast
import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from farm import resources
from farm.model.device import RuntimeKind
from farm.options import CATALOGUE, Option, Works
from farm.options.catalogue.fusion import BY_SYMBOLS
from farm.options.row import NOTHING
from farm.options.rules import RULES
from tests.wheel.routes import routes

TESTS = Path(__file__).parents[2]
BY_FLAG = {row.flag: row for row in CATALOGUE if row.flag is not None}
NO_PROGRAM = "no program of MegEngine 1.13 has it"
PACKING = "recorded with --packed-model-dump alone; the wheel's program writes the same layout"
WITHOUT_TRANSCRIPT = {
    "rocm": NO_PROGRAM,
    "rocm-enable-miopen-search": NO_PROGRAM,
    "c-opr-init-interface": "recorded with the usual entry point only; the wheel's program has both",
    "pack-info-json": PACKING,
    "pack-cache": PACKING,
    "pack-info-cryption": PACKING,
    "pack-model-cryption": PACKING,
}
"""Options that no recorded run of the native program has, and why."""


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the wheel runtime's program, for the time of a test."""
    monkeypatch.syspath_prepend(str(resources.folder("agents") / "wheel"))
    before = set(sys.modules)
    yield import_module
    for name in set(sys.modules) - before:
        del sys.modules[name]


def flags_in(words: list[str]) -> set[str]:
    """The flags among the words of a command, with dashes."""
    return {
        word.lstrip("-").partition("=")[0].replace("_", "-") for word in words if re.match(r"--?[a-z]", word)
    }


def words_in_source(path: Path) -> list[str]:
    """The texts in a module's code, docstrings and comments aside (a command's word is a text of its own)."""
    nodes = ast.walk(ast.parse(path.read_text("utf-8")))
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_every_option_has_a_test_with_the_wheels_program() -> None:
    tested = set[str]()
    for path in (TESTS / "wheel").glob("test_*.py"):
        tested |= flags_in(words_in_source(path))
    assert {row.name for row in CATALOGUE} - tested == set()


def test_every_option_has_a_recorded_run_of_the_native_program_or_a_reason_why_not() -> None:
    recorded = set[str]()
    for path in (TESTS / "data" / "transcripts").glob("*.json"):
        recorded |= flags_in(shlex.split(json.loads(path.read_text("utf-8"))["command"]))
    assert {row.name for row in CATALOGUE} - recorded == set(WITHOUT_TRANSCRIPT)


def test_the_catalogue_and_the_wheels_program_name_the_same_flags() -> None:
    assert set(routes()) == set(BY_FLAG)
    assert all((row.wheel.works is Works.NO) == (row.flag not in routes()) for row in CATALOGUE)


def is_said(row: Option) -> bool:
    """Whether farm has a word about what goes wrong with an option of the wheel runtime."""
    ruled = any(row.name in rule.names and RuntimeKind.WHEEL in rule.runtimes for rule in RULES)
    return bool(row.wheel.why or row.traps or row.not_lite or row.needs != NOTHING or ruled)


@pytest.mark.parametrize("row", BY_FLAG.values(), ids=BY_FLAG)
def test_what_the_wheels_program_makes_a_condition_is_one_for_farm(row: Option) -> None:
    route, condition = routes()[row.flag]
    assert (route == "internal") == row.wheel.why.startswith(BY_SYMBOLS)
    assert not condition or is_said(row)


def test_farm_refuses_beside_lite_what_the_wheels_program_refuses(program) -> None:
    refused = {flag for flag, _ in program("mge.command_line.checks").LITE_REFUSES}
    assert {row.flag for row in CATALOGUE if row.not_lite and not row.wheel_with_lite} == refused
