"""Blocked layouts: numpy blocks arrays in every format of MegEngine, and they are read in plain order."""

from __future__ import annotations

import numpy as np
import pytest

from farm.analysis.dumps import relaid as module
from farm.analysis.dumps.layouts import FORMATS, PLAIN, views
from farm.analysis.dumps.relaid import relaid
from farm.analysis.values import Array, Values

BLOCKED = [(stored, plain) for stored, plain in FORMATS if stored not in PLAIN]
SIZES: dict[str, list[tuple[int, ...]]] = {
    "NCHW": [(2, 10, 5, 3), (8, 16, 3, 3), (10, 3, 1, 1), (1, 70, 20, 9)],
    "GNCHW": [(3, 8, 4, 3, 3), (10, 1, 1, 3, 3), (2, 5, 1, 2, 2)],
}


def blocked(array: Array, stored: str, plain: str, block: int) -> Array:
    """The array in a format, channels padded with a value that is none of it."""
    sizes, axes = [], ""
    has_block = [axis.lower() in stored for axis in plain]
    padding = [(0, -size % block * has) for has, size in zip(has_block, array.shape, strict=True)]
    padded = np.pad(array, padding, constant_values=99)
    for axis, size in zip(plain, padded.shape, strict=True):
        sizes += [size // block, block] if axis.lower() in stored else [size]
        axes += axis + axis.lower() if axis.lower() in stored else axis
    kept = [axes.index(axis) for axis in stored]
    gone = [place for place in range(len(axes)) if place not in kept]
    assert all(sizes[place] == 1 for place in gone)
    turned = padded.reshape(sizes).transpose(kept + gone)
    return np.ascontiguousarray(turned).reshape([sizes[place] for place in kept])


def values(array: Array) -> Values:
    return Values("x", array.dtype.name, array.shape, array.reshape(-1))


@pytest.mark.parametrize(("stored", "plain"), BLOCKED)
@pytest.mark.parametrize("block", [4, 8, 32])
def test_every_format_is_read_in_plain_order_without_its_padding(
    stored: str, plain: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(1)
    for shape in SIZES[plain]:
        if "C" not in stored and shape[plain.index("C")] != 1:
            continue
        array = draw.integers(-9, 9, shape).astype("i1" if block == 32 else "f4")
        other = blocked(array, stored, plain, block)
        (layout,) = {mine for mine, _ in views(other.shape, shape) if mine.format == stored}
        for limit in (module.UNIT_BYTES, 0):
            monkeypatch.setattr(module, "UNIT_BYTES", limit)
            try:
                found = relaid(values(other), layout)
            except ValueError as error:
                assert (limit, "too many to turn round" in str(error)) == (0, True)
                continue
            assert (found.shape, found.flat.size) == (shape, array.size)
            parts = [found.flat[start : start + 7] for start in range(0, array.size, 7)]
            assert np.array_equal(np.concatenate(parts), array.reshape(-1))
        monkeypatch.undo()


def test_two_blocked_layouts_have_a_plain_one_in_common() -> None:
    """20 channels: five blocks of four, and three of eight with padding."""
    array = np.arange(2 * 20 * 2 * 5, dtype="f4").reshape(2, 20, 2, 5)
    one, other = (blocked(array, "NCHWc", "NCHW", block) for block in (4, 8))
    (view,) = views(one.shape, other.shape)
    assert [layout.name for layout in view] == ["NCHWc4", "NCHWc8"]
    found = [relaid(values(side), layout) for side, layout in zip((one, other), view, strict=True)]
    assert all(np.array_equal(side.flat[:], array.reshape(-1)) for side in found)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 8, 4, 4), (1, 8, 4, 4)),  # one shape: nothing to do
        ((1, 8, 4, 4), (1, 12, 4, 4)),  # another model
        ((1, 2, 4, 4, 4), (1, 8, 4, 5)),
        ((1, 2, 4, 4, 5), (1, 10, 4, 4)),  # no block of MegEngine
        ((1, 32, 4, 4, 4), (1, 3, 4, 4)),  # more padding than a block
        ((0, 2, 4, 4, 4), (0, 8, 4, 4)),
        ((), (1,)),
        ((2, 2, 2, 2, 2, 4, 4, 4), (8, 8, 2, 2)),
    ],
)
def test_shapes_that_cannot_be_one_are_not_compared(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    assert views(one, other) == views(other, one) == ()
