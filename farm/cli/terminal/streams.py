"""stdin, stdout and stderr that never raise: closed, on a full disk, a closed pipe, any characters.

What cannot be written is dropped. Of stdout the reason is kept for the end of the process (`stdout_error`):
the work goes on, because a run is worth more than what is said about it.
"""

from __future__ import annotations

import errno
import io
import os
import re
import select
import sys
from typing import Any, TextIO

NARROWEST = 40
USUAL = 80
WIDEST = 10_000
MOST_WAITING_BYTES = 1 << 20
DRAIN_S = 10.0
"""Terminals below NARROWEST columns get the layout for USUAL columns, which they wrap themselves."""

_INPUT, _OUTPUT, _ERRORS = 0, 1, 2
_SIZES = ("COLUMNS", "LINES", "TERMINAL_WIDTH")


class _Output(io.FileIO):
    """A descriptor whose first error ends all writing to it."""

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        try:
            while self.error is None:
                written = super().write(data)
                if written is not None:
                    return written
                # Another program made our terminal or pipe non-blocking.
                select.select((), (self.fileno(),), ())
        except OSError as error:
            self.error = error
        return memoryview(data).nbytes


class _Notes(_Output):
    """stderr, which nobody has to read: while its pipe is full or its terminal is stopped, text waits here.

    The event loop writes notes; waiting for a reader would cost it the leases of all devices.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._waiting = bytearray()

    def write(self, data: Any, /) -> int:
        self._waiting += data
        del self._waiting[:-MOST_WAITING_BYTES]
        self.send(0)
        return memoryview(data).nbytes

    def send(self, wait_s: float) -> None:
        """Write what waits; give up when the reader takes nothing for `wait_s` seconds."""
        try:
            while self._waiting and self.error is None and select.select((), (self.fileno(),), (), wait_s)[1]:
                # A pipe that is ready takes so many bytes without blocking.
                del self._waiting[: super().write(self._waiting[: select.PIPE_BUF])]
        except OSError as error:
            self.error = error


_stdout: _Output | None = None
_stderr: _Notes | None = None


def guard() -> bool:
    """Replace the process's own streams. False where somebody else did that: a test that captures them."""
    global _stdout, _stderr  # noqa: PLW0603 - one of each per process
    if sys.stdout is not sys.__stdout__ or sys.stderr is not sys.__stderr__:
        return False
    _fill()
    _stdout = _Output(_OUTPUT, "w", closefd=False)
    sys.stdout = _text(_stdout, sys.__stdout__)
    _stderr = _Notes(_ERRORS)
    sys.stderr = _text(_stderr, sys.__stderr__)
    encoding = sys.__stdin__.encoding if sys.__stdin__ is not None else "utf-8"
    sys.stdin = open(_INPUT, closefd=False, encoding=encoding, errors="replace")  # noqa: SIM115
    return True


def stdout_error() -> OSError | None:
    """Why not all of stdout could be written. A reader who closed the pipe has read enough: no error."""
    sys.stdout.flush()
    error = _stdout.error if _stdout is not None else None
    return None if error is None or error.errno == errno.EPIPE else error


def finish() -> None:
    """Write what still waits, for somebody who reads it within DRAIN_S."""
    sys.stderr.flush()
    if _stderr is not None:
        _stderr.send(DRAIN_S)


def set_width() -> None:
    """Remove sizes that are no sizes from the environment, and give a very narrow terminal a usable layout.

    `COLUMNS=0`, a superscript two or a number of 30 digits make libraries raise or fill the memory.
    """
    for name in _SIZES:
        if not _is_size(os.environ.get(name)):
            os.environ.pop(name, None)
    columns = int(os.environ.get("COLUMNS", "0")) or _terminal_columns()
    if 0 < columns < NARROWEST:
        os.environ["COLUMNS"] = str(USUAL)


def is_narrow() -> bool:
    """Whether stderr is a terminal on which no line can be written over: too narrow."""
    try:
        return os.get_terminal_size(_ERRORS).columns < NARROWEST
    except OSError:
        return False


def _is_size(text: str | None) -> bool:
    return text is not None and re.fullmatch("[0-9]{1,5}", text) is not None and 0 < int(text) <= WIDEST


def _terminal_columns() -> int:
    for descriptor in (_OUTPUT, _ERRORS):
        try:
            return os.get_terminal_size(descriptor).columns
        except OSError:
            continue
    return 0


def _text(raw: _Output, like: TextIO | None) -> TextIO:
    encoding = like.encoding if like is not None else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=like is sys.__stderr__ or raw.isatty(),
    )


def _fill() -> None:
    """No descriptor of 0, 1 and 2 stays free: the next file that is opened would get it, and what is meant
    for the terminal would be written into it. Writing to a closed stdout fails, as it would have.
    """
    for descriptor, flags in ((_INPUT, os.O_RDONLY), (_OUTPUT, os.O_RDONLY), (_ERRORS, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, flags)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
