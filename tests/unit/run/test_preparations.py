"""Which products of preparations may be used again."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from farm.model.device import Address, Device, Facts, Gpu, Runtime, RuntimeKind
from farm.options import parse, preparations
from farm.plan.layout import native_digest, own_files
from farm.run import reproduce
from farm.run.deploy import Program
from farm.run.preparations import cache_key, runtime_key
from farm.run.programs.program import FIND_PROGRAM, program_found

DEVICE = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
FACTS = Facts(
    architecture="x86_64", cpu_model="cpu A", cpu_features=("avx2",), core_ids=(0, 1),
    max_frequency_khz=((0, 2_000_000),), gpus=(Gpu("T4", "535", "7.5"),),
)  # fmt: skip


def key(options: str = "--fast-run", facts: Facts = FACTS, device: Device = DEVICE, **changes: Any) -> str:
    (preparation, *_), _ = preparations(parse(options.split()))
    rest: dict[str, Any] = {"model_sha256": "m", "runtime_digest": "r", "given": ()} | changes
    return cache_key(preparation, device=device, facts=facts, **rest)


@pytest.mark.parametrize(
    "change",
    [
        {"model_sha256": "n"},
        {"runtime_digest": "s"},
        {"given": (("x.cache", "0"),)},
        {"options": "--fast-run --multithread 2"},
        {"options": "--full-run"},
        {"facts": replace(FACTS, architecture="aarch64")},
        {"facts": replace(FACTS, cpu_model="cpu B")},
        {"facts": replace(FACTS, cpu_features=("avx512f",))},
        {"facts": replace(FACTS, core_ids=(0,))},
        {"facts": replace(FACTS, max_frequency_khz=((0, 3_000_000),))},
        {"facts": replace(FACTS, gpus=(Gpu("T4", "550", "7.5"),))},
        {"device": replace(DEVICE, environment=(("LD_LIBRARY_PATH", "/opt"),))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_product_depends_on_everything_that_it_was_made_with(change: dict[str, Any]) -> None:
    assert key() == key()
    assert key(**change) != key()


def test_a_product_serves_other_devices_only_where_the_processor_is_known() -> None:
    other, unknown = replace(DEVICE, name="e"), replace(FACTS, cpu_model=None)
    assert key(device=other) == key()
    assert key(device=other, facts=unknown) != key(facts=unknown)


def test_a_product_of_unknown_libraries_is_used_in_its_own_run_alone() -> None:
    for digest in ("d" * 64, None):
        unknown = Program(("p",), digest=digest, is_whole=False)
        assert runtime_key(unknown, "a", "run-1") != runtime_key(unknown, "a", "run-2")
        assert runtime_key(unknown, "a", "run-1") != runtime_key(unknown, "b", "run-1")
    whole = Program(("p",), digest="d" * 64)
    assert runtime_key(whole, "a", "run-1") == runtime_key(whole, "b", "run-2") == "d" * 64


def found(program: str, **environment: str) -> Program | None:
    argv = ("/bin/sh", "-c", FIND_PROGRAM, program)
    env = {"PATH": os.environ["PATH"]} | environment
    return program_found(subprocess.run(argv, env=env, capture_output=True, check=False).stdout)


def build(program: Path, *libraries: Path) -> str:
    """The digest of a local build."""
    paths = tuple(map(str, libraries))
    return native_digest(own_files(Runtime(RuntimeKind.NATIVE, program=str(program), libraries=paths)))


def test_one_build_has_one_digest_pushed_or_on_the_device(tmp_path: Path) -> None:
    if shutil.which("ldd") is None:
        pytest.skip("no ldd here")
    program = tmp_path / "load_and_run"
    shutil.copy(shutil.which("ls") or "", program)
    plain = found(str(program))
    assert plain.is_whole
    assert plain.digest == build(program) == hashlib.sha256(program.read_bytes()).hexdigest()
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    library = Path(next(line.split()[2] for line in listing.splitlines() if "=>" in line))
    own = tmp_path / "own" / library.name
    own.parent.mkdir()
    own.write_bytes(library.read_bytes() + b"another build")
    other = found(str(program), LD_LIBRARY_PATH=str(own.parent))
    assert other.digest == build(program, own) != plain.digest


def test_products_of_a_program_on_a_device_depend_on_the_libraries_of_the_device_too(tmp_path: Path) -> None:
    one, two, three = "a" * 64, "b" * 64, "c" * 64
    before, after = (
        program_found(f"/x\n{one}  /x\n{lib}  /usr/lib/y.so\nwhole\n".encode()) for lib in (two, three)
    )
    assert before.digest == after.digest == one
    assert runtime_key(before, "d", "run") != runtime_key(after, "d", "run")


def test_a_program_below_the_home_folder_of_a_device_is_found(tmp_path: Path) -> None:
    program = tmp_path / "a b" / "load_and_run"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert found("~/a b/load_and_run", HOME=str(tmp_path)).argv == (str(program),)
    assert found("~/load_and_run", HOME=str(tmp_path)) is None


@pytest.mark.parametrize("value", ["~/a b:/x y:~/c", "/x", "~/"])
def test_the_command_by_hand_finds_libraries_below_the_home_folder(value: str) -> None:
    line = f"env {reproduce._setting('LD_LIBRARY_PATH', value)} printenv LD_LIBRARY_PATH"
    shown = subprocess.run(
        ["/bin/sh", "-c", line], env={"HOME": "/h h"}, capture_output=True, text=True, check=True
    )
    assert shown.stdout.rstrip("\n") == value.replace("~/", "/h h/")


def test_a_script_that_starts_a_program_does_not_tell_its_libraries(tmp_path: Path) -> None:
    script = tmp_path / "load_and_run"
    script.write_text("#!/bin/sh\nexec real\n")
    assert found(str(script)) is None
    script.chmod(0o755)
    program = found(str(script))
    assert program is not None
    assert program.digest
    assert not program.is_whole


def test_a_library_that_cannot_be_read_is_not_left_out_in_silence() -> None:
    one, two = "a" * 64, "b" * 64
    known = program_found(f"/x\n{one}  /x\n{two}  /lib/y.so\nwhole\n".encode())
    assert known is not None
    assert known.is_whole
    assert program_found(f"/x\n{one}  /x\nunknown\n{two}  /lib/y.so\nwhole\n".encode()) == Program(
        ("/x",), (), one, False
    )
