"""The command line's promises: everything documented, every help with an example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from farm.cli.main import app, main
from farm.errors import ExitCode
from farm.options import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
LOAD_AND_RUN = {f"--{row.name}" for row in CATALOGUE}


def commands(command: Any, path: str = "farm") -> Iterator[tuple[str, Any]]:
    """Every command below a group; typer brings its own kind of click, so duck types."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name, child in (children or {}).items():
        yield from commands(child, f"{path} {name}")


ALL = dict(commands(typer.main.get_command(app)))


def section(name: str) -> str:
    """The text of one heading of docs/cli.md."""
    text = DOCS.read_text("utf-8")
    assert f"\n## {name}\n" in text, f"docs/cli.md has no section {name}"
    return text.split(f"\n## {name}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", ALL)
def test_every_command_and_each_of_its_own_options_is_documented(name: str) -> None:
    own, page = section(name), DOCS.read_text("utf-8")
    for parameter in ALL[name].params:
        if parameter.param_type_name == "option":
            for spelling in parameter.opts:
                if spelling not in LOAD_AND_RUN - {"--input"} and spelling != "--help":
                    text = own if spelling.startswith("--") else page
                    assert f"`{spelling}`" in text or f"`{spelling} " in text, f"{name} {spelling}"


@pytest.mark.parametrize("name", ALL)
def test_every_help_has_an_example_that_names_the_command(name: str) -> None:
    assert f"{name}" in (ALL[name].epilog or "")


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_exit_code_is_documented(code: ExitCode) -> None:
    assert f"\n| {code.value} |" in section("Exit codes")


def test_bench_takes_every_option_of_load_and_run() -> None:
    spellings = {spelling for parameter in ALL["farm bench"].params for spelling in parameter.opts}
    assert spellings >= LOAD_AND_RUN


def test_plan_takes_what_bench_takes() -> None:
    own = {"runs_dir", "run_id", "round_limit", "silence_limit", "wait", "reconnect"}
    bench = {parameter.name for parameter in ALL["farm bench"].params}
    assert bench - own == {parameter.name for parameter in ALL["farm plan"].params}


def test_an_option_is_never_taken_for_the_value_of_the_one_before_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["farm", "plan", "--model", "bundled:tiny", "--profile", "--cpu"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.REQUEST
    assert "--profile needs a value" in capsys.readouterr().err
