"""A tensor in a blocked layout, read in the order of the plain one: part by part, whatever its size."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from farm.analysis.dumps.layouts import Layout
from farm.analysis.values import Array, Flat, Values

UNIT_BYTES = 16 << 20
"""The largest piece that is turned round at once. Larger ones are read a channel at a time, each from what
all channels of its block share; where a layout does not allow that, it is not compared.
"""


def relaid(values: Values, layout: Layout) -> Values:
    """The values in plain order, without padding. Raises ValueError where that takes too much memory."""
    if layout.is_plain:
        return values
    return replace(values, shape=layout.sizes, flat=Relaid(values.flat, layout))


class Relaid:
    """Values in one dimension, in plain order.

    A unit is what stands together both in the file and in plain order: all that follows the axes which both
    orders begin with, of which the last one may be a block.
    """

    def __init__(self, flat: Flat, layout: Layout) -> None:
        self.dtype: np.dtype[Any] = flat.dtype
        self.size = math.prod(layout.sizes)
        self._flat = flat
        stored, sizes = dict(zip(layout.format, layout.stored, strict=True)), layout.sizes
        whole = 0
        for axis, wanted, size in zip(layout.format, layout.plain, sizes, strict=False):
            if axis != wanted or axis.lower() in layout.format or stored[axis] != size:
                break
            whole += 1
        first = layout.plain[whole]
        is_split = layout.format[whole] == first and first.lower() in layout.format
        self._block = stored[first.lower()] if is_split else 0
        self._blocks = stored[first] if is_split else 1
        self._first, self._inner = sizes[whole], math.prod(sizes[whole + 1 :])
        self._axes = layout.format[whole + is_split :]
        self._shape = layout.stored[whole + is_split :]
        self._rest = layout.plain[whole:], sizes[whole:]
        self._unit_items = math.prod(self._shape)
        self._kept: tuple[int, Array] | None = None
        plain_rest = layout.plain[whole + 1 :] + first.lower()
        is_in_order = is_split and self._axes == plain_rest and self._shape[:-1] == sizes[whole + 1 :]
        self._is_large = self._unit_items * self.dtype.itemsize > UNIT_BYTES
        if self._is_large and not is_in_order:
            size = self._unit_items * self.dtype.itemsize
            raise ValueError(
                f"a piece of its layout {layout.name} has {size:,} bytes: too many to turn round"
            )

    def __getitem__(self, part: slice) -> Array:
        start, stop, _ = part.indices(self.size)
        found = []
        while start < stop:
            piece = self._large(start, stop) if self._is_large else self._small(start, stop)
            found.append(piece)
            start += piece.size
        return np.concatenate(found) if found else np.empty(0, self.dtype)

    def _place(self, start: int) -> tuple[int, int, int]:
        """Of a value: its unit, its place in it, and how many values that one has."""
        outer, rest = divmod(start, self._first * self._inner)
        if not self._block:
            return outer, rest, self._first * self._inner
        block, place = divmod(rest, self._block * self._inner)
        channels = min(self._block, self._first - block * self._block)
        return outer * self._blocks + block, place, channels * self._inner

    def _small(self, start: int, stop: int) -> Array:
        number, place, size = self._place(start)
        if self._kept is None or self._kept[0] != number:
            self._kept = number, self._turned(number)[:size]
        return self._kept[1][place : place + stop - start]

    def _large(self, start: int, stop: int) -> Array:
        """One channel: every so manieth value of what is stored together."""
        number, place, _ = self._place(start)
        channel, inner = divmod(place, self._inner)
        count = min(stop - start, self._inner - inner)
        begin = number * self._unit_items + inner * self._block
        raw: Array = self._flat[begin : begin + count * self._block]
        return raw.reshape(count, self._block)[:, channel]

    def _turned(self, number: int) -> Array:
        """A unit in plain order, without padding but that of a block at its end."""
        begin = number * self._unit_items
        raw: Array = self._flat[begin : begin + self._unit_items].reshape(self._shape)
        order, sizes, cut = [], [], []
        for place, (axis, size) in enumerate(zip(*self._rest, strict=True)):
            mine = [self._axes.index(one) for one in (axis, axis.lower()) if one in self._axes]
            order += mine
            sizes.append(math.prod(self._shape[one] for one in mine))
            cut.append(slice(None if self._block and not place else size))
        return raw.transpose(order).reshape(sizes)[tuple(cut)].reshape(-1)
