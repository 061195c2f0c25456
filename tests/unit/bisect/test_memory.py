"""What is remembered of a bisect: it goes on only where the same is asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.bisect.memory import Memory, State
from farm.bisect.nouns import Part, Question, Step
from farm.errors import RequestError
from farm.model.comparison import Effect, Verdict

EFFECT = Effect(1.1, None, None, None, None, 0.5, 3)
STEP = Step(Question(Part.ENDS, 0, 2, 0.03, 20), Verdict.SLOWER, EFFECT, "ü \udcff", "one-step-1")
STATE = State({"--model": "a.mge", "GOOD": "v0"}, ("v0", "v1", "v2"), 7, (STEP,))


def test_what_was_noted_is_there_again(tmp_path: Path) -> None:
    memory = Memory(tmp_path, "one")
    with memory.alone():
        memory.begin(STATE)
        found = memory.resume(replace(STATE, steps=(), seed=9))
    assert found.steps[0].effect == EFFECT
    assert found.seed == 7
    with pytest.raises(RequestError, match="there is a bisect one already"):
        memory.begin(STATE)


def test_what_differs_is_named(tmp_path: Path) -> None:
    memory = Memory(tmp_path, "one")
    memory.begin(STATE)
    other = State({"--model": "b.mge", "GOOD": "v0", "--check": "off"}, ("v0", "v2"), 7)
    with pytest.raises(RequestError) as caught:
        memory.resume(other)
    for part in (
        "--model: b.mge, was a.mge",
        "--check: off, was none",
        "2 from v0 to v2, were 3 from v0 to v2",
    ):
        assert part in str(caught.value)
    with pytest.raises(RequestError, match="3 from v0 to v3, were 3 from v0 to v2"):
        memory.resume(replace(STATE, names=("v0", "v1", "v3")))


def test_other_steps_of_the_same_names_are_refused(tmp_path: Path) -> None:
    memory = Memory(tmp_path, "one")
    memory.begin(replace(STATE, texts=("a/v0", "a/v1", "a/v\udcff")))
    memory.resume(replace(STATE, texts=("a/v0", "a/v1", "a/v\udcff")))
    with pytest.raises(RequestError, match="the build v1: b/v1, was a/v1"):
        memory.resume(replace(STATE, texts=("a/v0", "b/v1", "a/v\udcff")))


def test_a_name_that_a_run_begins_with_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one-step-1-again-2").mkdir()
    with pytest.raises(RequestError, match="there is a run one-step-1-again-2 already"):
        Memory(tmp_path, "one").begin(STATE)
    Memory(tmp_path, "on").begin(STATE)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", b"[]", b'{"version": 1}', b"[" * 100_000], ids=("0", "1", "2", "3", "4", "5")
)
def test_a_file_that_cannot_be_read_is_named_and_nothing_is_lost(tmp_path: Path, data: bytes) -> None:
    memory = Memory(tmp_path, "one")
    memory.begin(STATE)
    memory.state_path.write_bytes(data)
    with pytest.raises(RequestError, match=r"state.json cannot be read"):
        memory.resume(STATE)
    assert memory.state_path.read_bytes() == data
    memory.save(replace(STATE, version=2))
    with pytest.raises(RequestError, match="of version 2, this farm reads 1"):
        memory.resume(STATE)


def test_two_of_one_name_are_never_at_the_same_time(tmp_path: Path) -> None:
    with Memory(tmp_path, "one").alone():
        with (
            pytest.raises(RequestError, match="the bisect one goes on already"),
            Memory(tmp_path, "one").alone(),
        ):
            pass
        with Memory(tmp_path, "two").alone():
            pass


@pytest.mark.parametrize("name", ["", "../x", "a b", "latest", "x" * 81], ids=("0", "1", "2", "3", "4"))
def test_a_name_that_no_run_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RequestError, match="invalid run id"):
        Memory(tmp_path, name)
    with pytest.raises(RequestError, match="there is no bisect gone"):
        Memory(tmp_path, "gone").resume(STATE)
