"""Programs that a board cannot run: each is refused before it is pushed, and no byte of it is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.arm import programs
from tests.arm.board import Spec
from tests.arm.programs import Programs
from tests.e2e.conftest import Outcome
from tests.elves import AARCH64, ARM, elf, program

pytestmark = [pytest.mark.arm, pytest.mark.long, pytest.mark.timeout(900)]


def bench(lab, runtime: Mapping[str, object], code: int, **more: object) -> dict[str, object]:
    """The one cell of a bench with this runtime, or the text of a refusal as its `error`."""
    lab.write(runtime=runtime, **more)
    done: Outcome = lab.bench("--rounds", "1", "--iter", "2")
    assert done.code == code, done.stderr
    if code == 2:
        return {"error": done.stderr, "hint": done.stderr}
    (cell,) = done.results["cells"]
    return dict(cell) | {"pushed": done.results["devices"][0]["pushed_files"]}


def refused(lab, path: Path, cause: str, *words: str) -> None:
    cell = bench(lab, {"kind": "native", "program": str(path)}, 3)
    assert (cell["stage"], cell["fault"], cell["cause"], cell["rounds"]) == ("deploy", "user", cause, [])
    assert cell["pushed"] == 0
    for word in words:
        assert word in f"{cell['error']} {cell['hint']}", cell


@pytest.mark.parametrize("flavour", ["busybox", "debian"])
def test_every_wrong_program_is_refused_before_it_is_pushed(
    boot, stand_in: Programs, tmp_path: Path, flavour: str
) -> None:
    lab = boot(Spec(flavour=flavour, cores=2))
    (board,) = lab.boards
    (checked,) = json.loads(lab.farm("devices", "check", "--json").stdout)
    assert checked["facts"]["runs_32_bit"] is True  # a Cortex-A72, and Debian's kernel
    foreign = programs.native().static
    refused(
        lab,
        foreign,
        "wrong-architecture",
        str(foreign),
        "x86-64",
        "arm-1 is aarch64",
        "farm devices check arm-1",
    )
    loader = program(tmp_path / "p", elf(AARCH64, interpreter="/lib/ld-none.so.1"))
    refused(lab, loader, "loader-missing", "/lib/ld-none.so.1", "-static")
    if flavour == "busybox":  # no /lib, as on a musl system for a program of glibc
        refused(lab, stand_in.dynamic, "loader-missing", "/lib/ld-linux-aarch64.so.1", "-static")

    # The same on the board: its own shell would run the bytes.
    there = "/tmp/load_and_run"
    board.run(f"echo 'touch /tmp/ran-by-a-shell' > {there}; chmod 755 {there}")
    cell = bench(lab, {"kind": "native", "program": there, "on_device": True}, 3)
    assert cell["cause"] == "not-a-program"
    assert "ran-by-a-shell" not in board.run("ls /tmp")

    # Known from the files and the inventory.
    cut = program(tmp_path / "cut", stand_in.static.read_bytes()[:20_000])
    assert "cut short" in str(bench(lab, {"kind": "native", "program": str(cut)}, 2)["error"])
    with_library = {"kind": "native", "program": str(stand_in.with_library), "libraries": [str(foreign)]}
    assert "x86-64" in str(bench(lab, with_library, 2)["error"])
    declared = bench(lab, {"kind": "native", "program": str(foreign)}, 2, arch="aarch64")
    assert "arch: aarch64" in str(declared["error"])

    cell = bench(lab, {"kind": "wheel"}, 3)
    assert cell["cause"] == "architecture"
    assert "runtime: {kind: native, program: " in str(cell["hint"])

    wrapper = program(tmp_path / "wrapper", b'#!/bin/sh\nexec /tmp/real "$@"\n')
    board.run("rm -f /tmp/real")
    cell = bench(lab, {"kind": "native", "program": str(wrapper)}, 3)
    assert cell["cause"] == "program-missing"
    assert lab.left_over() == ""


def test_a_program_of_32_bits_is_refused_where_the_processor_has_only_64(boot, tmp_path: Path) -> None:
    """An A64FX has no 32-bit state at all."""
    lab = boot(Spec(cpu="a64fx", cores=2))
    (checked,) = json.loads(lab.farm("devices", "check", "--json").stdout)
    assert checked["facts"]["runs_32_bit"] is False
    refused(
        lab,
        program(tmp_path / "narrow", elf(ARM)),
        "wrong-architecture",
        "32-bit ARM",
        "no programs of 32 bits",
    )
    assert lab.left_over() == ""
