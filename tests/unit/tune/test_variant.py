"""The winner as a suite: what farm bench reads in it is what was found, and its comments say how surely."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from farm.inventory import suite as suites
from farm.model.request import ModelRequest
from farm.options import parse
from farm.tune.search import search
from farm.tune.variant import command_text, suite_text
from tests.unit.tune.made import REQUEST, Played, tune


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
