"""The example command lines of MegEngine's documentation, typed after `farm plan` and `farm bench`."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pytest

from farm.cli.main import main
from tests.e2e.conftest import LOOKALIKE, ROOT, Farm

BUNDLED = ROOT / "farm" / "bundled"
SAMPLES = ROOT / "tests" / "unit" / "dumps" / "data"
ENTRY = "void mgb_c_opr_init(const void* (*get)(int)) { (void)get; }"


@dataclass(frozen=True)
class Example:
    """A line and what farm says to it; see the head of the data file."""

    line: str
    answer: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.line)

    @property
    def options(self) -> str:
        """The line without model and input, as a variant takes it."""
        words = self.words
        for name in ("--model", "--input"):
            if name in words:
                del words[words.index(name) : words.index(name) + 2]
        return shlex.join(words)

    @property
    def subject(self) -> tuple[str, ...]:
        """Model and input."""
        words = self.words
        found = [words[words.index(name) :][:2] for name in ("--model", "--input") if name in words]
        return tuple(word for pair in found for word in pair)

    def accepts(self, cell: dict[str, str | None]) -> bool:
        """Whether a cell of results.json is the answer."""
        word, _, rest = self.answer.partition(": ")
        if cell["status"] == "skipped":
            return word == "skipped" and rest in (cell["reason"] or "")
        if cell["status"] == "failed":
            return self.answer == f"runs, or {cell['cause']}"
        return cell["status"] == "completed" and word != "refused"


EXAMPLES = tuple(
    Example(*line.split(" => "))
    for line in (ROOT / "tests" / "data" / "documented_examples.txt").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
)
REFUSED = tuple(example for example in EXAMPLES if example.answer.startswith("refused: "))
RUN = tuple(sorted((one for one in EXAMPLES if one not in REFUSED), key=lambda one: one.subject))
BENCHES = tuple(
    mine[start : start + 5]
    for mine in (tuple(same) for _, same in groupby(RUN, key=lambda one: one.subject))
    for start in range(0, len(mine), 5)
)
"""Examples with the same model and input, at most five for one bench."""
FIRST = {mine[0].subject: mine for mine in reversed(BENCHES)}
"""One bench for each model and input: the others say little more, and take a minute together."""


@pytest.fixture(scope="module")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of operators."""
    path = tmp_path_factory.mktemp("loader") / "loader.so"
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler:
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-o", str(path), "-"]
        subprocess.run(command, input=ENTRY, text=True, check=True)
    else:
        path.write_bytes(b"without a compiler: good for a plan")
    return path


@pytest.fixture
def here(tmp_path: Path, loader: Path) -> Path:
    """A folder with the files that the examples name."""
    for file in (*BUNDLED.glob("*.npy"), *BUNDLED.glob("*.ppm"), *BUNDLED.glob("*.json")):
        shutil.copy(file, tmp_path)
    shutil.copy(SAMPLES / "fast-run.cache", tmp_path / "algo.cache")
    shutil.copy(BUNDLED / "tiny.mge", tmp_path / "transformed.mge")
    shutil.copy(loader, tmp_path)
    return tmp_path


@pytest.fixture
def both_runtimes(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An inventory with a device of each runtime."""
    monkeypatch.chdir(here)
    monkeypatch.setenv("FARM_CACHE_DIR", str(here / "cache"))
    runtime = {"kind": "native", "program": str(LOOKALIKE)}
    write_inventory(
        here, w={"address": "a", "runtime": {"kind": "wheel"}}, n={"address": "b", "runtime": runtime}
    )


def write_inventory(here: Path, **devices: dict[str, object]) -> None:
    (here / "inventory").mkdir()
    (here / "inventory" / "lab.yaml").write_text(json.dumps({"devices": devices}))


@pytest.mark.usefixtures("both_runtimes")
@pytest.mark.parametrize("example", EXAMPLES, ids=[example.line for example in EXAMPLES])
def test_a_documented_line_is_planned_for_both_runtimes_or_refused_with_the_reason(
    example: Example, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["farm", "plan", "--json", *example.words])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    if example in REFUSED:
        assert ended.value.code == 2
        # Lines are as long as the terminal was wide when the CLI was first imported.
        assert example.answer.removeprefix("refused: ") in " ".join(said.err.split())
        return
    assert ended.value.code == 0, said.err
    assert {cell["device"] for cell in json.loads(said.out)["cells"]} == {"w", "n"}


@pytest.mark.wheel
@pytest.mark.usefixtures("wheel_runtime")
@pytest.mark.parametrize(
    "mine",
    [
        pytest.param(mine, marks=() if mine is FIRST[mine[0].subject] else pytest.mark.long)
        for mine in BENCHES
    ],
    ids=lambda mine: " ".join(mine[0].subject),
)
def test_the_documented_lines_of_a_model_run_on_this_machine(
    farm: Farm, here: Path, mine: tuple[Example, ...]
) -> None:
    if not (shutil.which("cc") or shutil.which("gcc")):
        mine = tuple(example for example in mine if "loader.so" not in example.line)
    columns = [word for i, one in enumerate(mine) for word in ("--variant", f"v{i}={one.options}")]
    write_inventory(
        here, local={"address": "local", "workdir": str(here / "work"), "runtime": {"kind": "wheel"}}
    )
    outcome = farm("bench", *mine[0].subject, *columns, "--rounds", "1", "--json")
    cells = {cell["variant"]: cell for cell in outcome.results["cells"]}
    wrong = {
        one.line: [cells[f"v{i}"][key] for key in ("status", "reason", "error")]
        for i, one in enumerate(mine)
        if not one.accepts(cells[f"v{i}"])
    }
    assert wrong == {}
