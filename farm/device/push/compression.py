"""Whether a file travels compressed: where the line is slower than the compressor, by its first bytes."""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

BUFFERED_BYTES = 8 << 20
"""So much may stand in buffers on the way: it says nothing of the line."""

MEASURED_BYTES = 4 << 20
"""Of what follows, by which the line is judged."""

WORTH_RATIO = 0.9
"""Content that does not become smaller than this travels as it is: most weights of models do."""

TIMES_FASTER = 4
"""The compressor has to be so much faster than the line: other devices use it, too."""

LEVEL = 1
GZIP_WBITS = 31


@dataclass(frozen=True)
class Trial:
    """What compressing a block showed: its size afterwards, as a part of the one before, and how fast."""

    ratio: float
    bytes_per_s: float


def trial(block: bytes, clock: Callable[[], float] = time.perf_counter) -> Trial:
    """Compress a block, which is not empty."""
    began = clock()
    size = len(zlib.compress(block, LEVEL))
    return Trial(size / len(block), len(block) / max(clock() - began, 1e-9))


def is_worth(line_bytes_per_s: float, tried: Trial) -> bool:
    """Whether a line gets a file sooner that is compressed."""
    return tried.ratio <= WORTH_RATIO and TIMES_FASTER * line_bytes_per_s <= tried.bytes_per_s


class Judge:
    """Lets the blocks of a file pass, and stops where the rest should be compressed."""

    def __init__(self) -> None:
        self.line_bytes_per_s: float | None = None
        """Where it has stopped: how fast the line is."""

    async def passed(self, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The blocks; each is asked for when the one before is on its way."""
        loop, sent, begin = asyncio.get_running_loop(), 0, (0.0, 0)
        is_judged = False
        async for block in blocks:
            yield block
            sent, now = sent + len(block), loop.time()
            if not begin[1] and sent >= BUFFERED_BYTES:
                begin = now, sent
            elif begin[1] and not is_judged and sent - begin[1] >= MEASURED_BYTES:
                is_judged, rate = True, (sent - begin[1]) / max(now - begin[0], 1e-9)
                if is_worth(rate, await asyncio.to_thread(trial, block)):
                    self.line_bytes_per_s = rate
                    return


async def compressed(blocks: AsyncIterator[bytes], progress: Callable[[int], None]) -> AsyncIterator[bytes]:
    """As one stream of gzip; `progress` gets how many bytes went into it."""
    packer, taken = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_WBITS), 0
    async for block in blocks:
        if data := await asyncio.to_thread(packer.compress, block):
            yield data
        taken += len(block)
        progress(taken)
    yield packer.flush()
