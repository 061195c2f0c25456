"""What is known of native programs, and what a plan makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Model
from farm.model.options import Variant
from farm.options import parse
from farm.plan.flags import refuse_unknown_flags, unknown_flags
from farm.plan.layout import native_digest, native_files
from farm.plan.matrix import Sources, Wanted, choose
from farm.run.program import _key
from farm.store.programs import Known, ProgramStore

ALL = frozenset({"iter", "warmup_iter", "cpu", "cuda", "fast_run", "fast_run_algo_policy"})


@pytest.fixture
def store(tmp_path: Path) -> ProgramStore:
    return ProgramStore(tmp_path / "programs")


def device(
    folder: Path, name: str, kind: RuntimeKind = RuntimeKind.NATIVE, *, on_device: bool = False
) -> Device:
    """A device with a build of its own."""
    build = folder / name
    build.write_text(f"program of {name}")
    return Device(name, Address(name), Runtime(kind, program=str(build), on_device=on_device))


def wanted(*devices: Device, options: str) -> tuple[Wanted, ...]:
    model = Model("m", Artifact("m.mge", "0" * 64, 1, Path("m.mge")))
    return choose(Sources(devices, (model,), (Variant("v", parse(options.split())),))).wanted


def know(store: ProgramStore, one: Device, flags: frozenset[str]) -> None:
    store.keep(native_digest(native_files(one.runtime)), Known(flags, one.name))


def test_a_variant_that_no_device_can_run_is_refused_with_what_it_needs(
    store: ProgramStore, tmp_path: Path
) -> None:
    one = device(tmp_path, "one")
    know(store, one, ALL - {"cuda"})
    with pytest.raises(RequestError, match=r"one has no --cuda \(by its --help on one\)") as caught:
        refuse_unknown_flags(wanted(one, options="--cuda"), store)
    assert "LITE_WITH_CUDA" in (caught.value.hint or "")
    refuse_unknown_flags(wanted(one, options="--cpu"), store)


@pytest.mark.parametrize("other", ["knows it", "never asked", "is there", "wheel"])
def test_a_variant_that_another_device_may_run_is_not_refused(
    store: ProgramStore, tmp_path: Path, other: str
) -> None:
    one = device(tmp_path, "one")
    know(store, one, ALL - {"cuda"})
    kind = RuntimeKind.WHEEL if other == "wheel" else RuntimeKind.NATIVE
    two = device(tmp_path, "two", kind, on_device=other == "is there")
    if other in {"knows it", "is there"}:
        # A file of that name on this machine says nothing of one on the device.
        know(store, two, ALL if other == "knows it" else ALL - {"cuda"})
    refuse_unknown_flags(wanted(one, two, options="--cuda"), store)


def test_a_build_that_was_changed_is_another_program(store: ProgramStore, tmp_path: Path) -> None:
    one = device(tmp_path, "one")
    know(store, one, ALL - {"cuda"})
    (tmp_path / "one").write_text("built again")
    refuse_unknown_flags(wanted(one, options="--cuda"), store)


def test_what_a_preparation_sends_is_looked_at_too(tmp_path: Path) -> None:
    (cell,) = wanted(device(tmp_path, "one"), options="--fast-run")
    assert unknown_flags(cell, ALL) == ()
    assert unknown_flags(cell, ALL - {"fast_run", "fast_run_algo_policy"}) == (
        "fast-run",
        "fast-run-algo-policy",
    )


def test_a_damaged_record_is_none(store: ProgramStore) -> None:
    assert store.find("0" * 64) is None
    store.keep("0" * 64, Known(ALL, "one"))
    assert store.find("0" * 64) == Known(ALL, "one")
    for text in ("", "[]", "{}", '{"flags": 1, "asked_on": "x"}'):
        store.path("0" * 64).write_text(text)
        assert store.find("0" * 64) is None


def test_a_digest_that_a_device_says_never_stands_for_a_build_of_ours_or_a_path() -> None:
    pushed, there = Runtime(RuntimeKind.NATIVE), Runtime(RuntimeKind.NATIVE, on_device=True)
    assert _key(pushed, "a" * 64) == "a" * 64
    assert _key(there, "a" * 64) != _key(pushed, "a" * 64)
    for digest in (None, "", "../" * 21 + "x", "A" * 64, "a" * 63, "a" * 64 + "\n"):
        assert _key(there, digest) is None
