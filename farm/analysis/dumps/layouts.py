"""Blocked layouts: which of MegEngine's tensor formats a stored shape may have, beside a plain one. Pure.

`--enable-nchw88` stores (N, C, H, W) as (N, C/8, H, W, 8), `--enable-nhwcd4` as (N, H, C/4, W, 4), weights in
a dozen other ways: src/gopt/impl/global_layout_transform/utils.h, tensor_formats_to_named_tensor_shape.
Channels that are no multiple of the block are padded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

BLOCKS = frozenset({4, 8, 32, 64})
MOST_PADDING = 64
"""Fewer channels than that are added: PaddingChannelPass pads to the largest block."""

PLAIN = ("NCHW", "GNCHW")
"""Of images and weights (there N are the output channels and C the input channels), and with groups."""

FORMATS: tuple[tuple[str, str], ...] = (
    ("NCHW", "NCHW"),
    ("NCHWc", "NCHW"),
    ("NHCWc", "NCHW"),
    ("CHWNc", "NCHW"),
    ("NHWCn", "NCHW"),
    ("NCHWcn", "NCHW"),
    ("NCHWnc", "NCHW"),
    ("NHWCnc", "NCHW"),
    ("GNCHW", "GNCHW"),
    ("GNCHWc", "GNCHW"),
    ("GNCHWg", "GNCHW"),
    ("GNHWg", "GNCHW"),
    ("GNHWCn", "GNCHW"),
    ("GNCHWcn", "GNCHW"),
    ("GNCHWnc", "GNCHW"),
    ("GNHWCnc", "GNCHW"),
)
"""Stored axes and plain axes. A small letter is the block of the axis of that name; what is missing is 1."""


@dataclass(frozen=True)
class Layout:
    """How a tensor is stored: the axes of `stored`, and its plain axes with their sizes, without padding."""

    format: str
    stored: tuple[int, ...]
    plain: str
    sizes: tuple[int, ...]

    @property
    def name(self) -> str:
        """As MegEngine calls it: `NCHWc8`."""
        sizes = zip(self.format, self.stored, strict=True)
        return "".join(f"{axis}{size}" if axis.islower() else axis for axis, size in sizes)

    @property
    def is_plain(self) -> bool:
        return self.format == self.plain and self.stored == self.sizes


View = tuple[Layout, Layout]
"""How the candidate and the reference are stored, with the same plain sizes."""


def views(candidate: Sequence[int], reference: Sequence[int]) -> tuple[View, ...]:
    """All ways in which two shapes may be one, of which one at least is blocked; the likeliest first. Empty
    where they are equal or cannot be one. A shape alone may fit several: the values tell which.
    """
    ours, theirs = tuple(candidate), tuple(reference)
    if ours == theirs:
        return ()
    found = []
    for (mine, plain), (other, also) in product(_formats(ours), _formats(theirs)):
        if plain == also and not mine == other == plain:
            sizes = _common(mine, ours, other, theirs, plain)
            if sizes is not None:
                found.append((Layout(mine, ours, plain, sizes), Layout(other, theirs, plain, sizes)))
    return tuple(found)


def _formats(shape: tuple[int, ...]) -> list[tuple[str, str]]:
    """The formats that have so many axes, and their blocks of one allowed size."""
    found = []
    for stored, plain in FORMATS:
        if len(stored) == len(shape) and all(shape):
            blocks = {size for axis, size in zip(stored, shape, strict=True) if axis.islower()}
            if not blocks or (len(blocks) == 1 and blocks <= BLOCKS):
                found.append((stored, plain))
    return found


def _common(
    mine: str, ours: tuple[int, ...], other: str, theirs: tuple[int, ...], plain: str
) -> tuple[int, ...] | None:
    """The sizes of the plain axes that both have, without padding."""
    sizes = []
    for axis in plain:
        one, is_padded = _size(mine, ours, axis)
        another, is_other_padded = _size(other, theirs, axis)
        least = min(one, another)
        padding = (one - least, is_padded), (another - least, is_other_padded)
        if any(added and not added < most for added, most in padding):
            return None
        sizes.append(least)
    return tuple(sizes)


def _size(stored: str, shape: tuple[int, ...], axis: str) -> tuple[int, int]:
    """The size of a plain axis with its padding, and how much padding there may be (one more than that)."""
    by_axis = dict(zip(stored, shape, strict=True))
    size, block = by_axis.get(axis, 1), by_axis.get(axis.lower())
    if block is None:  # nhwcd4 pads the input channels of weights, too
        return size, 4 if axis == "C" and stored not in PLAIN else 0
    return size * block, MOST_PADDING if axis == "C" else block
