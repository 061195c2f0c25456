"""What is typed reaches the program as it is, or is refused: nothing is dropped in silence."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farm.cli.main import main
from farm.errors import ExitCode
from farm.options import CATALOGUE, parse
from farm.plan.models import bundled_models

Farm = Callable[..., tuple[int, str, str]]


@pytest.fixture
def farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Farm:
    """Runs `farm` in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["farm", *words])
        code = 0
        try:
            main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


def options_of(farm: Farm, *words: str) -> dict[str, Any]:
    code, out, err = farm("plan", "--model", "bundled:tiny", "--json", *words)
    assert code == ExitCode.OK, err
    return json.loads(out)["cells"][0]["options"]


ZERO = {"warmup-iter": 0, "workspace-limit": 0, "range": None, "fast-run-shared-batch-size": None}
"""Options that take 0, and what is sent: nothing where it is the program's own default."""


@pytest.mark.parametrize("name", [row.name for row in CATALOGUE if row.kind in ("int", "uint", "float")])
def test_a_zero_reaches_the_program_where_it_is_legal_and_is_refused_where_it_is_not(
    farm: Farm, name: str
) -> None:
    if name in ZERO:
        assert options_of(farm, f"--{name}", "0").get(name) == ZERO[name]
        return
    code, _, err = farm("plan", "--model", "bundled:tiny", f"--{name}", "0")
    assert code == ExitCode.REQUEST
    assert f"--{name} 0 is less than 1" in err


def test_a_zero_that_is_a_default_takes_back_what_a_suite_says(farm: Farm, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("models: {tiny: bundled:tiny}\noptions: {range: 1000, iter: 20}\n")
    code, out, _ = farm("plan", "--suite", "s.yaml", "--range", "0", "--iter", "10", "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["cells"][0]["options"] == {}


@pytest.mark.parametrize("words", [["--devices", ""], ["--recipe", ""], ["--profile", ""]], ids=" ".join)
def test_an_empty_value_is_not_taken_for_none(farm: Farm, words: list[str]) -> None:
    assert farm("plan", "--model", "bundled:tiny", *words)[0] == ExitCode.REQUEST


def test_a_plan_prints_options_as_they_can_be_typed_again(farm: Farm) -> None:
    words = ["--enable-nchw44", "--iter=7", "--c-opr-init-interface=f", "--c-opr-lib=my lib.so"]
    Path("my lib.so").write_bytes(b"x")
    code, out, err = farm("plan", "--model", "bundled:tiny", *words)
    assert code == ExitCode.OK, err
    (line,) = (line for line in out.splitlines() if line.startswith("variant default: "))
    typed = shlex.split(line.removeprefix("variant default: "))
    assert "--enable-nchw44" in typed
    assert parse(typed) == parse(words)


def test_a_list_through_a_pipe_has_one_line_for_each_option(farm: Farm) -> None:
    _, out, _ = farm("options", "list")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [row.name for row in CATALOGUE]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--enable-nchw44 --enable-nchw88", "--enable-nchw44 --enable-nchw88"),
        ("--multithread 2 --cuda", "--cuda --multithread"),
        ("--record-comp-seq2 --no-sanity-check --profile p", "--profile"),
        ("--lite --mdl", "--variant lite=--lite"),
        ("--fast-run-algo-policy none.cache", "add --fast-run or --full-run"),
        ("--fast-run-algo-policy other.cache", "not a fast-run cache"),
        ("--fast-run --fast-run-algo-policy other.cache", "not a fast-run cache"),
    ],
)
def test_a_refusal_names_the_flags_that_were_found_and_the_way_out(farm: Farm, words: str, says: str) -> None:
    Path("other.cache").write_bytes(b"not one of MegEngine")
    code, _, err = farm("plan", "--model", "bundled:tiny", *words.split())
    assert code == ExitCode.REQUEST
    assert says in " ".join(err.split())


@pytest.mark.parametrize("name", ["caf\udce9", "模型", "a\u202eb", "x" * 250], ids=ascii)
def test_files_of_any_name_are_planned_or_refused(farm: Farm, tmp_path: Path, name: str) -> None:
    tiny = bundled_models()["tiny"].file
    shutil.copyfile(tiny, f"{name}.mge")
    shutil.copyfile(tiny.with_name("tiny.data.npy"), f"{name}.npy")
    Path(f"{name}.yaml").write_text("devices: {local: {address: local}}\n")
    Path(f"s{name}"[:250] + ".yml").write_text("models: {tiny: bundled:tiny}\n")
    for words in (
        ("--model", f"{name}.mge", "--input", f"data:{name}.npy"),
        ("--inventory", f"{name}.yaml", "--suite", f"s{name}"[:250] + ".yml"),
    ):
        code, out, err = farm("plan", *words)
        assert code == ExitCode.OK, err
        assert "\u202e" not in out
    mistakes: list[tuple[str, ...]] = [
        ("--model", f"no{name}"),
        ("--inventory", f"no{name}"),
        ("--suite", f"no{name}"),
        ("--model", "bundled:tiny", "--input", f"data:no{name}.npy"),
        ("--model", "bundled:tiny", "--fast-run-algo-policy", f"{name}.mge"),
        ("--model", "bundled:tiny", "--variant", f"{name}=--cpu {name}"),
        ("--devices", name),
    ]
    for mistake in mistakes:
        assert farm("plan", *mistake)[0] == ExitCode.REQUEST, mistake
