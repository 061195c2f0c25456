"""What a command prints, in files of bounded size."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, BinaryIO

MOST_BYTES = 64 << 20
"""Of each stream, from its beginning."""

LAST_BYTES = 1 << 16
"""And from its end: the last line names the build."""

BLOCK_BYTES = 1 << 16
LEFT_BLOCKS = 32
"""What a pipe holds at most when nobody writes to it any more."""

LOOK_S = 0.05


@dataclass
class Log:
    """The file of one stream. `over` are its bytes that came after the first `MOST_BYTES`."""

    sink: BinaryIO
    size: int = 0
    over: int = 0
    last: bytes = b""

    def write(self, data: bytes) -> None:
        """Raises OSError."""
        room = max(0, MOST_BYTES - self.size)
        self.sink.write(data[:room])
        self.sink.flush()
        self.size += len(data[:room])
        self.over += len(data[room:])
        self.last = (self.last + data[room:])[-LAST_BYTES:]

    def end(self) -> None:
        """Write the end of what was too long, and how much is not there. Raises OSError."""
        dropped = self.over - len(self.last)
        if dropped:
            self.sink.write(f"\n[farm dropped {dropped} bytes here]\n".encode())
        self.sink.write(self.last)
        self.sink.flush()


def follow(child: subprocess.Popen[bytes], logs: Mapping[IO[bytes], Log], limit_s: float) -> int:
    """Write what it prints until it ends; its exit code. A process that it leaves behind is not waited for.

    Raises subprocess.TimeoutExpired, and OSError where nothing can be written.
    """
    until = time.monotonic() + limit_s
    with selectors.DefaultSelector() as ready:
        for pipe in logs:
            os.set_blocking(pipe.fileno(), False)
            ready.register(pipe, selectors.EVENT_READ)
        while (code := child.poll()) is None:
            if time.monotonic() >= until:
                raise subprocess.TimeoutExpired(child.args, limit_s)
            for key, _ in ready.select(LOOK_S):
                if not _taken(key.fd, logs[key.fileobj]):  # type: ignore[index]
                    ready.unregister(key.fileobj)
    return code


def finish(logs: Mapping[IO[bytes], Log]) -> None:
    """Write what is left in the pipes. Raises OSError."""
    for pipe, log in logs.items():
        for _ in range(LEFT_BLOCKS):
            if not _taken(pipe.fileno(), log):
                break
        log.end()
        pipe.close()


def _taken(pipe: int, log: Log) -> bool:
    """Whether there was something in a pipe; False also at its end."""
    try:
        data = os.read(pipe, BLOCK_BYTES)
    except BlockingIOError:
        return False
    log.write(data)
    return bool(data)
