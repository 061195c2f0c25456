"""What a native program lacks, and what is known of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.model.artifact import Artifact
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model
from farm.model.options import Variant
from farm.options import parse
from farm.plan.flags import unknown_flags, why_skipped
from farm.run.programs.program import _key
from farm.store.cache.programs import Known, ProgramStore
from tests.unit.plans import plan_of

ALL = frozenset({"iter", "warmup_iter", "cpu", "cuda", "fast_run", "fast_run_algo_policy"})


@pytest.fixture
def store(tmp_path: Path) -> ProgramStore:
    return ProgramStore(tmp_path / "programs")


def cell(options: str) -> Cell:
    device = Device("one", Address("one"), Runtime(RuntimeKind.NATIVE, program="p"))
    model = Model("m", Artifact("m.mge", "0" * 64, 1, Path("m.mge")))
    (planned,) = plan_of([device], [model], [Variant("v", parse(options.split()))]).cells
    return planned


def test_what_a_program_lacks_is_told_with_what_it_needs() -> None:
    assert unknown_flags(cell("--cuda"), ALL) == ()
    assert unknown_flags(cell("--cuda"), ALL - {"cuda"}) == ("cuda",)
    reason = why_skipped(("cuda",))
    assert "--cuda" in reason
    assert "LITE_WITH_CUDA" in reason


def test_what_a_preparation_sends_is_looked_at_too() -> None:
    search = cell("--fast-run")
    assert unknown_flags(search, ALL) == ()
    assert unknown_flags(search, ALL - {"fast_run", "fast_run_algo_policy"}) == (
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
