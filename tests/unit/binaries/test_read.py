"""What a file is, by its bytes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.binaries.fit import described, is_for
from farm.binaries.machines import MACHINES, machine_named
from farm.binaries.read import HEAD_BYTES, Binary, Form, read_binary
from tests.elves import AARCH64, ARM, I386, X86_64, elf


def read(data: bytes, size_bytes: int | None = None) -> Binary:
    return read_binary(io.BytesIO(data), len(data) if size_bytes is None else size_bytes)


def test_a_real_program_of_this_machine_is_read() -> None:
    data = Path(sys.executable).read_bytes()
    found = read(data)
    assert found.form is Form.ELF
    assert found.damage is None
    assert found.needed or found.interpreter is None
    # Of a program on a device its beginning is here: what is known of it is the same.
    beginning = read(data[:HEAD_BYTES], len(data))
    assert (beginning.bits, beginning.number, beginning.damage) == (found.bits, found.number, None)


@pytest.mark.parametrize("cpu", [X86_64, AARCH64, ARM, I386])
def test_class_machine_loader_and_libraries_are_read(cpu: tuple[int, int]) -> None:
    found = read(elf(cpu, interpreter="/lib/ld-x.so.1", needed=("liba.so", "libc.so.6")))
    assert (found.bits, found.number) == cpu
    assert (found.interpreter, found.needed) == ("/lib/ld-x.so.1", ("liba.so", "libc.so.6"))
    assert read(elf(cpu)).interpreter is None


def test_a_file_that_was_cut_anywhere_is_told_so() -> None:
    for whole in (elf(AARCH64, interpreter="/lib/ld.so"), elf(ARM, needed=("libc.so",))):
        assert read(whole).damage is None
        for size in range(4, len(whole)):
            assert "cut short" in (read(whole[:size]).damage or ""), size


@pytest.mark.parametrize(("kind", "what"), [(1, "object file"), (4, "core dump"), (9, "no program")])
def test_other_elf_files_are_no_programs(kind: int, what: str) -> None:
    assert what in (read(elf(X86_64, kind=kind)).damage or "")


def test_a_script_is_known_by_its_first_line() -> None:
    script = read(b"#! /usr/bin/env \xff python3\nimport os\n")
    assert (script.form, script.damage) == (Form.SCRIPT, None)
    assert described(script).isprintable()
    assert read(b"echo hello\n").form is Form.OTHER
    assert read(b"").damage


@given(st.binary(max_size=300), st.integers(0, 2**63), st.sampled_from([X86_64, ARM]), st.integers(0, 200))
def test_no_bytes_make_the_reader_fail(
    noise: bytes, size_bytes: int, cpu: tuple[int, int], place: int
) -> None:
    read(noise, size_bytes)
    whole = elf(cpu, interpreter="/lib/ld.so", needed=("a",))
    described(read(whole[:place] + noise + whole[place + len(noise) :], size_bytes))


@pytest.mark.parametrize(
    ("name", "cpu", "runs"),
    [
        ("aarch64", AARCH64, True), ("arm64", AARCH64, True), ("aarch64", X86_64, False), ("armv7l", AARCH64, False),
        ("armv8l", AARCH64, True), ("aarch64", ARM, False), ("armv6l", ARM, True), ("x86_64", I386, False),
        ("amd64", X86_64, True), ("i686", I386, True), ("riscv64", X86_64, False),
    ],
)  # fmt: skip
def test_what_runs_what(name: str, cpu: tuple[int, int], runs: bool) -> None:
    machine = machine_named(name)
    assert machine is not None
    assert is_for(read(elf(cpu)), machine, runs_narrow=False) is runs


def test_32_bits_run_only_where_the_kernel_was_seen_to_run_them() -> None:
    for name, cpu, never in (("aarch64", ARM, I386), ("x86_64", I386, ARM)):
        machine = machine_named(name)
        assert machine is not None
        assert is_for(read(elf(cpu)), machine, runs_narrow=True)
        assert not is_for(read(elf(cpu)), machine, runs_narrow=False)
        assert not is_for(read(elf(never)), machine, runs_narrow=True)


def test_each_name_is_of_one_architecture() -> None:
    assert [machine_named(one.name) for one in MACHINES] == list(MACHINES)
    assert machine_named("vax") is None
    assert machine_named(None) is None
