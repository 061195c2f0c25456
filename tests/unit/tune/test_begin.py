"""What a search begins with, and what of it must be the same when it goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import resources
from farm.cli.main import main
from farm.cli.tune.begin import Begun, begun, build_of, require_same
from farm.errors import ExitCode, RequestError
from farm.plan.layout import input_digest
from farm.tune.nouns import Asked, Tune
from farm.tune.state import TuneFolder
from tests.elves import X86_64, elf, program
from tests.unit.tune.made import of_candidates, some

TINY = resources.folder("bundled") / "tiny.mge"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    program(tmp_path / "lr", elf(X86_64))
    device = "{address: 127.0.0.1, runtime: {kind: native, program: lr}}"
    (tmp_path / "lab.yaml").write_text(f"devices: {{arm-1: {device}, arm-2: {device}}}\n")
    (tmp_path / "builds.yaml").write_text("builds: {release: {kind: native, program: lr}}\n")
    (tmp_path / "m.mge").write_bytes(TINY.read_bytes())
    np.save("x.npy", np.zeros((1, 3, 32, 32), np.float32))
    return tmp_path


ASKED = Asked(inventory="lab.yaml", devices="arm-1", model="m.mge", input="data:x.npy")


def tune(begin: Begun) -> Tune:
    model = begin.cell.model
    return of_candidates(some(1), model_sha256=model.artifact.sha256, input_sha256=input_digest(model.inputs))


def test_what_is_the_same_goes_on_and_what_is_not_is_refused_with_what_differs(folder: Path) -> None:
    before = tune(begun(ASKED))
    require_same(before, begun(ASKED))
    require_same(replace(before, input_sha256=None), begun(ASKED))  # of a search of an earlier farm
    with pytest.raises(RequestError, match=r"something else: the device was arm-1, not arm-2\Z"):
        require_same(before, begun(replace(ASKED, devices="arm-2")))
    np.save("x.npy", np.ones((1, 3, 32, 32), np.float32))
    with pytest.raises(RequestError, match=r"something else: the inputs of the model are others\Z"):
        require_same(before, begun(ASKED))
    (folder / "m.mge").write_bytes(TINY.read_bytes() + b"x")
    with pytest.raises(RequestError, match=r"m\.mge is another model; the inputs"):
        require_same(before, begun(ASKED))


def test_a_build_is_defined_unless_it_is_of_the_builds_file_beside_the_inventory(folder: Path) -> None:
    assert build_of(begun(ASKED)) is None
    beside = build_of(begun(replace(ASKED, build="release")))
    assert beside is not None
    assert (beside.name, beside.choices) == ("release", ())
    (folder / "builds.yaml").rename(folder / "mine.yaml")
    given = build_of(begun(replace(ASKED, build="release", builds="mine.yaml")))
    assert given is not None
    assert given.choices[0].runtime.program == str(folder / "lr")


def test_a_search_that_another_one_began_meanwhile_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = TuneFolder(folder / "runs", "t")

    def meanwhile(_id: str, _asked: Asked, begin: Begun) -> Tune:
        with kept.alone():
            kept.save(tune(begin))
        return replace(tune(begin), seed=2)

    monkeypatch.setattr("farm.cli.tune.tune.new_tune", meanwhile)
    words = ("--inventory", "lab.yaml", "--devices", "arm-1", "--model", "m.mge", "--run-id", "t")
    monkeypatch.setattr("sys.argv", ["farm", "tune", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == ExitCode.REQUEST
    assert kept.load().seed == 1
