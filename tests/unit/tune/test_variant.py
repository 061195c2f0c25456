"""The winner as a suite: what farm bench reads in it is what was found, and its comments say how surely."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from farm.inventory import suite as suites
from farm.inventory.conditions import parse as parse_conditions
from farm.model.build import Build, BuildChoice
from farm.model.device import Runtime, RuntimeKind
from farm.model.outputs import Check
from farm.model.request import ModelRequest, Suite
from farm.options import parse
from farm.tune.nouns import Asked, Tune
from farm.tune.search import search
from farm.tune.variant import command_text, evidence, suite_text
from tests.unit.tune.made import REQUEST, Played, tune

TINY = ModelRequest(bundled="tiny")


def done():
    found = tune("threads=default,2", "layout=default,nchw44")
    return search(found, REQUEST, Played(lambda _, o: 5.0 if "multithread" in o else 10.0).world())


def test_the_suite_has_the_default_and_the_winner(tmp_path: Path) -> None:
    found = done()
    path = tmp_path / "elsewhere" / "fast.yaml"
    path.parent.mkdir()
    (tmp_path / "m.mge").write_bytes(b"x")
    (tmp_path / "x.npy").write_bytes(b"x")
    model = ModelRequest(file=Path("m.mge"), input="data:x.npy;b:[1,2]")
    path.write_text(suite_text(found, found.winner, model, tmp_path))
    suite = suites.load(path)
    assert {one.name: one.options.as_dict() for one in suite.variants} == {
        "default": {}, "tuned": found.winner.options,
    }  # fmt: skip
    assert suite.ab == ("default", "tuned")
    (read,) = suite.models
    assert (read.name, read.file) == ("m", tmp_path / "m.mge")
    assert read.input == f"data:{tmp_path / 'x.npy'};b:[1,2]"


def test_the_comments_are_the_evidence() -> None:
    found = done()
    text = suite_text(found, found.winner, ModelRequest(bundled="tiny"), Path("/"))
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert "faster than default (95 %: " in comments[1]
    assert comments[2].startswith("# ratio to the default 0.49")
    assert "t-rung-1" in comments[-1]
    assert "t-confirm" in comments[-1]


def test_names_that_look_like_yaml_or_lines_stay_names(tmp_path: Path) -> None:
    found = replace(done(), about="a\nmodels: {}\n\x1b[31m", device="arm-1")
    path = tmp_path / "fast.yaml"
    (tmp_path / "a: #b.mge").write_bytes(b"x")
    path.write_text(suite_text(found, found.winner, ModelRequest(file=Path("a: #b.mge")), tmp_path))
    assert suites.load(path).models[0].file == tmp_path / "a: #b.mge"


def test_the_command_is_quoted_and_reads_as_the_winner() -> None:
    found = done()
    words = shlex.split(
        command_text(found, found.winner, ModelRequest(file=Path("my model.mge"), input="a:[1,2]"))
    )
    assert words[:8] == [
        "farm",
        "bench",
        "--devices",
        "arm-1",
        "--model",
        "my model.mge",
        "--input",
        "a:[1,2]",
    ]
    assert parse(words[8:]).as_dict() == found.winner.options


# --------------------------------------------------------------------------- builds, and how it is compared

NATIVE = Runtime(RuntimeKind.NATIVE, "lr", ("lib/a.so",), overlay=(("lib/b.so", "b.so"),), preload=("p.so",))
RELEASE = Build(
    "release",
    (
        BuildChoice(parse_conditions("arch == aarch64 and tag:new"), NATIVE),
        BuildChoice((), Runtime(RuntimeKind.WHEEL, python="py")),
    ),
)


def read_back(found: Tune, folder: Path, model: ModelRequest = TINY, build: Build | None = None) -> Suite:
    path = folder / "elsewhere" / "fast.yaml"
    path.parent.mkdir(exist_ok=True)
    assert found.winner is not None
    path.write_text(suite_text(found, found.winner, model, folder, build))
    return suites.load(path)


def asked(**fields) -> Tune:
    return replace(done(), asked=Asked(**fields))


def test_the_suite_defines_the_build_of_the_search_wherever_it_lies(tmp_path: Path) -> None:
    suite = read_back(asked(build="release", builds="b.yaml"), tmp_path, build=RELEASE)
    assert suite.builds == ("release",)
    (build,) = suite.defined
    assert [[one.text for one in choice.when] for choice in build.choices] == [
        ["arch == aarch64", "tag:new"],
        [],
    ]
    native, wheel = (choice.runtime for choice in build.choices)
    assert native == Runtime(
        RuntimeKind.NATIVE,
        str(tmp_path / "lr"),
        (str(tmp_path / "lib/a.so"),),
        overlay=(("lib/b.so", str(tmp_path / "b.so")),),
        preload=(str(tmp_path / "p.so"),),
    )
    assert wheel == Runtime(RuntimeKind.WHEEL, python="py")
    there = replace(NATIVE, program="~/lr", on_device=True, libraries=(), overlay=())
    suite = read_back(asked(build="b"), tmp_path, build=Build("b", (BuildChoice((), there),)))
    assert suite.defined[0].choices[0].runtime.program == "~/lr"


def test_a_build_that_is_known_without_the_suite_is_only_named(tmp_path: Path) -> None:
    suite = read_back(asked(build="inventory"), tmp_path, build=Build("inventory"))
    assert (suite.builds, suite.defined) == (("inventory",), ())
    assert read_back(asked(), tmp_path).builds == ()


def test_the_suite_compares_as_the_search_did(tmp_path: Path) -> None:
    (tmp_path / "g.npy").write_bytes(b"x")
    for golden in ("g.npy", "m:g.npy"):
        found = asked(golden=golden, tolerance=("float32=1e-2",), minimum_effect="5%")
        suite = read_back(found, tmp_path)
        assert suite.models[0].golden == tmp_path / "g.npy"
        assert suite.check is Check.OUTPUTS
        assert [(one.dtype, one.rtol) for one in suite.tolerances] == [("float32", 0.01)]
        assert suite.minimum_effect == 0.05
    assert read_back(asked(check="off"), tmp_path).check is Check.OFF


def test_the_evidence_names_the_build_and_the_program() -> None:
    found = replace(asked(build="release", builds="b.yaml"), runtime_digest="ab" * 32)
    assert f"build release of b.yaml, runtime SHA-256 {'ab' * 32}" in evidence(found)


def test_the_command_has_the_build_of_the_search() -> None:
    found = asked(build="release", builds="b.yaml", inventory="lab.yaml")
    words = shlex.split(command_text(found, found.winner, TINY))
    assert words[2:10] == [
        "--inventory", "lab.yaml", "--devices", "arm-1", "--build", "release", "--builds", "b.yaml",
    ]  # fmt: skip
