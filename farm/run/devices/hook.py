"""A command of the user's that switches a device: run on this machine, without a shell, within a deadline."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from farm.visible import one_line, visible

MOST_BYTES = 64 << 10
"""Of its output, from its beginning; the rest is read, and dropped."""
MOST_CHARS = 2000
BLOCK_BYTES = 64 << 10
LAST_BLOCKS = 32
"""What a pipe holds at most once its writer is gone."""
KILLED_S = 5.0
"""How long a process that was killed may take to end: one that waits for a dead disk does not."""


@dataclass(frozen=True)
class Hooked:
    """What a command did. `exit_code` as the shell has it; None: it was not started, or killed (`is_late`).
    `output` is what it printed, both streams, cleaned and cut; `failure` why it counts as failed.
    """

    exit_code: int | None
    output: str
    failure: str | None = None
    is_late: bool = False


@dataclass
class _Output:
    """What comes out of a pipe, up to `MOST_BYTES`."""

    data: bytearray = field(default_factory=bytearray)

    def take(self, pipe: int) -> bool:
        """Whether there was something."""
        try:
            block = os.read(pipe, BLOCK_BYTES)
        except BlockingIOError:
            return False
        self.data += block[: MOST_BYTES - len(self.data)]
        return bool(block)

    @property
    def text(self) -> str:
        lines = (line.rstrip() for line in self.data.decode("utf-8", "replace").splitlines())
        text = visible("\n".join(line for line in lines if line.strip()))
        return text if len(text) <= MOST_CHARS else f"{text[:MOST_CHARS]} ..."


async def run_hook(words: Sequence[str], limit_s: float, ran_out: str) -> Hooked:
    """Never raises for what the command is or does. What it started ends with it."""
    with _listening() as (output, pipe):
        try:
            child = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            return Hooked(None, "", f"cannot run {one_line(words[0], 200)}: {why}")
        code = await _ended(child, limit_s)
    if code is None:
        return Hooked(None, output.text, f"it did not end {ran_out}", is_late=True)
    code = code if code >= 0 else 128 - code
    return Hooked(code, output.text, f"it ended with {code}" if code else None)


async def _ended(child: asyncio.subprocess.Process, limit_s: float) -> int | None:
    """Its exit code; None where it had to be killed. Its whole process group is gone afterwards."""
    try:
        async with asyncio.timeout(limit_s):
            return await child.wait()
    except TimeoutError:
        return None
    finally:
        with contextlib.suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILLED_S):
                await child.wait()


@contextlib.contextmanager
def _listening() -> Iterator[tuple[_Output, int]]:
    """A pipe of our own, to be written to. Not asyncio's: a process that the command leaves behind keeps that
    open, and would be waited for.
    """
    loop, output = asyncio.get_running_loop(), _Output()
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    try:
        loop.add_reader(reader, output.take, reader)
        yield output, writer
    finally:
        loop.remove_reader(reader)
        os.close(writer)
        for _ in range(LAST_BLOCKS):
            if not output.take(reader):
                break
        os.close(reader)
