"""What files and inventory alone show to be wrong, before a device is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import ExitCode, RequestError
from farm.inventory.devices import load
from farm.plan.programs import refuse_wrong_programs
from tests.elves import AARCH64, ARM, HEXAGON, X86_64, elf, program


def check(folder: Path, **device: object) -> None:
    """One device `a` with a native runtime of these keys, or with these keys of its own."""
    of_device = {key: device.pop(key) for key in ("arch", "attributes") if key in device}
    runtime = {"kind": "native", "program": "p"} | device
    lines = [f"    {key}: {value}" for key, value in of_device.items()]
    lines += [] if device.get("kind") == "none" else [f"    runtime: {runtime}".replace("'", "")]
    (folder / "lab.yaml").write_text("\n".join(["devices:", "  a:", "    address: h", *lines, ""]))
    refuse_wrong_programs(load(folder / "lab.yaml").devices)


def refusal(folder: Path, **device: object) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(folder, **device)
    assert caught.value.exit_code is ExitCode.REQUEST
    assert caught.value.source == f"{folder / 'lab.yaml'}:2"
    assert caught.value.hint
    return caught.value


def test_a_program_that_is_not_for_the_declared_architecture_is_refused(tmp_path: Path) -> None:
    program(tmp_path / "p", elf(X86_64))
    check(tmp_path)
    check(tmp_path, arch="x86_64")
    check(tmp_path, arch="amd64")
    for declared in ({"arch": "arm64"}, {"arch": "armv7l"}, {"attributes": "{arch: aarch64}"}):
        message = refusal(tmp_path, **declared).message
        assert f"{tmp_path / 'p'} is for x86-64, but the inventory says arch: a" in message


def test_whether_a_kernel_runs_32_bits_is_not_known_yet(tmp_path: Path) -> None:
    program(tmp_path / "p", elf(ARM))
    check(tmp_path, arch="aarch64")


def test_an_unknown_architecture_is_a_mistake_in_the_inventory(tmp_path: Path) -> None:
    program(tmp_path / "p", elf(X86_64))
    with pytest.raises(RequestError, match=r"did you mean aarch64"):
        check(tmp_path, arch="aarch46")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (elf(AARCH64)[:-20], "cut short"), (elf(AARCH64)[:10], "cut short"), (elf(AARCH64, kind=1), "object file"),
        (b"echo hello\n", "begins with #!"), (b"", "empty"),
    ],
)  # fmt: skip
def test_what_is_no_whole_program_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    program(tmp_path / "p", data)
    assert says in refusal(tmp_path).message


def test_a_script_is_a_program(tmp_path: Path) -> None:
    program(tmp_path / "p", b"#!/bin/sh\nexec ./real\n")
    check(tmp_path, arch="aarch64")


def test_libraries_are_for_the_program_and_for_the_device(tmp_path: Path) -> None:
    program(tmp_path / "p", elf(AARCH64, needed=("liba.so",)))
    library = program(tmp_path / "liba.so", elf(AARCH64, kind=3))
    check(tmp_path, libraries="liba.so")
    for other in (X86_64, ARM):
        program(library, elf(other, kind=3))
        message = refusal(tmp_path, libraries="liba.so").message
        assert "runtime.libraries" in message
        assert str(library) in message
    program(library, elf(AARCH64, kind=3)[:-30])
    assert "cut short" in refusal(tmp_path, libraries="liba.so").message
    program(library, b"no library")
    assert "is no library" in refusal(tmp_path, libraries="liba.so").message
    program(tmp_path / "p", b"#!/bin/sh\n")
    program(library, elf(X86_64, kind=3))
    check(tmp_path, libraries="liba.so")
    refusal(tmp_path, libraries="liba.so", arch="arm64")


def test_what_is_pushed_beside_libraries_may_be_anything_that_no_processor_runs(tmp_path: Path) -> None:
    """Phones have libraries for their DSP, and programs read files that lie beside them."""
    program(tmp_path / "p", elf(AARCH64))
    program(tmp_path / "skel.so", elf(HEXAGON, kind=3))
    program(tmp_path / "notes.so", b"some text")
    check(tmp_path, libraries="[skel.so, notes.so]", arch="aarch64")


def test_the_default_runtime_on_a_declared_board_is_refused_with_what_to_write(tmp_path: Path) -> None:
    check(tmp_path, kind="none")
    check(tmp_path, kind="none", arch="x86_64")
    error = refusal(tmp_path, kind="none", arch="arm64")
    assert "x86-64" in error.message
    assert "runtime: {kind: native, program: " in (error.hint or "")
