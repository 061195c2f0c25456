"""Chunks, and recipes of files that changed."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from farm.device.push import chunks as module
from farm.device.push.chunks import LEAST_BYTES, MOST_BYTES, MOST_OPS, chunks, recipe
from farm.device.push.recipe import FRESH, Recipe
from farm.model.artifact import Artifact
from farm.store.artifacts import artifact_of

OLD = random.Random(1).randbytes(4_000_000)


def file(folder: Path, name: str, content: bytes) -> Artifact:
    (folder / name).write_bytes(content)
    return artifact_of(folder / name)


def made(given: Recipe, new: bytes, older: dict[str, bytes]) -> bytes:
    """As a device does it."""
    fresh = b"".join(new[at : at + length] for at, length in given.fresh)
    assert len(fresh) == given.sent_bytes
    places = {**older, FRESH: fresh}
    return b"".join(places[op.place][op.offset : op.offset + op.length] for op in given.ops)


@pytest.mark.parametrize(
    "content",
    [b"x", b"seven..", b"eight...", OLD, bytes(3_000_000), b"ab" * 700_000, OLD[: MOST_BYTES + 1]],
    ids=["1", "7", "8", "random", "zeros", "periodic", "just over"],
)
def test_chunks_are_the_whole_file_and_within_their_limits(tmp_path: Path, content: bytes) -> None:
    found = list(chunks(file(tmp_path, "f", content).path))
    assert sum(one.length for one in found) == len(content)
    offset = 0
    for one in found:
        assert one.offset == offset
        offset += one.length
    assert all(LEAST_BYTES <= one.length <= MOST_BYTES for one in found[:-1])


def test_chunks_do_not_depend_on_how_a_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, "f", OLD).path
    found = list(chunks(path))
    monkeypatch.setattr(module, "READ_BYTES", 77_777)
    assert list(chunks(path)) == found
    assert len(found) > 20


@pytest.mark.parametrize(
    ("new", "most"),
    [
        (OLD[:1_000_000] + b"inserted" + OLD[1_000_000:], 0.1),
        (OLD[:1_000_000] + OLD[1_100_003:], 0.1),
        (OLD[2_000_000:] + OLD[:2_000_000], 0.2),
        (OLD + random.Random(3).randbytes(300_000), 0.1),
        (OLD[:5] + b"X" + OLD[6:], 0.1),
        (OLD * 3, 0.05),
        (OLD, 0.0),
    ],
    ids=["inserted", "removed", "moved", "appended", "beginning", "repeated", "same"],
)
def test_a_file_is_made_of_its_older_version_and_little_else(tmp_path: Path, new: bytes, most: float) -> None:
    old = file(tmp_path, "old", OLD)
    given = recipe(file(tmp_path, "new", new), [old])
    assert given is not None
    assert made(given, new, {old.sha256: OLD}) == new
    assert given.sent_bytes <= most * len(new)


def test_one_layer_of_a_model_that_changed_is_what_is_sent(tmp_path: Path) -> None:
    weights = np.random.default_rng(1).normal(0, 0.05, 2_000_000).astype("<f4")
    trained = weights.copy()
    trained[800_000:900_000] *= 1.01
    old = file(tmp_path, "old", weights.tobytes())
    given = recipe(file(tmp_path, "new", trained.tobytes()), [old])
    assert given is not None
    assert given.sent_bytes < 0.1 * old.size_bytes
    assert made(given, trained.tobytes(), {old.sha256: weights.tobytes()}) == trained.tobytes()


def test_a_file_may_be_made_of_several_older_ones(tmp_path: Path) -> None:
    other = random.Random(4).randbytes(3_000_000)
    older = [file(tmp_path, "old", OLD), file(tmp_path, "other", other)]
    new = OLD[1_000_000:3_000_000] + other
    given = recipe(file(tmp_path, "new", new), older)
    assert given is not None
    assert {op.place for op in given.ops} == {FRESH, *(one.sha256 for one in older)}
    assert made(given, new, {older[0].sha256: OLD, older[1].sha256: other}) == new


def test_a_file_with_little_of_the_older_one_is_sent_whole(tmp_path: Path) -> None:
    old = file(tmp_path, "old", OLD)
    assert recipe(file(tmp_path, "new", random.Random(5).randbytes(4_000_000)), [old]) is None
    assert (
        recipe(file(tmp_path, "half", OLD[:1_000_000] + random.Random(5).randbytes(3_000_000)), [old]) is None
    )


def test_a_recipe_has_few_ops_whatever_changed(tmp_path: Path) -> None:
    """A byte in every 200 kB: what could be copied between them is sent, or the file is sent whole."""
    content = random.Random(6).randbytes(60_000_000)
    new = bytearray(content)
    new[::200_000] = bytes(byte ^ 1 for byte in new[::200_000])
    old = file(tmp_path, "old", content)
    given = recipe(file(tmp_path, "new", bytes(new)), [old])
    assert given is None or len(given.ops) <= MOST_OPS


def test_a_file_that_becomes_shorter_while_it_is_compared_has_no_recipe(tmp_path: Path) -> None:
    old, new = file(tmp_path, "old", OLD), file(tmp_path, "new", OLD + b"more")
    new.path.write_bytes(OLD[:-5])
    assert recipe(new, [old]) is None
