"""The command line's promises: everything documented, every help with an example."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from farm.cli.commands import COMMANDS, Command
from farm.cli.lazy import load
from farm.cli.main import main
from farm.errors import ExitCode
from farm.options import CATALOGUE

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"
LOAD_AND_RUN = {f"--{row.name}" for row in CATALOGUE}


ALL = {f"farm {row.words}": load(row) for row in COMMANDS}


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
    own = {"run_id", "round_limit", "silence_limit", "wait", "reconnect", "deadline", "cool_down"}
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


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.words)
def test_a_listing_says_of_a_command_what_its_own_help_begins_with(row: Command) -> None:
    assert " ".join(load(row).help.split("\n\n")[0].split()) == row.help


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["devices", "--help"]], ids=" ".join)
def test_help_imports_no_command(words: list[str]) -> None:
    heavy = {"asyncssh", "numpy", "jinja2", "elftools", "ruamel.yaml", "cryptography", "rich"}
    code = f"import sys, farm.cli.main as m\ntry: m.main()\nfinally: print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nset()\n")


def test_a_plan_of_the_bundled_models_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    """numpy and pydantic take longer than all the rest."""
    heavy = {"numpy", "pydantic", "asyncssh", "jinja2", "elftools", "ruamel.yaml", "rich.progress"}
    code = f"import sys, farm.cli.main as m\ntry: m.main()\nfinally: print({heavy} & set(sys.modules))"
    done = subprocess.run(
        (sys.executable, "-c", code, "plan"), cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "set()"


def test_a_check_for_scripts_imports_neither_plans_nor_tables(tmp_path: Path) -> None:
    """The devices answer sooner than these are there."""
    heavy = {"numpy", "jinja2", "rich.table", "rich.progress", "farm.model.matrix", "farm.model.run"}
    code = f"import sys, farm.cli.main as m\ntry: m.main()\nfinally: print({heavy} & set(sys.modules))"
    (tmp_path / "lab.yaml").write_text("devices: {nobody: {address: 127.0.0.1, port: 1}}\n")
    words = ("devices", "check", "--inventory", "lab.yaml", "--json")
    done = subprocess.run(
        (sys.executable, "-c", code, *words), cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == ExitCode.CELLS_FAILED, done.stderr
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("words", "meant"), [("benhc", "bench"), ("device list", "devices"), ("runs shwo", "show")]
)
def test_a_command_that_is_misspelt_is_answered_with_the_nearest(words: str, meant: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "farm", *words.split()], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"Did you mean '{meant}'?" in done.stderr


@pytest.mark.parametrize(
    "words",
    ["bench --reconnect", "bench --wait", "devices clean x --wait", "runs fetch x --wait", "tune --wait"],
)
def test_no_wait_is_for_ever(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.setattr("sys.argv", ["farm", *words.split(), "inf"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.REQUEST
    assert "inf is no number of seconds" in capsys.readouterr().err
