"""Builds on this machine: the wheel with files laid over it and a library loaded first; mistakes in builds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from farm import resources
from farm.files import sha256_of
from tests.e2e.conftest import LOOKALIKE, Farm
from tests.slow_library import build_slow_library

SLOWER_MS = 20
ONE = ("bench", "--model", "bundled:tiny", "--rounds", "1", "--iter", "3", "--run-id", "one", "--json")


@pytest.mark.wheel
@pytest.mark.usefixtures("wheel_runtime")
def test_the_wheel_with_a_preloaded_library_is_a_second_build(farm: Farm, tmp_path: Path) -> None:
    library = build_slow_library(tmp_path, SLOWER_MS * 1_000_000)
    module = tmp_path / "errors.py"
    module.write_bytes(
        (resources.folder("agents") / "wheel" / "mge" / "errors.py").read_bytes() + b"# another\n"
    )
    (tmp_path / "b.yaml").write_text(
        f"builds: {{slow: {{kind: wheel, preload: {library.name}, overlay: {{mge/errors.py: {module.name}}}}}}}\n"
    )
    outcome = farm(*ONE, "--builds", "b.yaml", "--build", "inventory", "--build", "slow")
    assert outcome.code == 0, outcome.stderr
    plain, slow = outcome.results["cells"]
    assert (plain["build"], slow["build"]) == ("inventory", "slow")
    assert all(e2e_ms >= SLOWER_MS for e2e_ms in slow["rounds"][0]["e2e_ms"])
    assert plain["runtime_digest"] != slow["runtime_digest"]
    # By hand it is the same program: what makes it slower is in the command.
    assert "LD_PRELOAD=" in slow["reproduce"]
    assert "LD_PRELOAD" not in plain["reproduce"]
    manifest = [
        json.loads(line) for line in (tmp_path / "runs" / "one" / "kept.jsonl").read_text().splitlines()
    ]
    names = {name for line in manifest if line["line"] == "runtime" for name, _ in line["files"]}
    assert names == {"mge/errors.py", "preload/0.so"}
    # Its own libraries are in the cache of runtimes: they are named, not kept.
    assert not any(one.stat().st_size > 1_000_000 for one in (tmp_path / "cache" / "kept").rglob("*"))


def on_device(folder: Path, workdir: str = "~/work", **env: str) -> None:
    """This machine with a program that is there already, which tells what is preloaded."""
    program = folder / "home" / "program"
    program.write_text(
        f'#!/bin/sh\necho "$LD_PRELOAD" >preloaded\nunset LD_PRELOAD\nexec "{LOOKALIKE}" "$@"\n'
    )
    program.chmod(0o755)
    runtime = {"kind": "native", "program": "~/program", "on_device": True, "preload": "../slow.so"}
    device = {"address": "local", "workdir": workdir, "runtime": runtime, "env": env}
    (folder / "inventory").mkdir()
    (folder / "inventory" / "lab.yaml").write_text(json.dumps({"devices": {"here": device}}))
    build_slow_library(folder, 0).rename(folder / "slow.so")


def test_a_program_that_is_on_the_device_can_have_a_library_loaded_first(farm: Farm, tmp_path: Path) -> None:
    """Before those that the device's own environment names, which stay."""
    on_device(tmp_path, LD_PRELOAD="/lib/of-the-device.so")
    farm.environment["FARM_KEPT_SHARE"] = "0"
    outcome = farm(*ONE)
    assert outcome.code == 0, outcome.stderr
    (told,) = (tmp_path / "runs" / "one" / "cells").rglob("preloaded")
    first, second = told.read_text().strip().split(":")
    assert first.endswith("/preload/0.so")
    assert second == "/lib/of-the-device.so"
    (cell,) = outcome.results["cells"]
    assert cell["runtime_digest"] not in {None, sha256_of(tmp_path / "home" / "program")}
    assert not (tmp_path / "runs" / "one" / "kept.jsonl").exists()


def test_a_folder_whose_name_no_preload_can_have_is_named(farm: Farm, tmp_path: Path) -> None:
    on_device(tmp_path, workdir="~/a b")
    outcome = farm(*ONE)
    assert outcome.code == 3, outcome.stderr
    (cell,) = outcome.results["cells"]
    assert (cell["cause"], cell["stage"]) == ("preload-path", "deploy")
    assert "a b" in cell["error"]
    assert "workdir" in cell["hint"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--build", "new", "--builds", "none.yaml"), "none.yaml: cannot read the file"),
        (("--build", "nwe", "--builds", "b.yaml"), "unknown build 'nwe' (did you mean new?)"),
        (("--build", "new", "--builds", "b.yaml"), "b.yaml:1: build new, runtime.program: no such file"),
        (("--build", "gpu", "--builds", "b.yaml"), "build gpu has no runtime for any selected device (local)"),
        (("--build", "baseline"), "unknown build 'baseline'"),
    ],
)  # fmt: skip
def test_a_build_that_cannot_be_is_refused_before_any_device_is_touched(
    farm: Farm, tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    (tmp_path / "b.yaml").write_text(
        "builds: {new: {kind: native, program: gone}, gpu: [{when: tag:cuda, runtime: {kind: wheel}}]}\n"
    )
    outcome = farm("bench", "--model", "bundled:tiny", *words)
    assert outcome.code == 2, outcome.stderr
    assert says in " ".join(outcome.stderr.split())
    assert not (tmp_path / "runs").exists()
