"""Runs the command line and decides how the process ends."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

from farm.cli import failure
from farm.cli.terminal import signals, streams
from farm.errors import ExitCode, PassedOn, RunError

THREADS_S = 5.0
"""How long threads that still work may take at the end; then the process ends without them."""


def run() -> int:
    """Run what sys.argv says; the exit code. No exception leaves it, whatever the streams and signals do."""
    own_process = streams.guard()
    streams.set_width()
    threads = set(threading.enumerate())
    if own_process:
        failure.install_hooks()
    with signals.caught():
        code = _delivered(_command())
        if own_process:
            streams.finish()
            _leave_threads(threads, code)
            signals.ignore()
    return code


def _command() -> int:
    try:
        from farm.cli.app import app

        code = _known(app(standalone_mode=False))
    except SystemExit as left:
        code = _known(left.code, left)
    except BaseException as error:  # noqa: BLE001 - nothing may leave the process as a traceback
        signals.clean_up()
        code = _told(error)
    return code


def _told(error: BaseException) -> int:
    import typer

    if isinstance(error, typer.Abort):  # a question that nobody answered
        return failure.report(KeyboardInterrupt())
    show = getattr(error, "show", None)
    if show is None:
        return failure.report(error)
    try:
        show()  # how click says what is wrong with a command line
    except BaseException as another:  # noqa: BLE001 - as above
        return failure.report(another)
    return ExitCode.REQUEST


def _known(code: Any, left: SystemExit | None = None) -> int:
    """Codes of farm's own table, of a command that it ran, and those of click that agree with it; a library's
    exit is an error.
    """
    if code == ExitCode.INTERRUPTED:
        signals.clean_up()
        return failure.report(KeyboardInterrupt())
    if isinstance(code, ExitCode | PassedOn):
        return code
    if code in (None, 0):
        return ExitCode.OK
    if code == ExitCode.REQUEST:
        return ExitCode.REQUEST
    return failure.report((left.__context__ if left else None) or left or SystemExit(code))


def _delivered(code: int) -> int:
    """The code, or 4 where stdout did not take the results: a full disk, a closed descriptor."""
    error = streams.stdout_error()
    if error is None:
        return code
    from farm.cli.terminal.console import show_error

    show_error(
        RunError(f"cannot write to stdout: {error.strerror}", hint="send the output to another file or disk")
    )
    return code if code in (ExitCode.INTERRUPTED, ExitCode.REQUEST) else ExitCode.NOTHING_RAN


def _leave_threads(before: set[threading.Thread], code: int) -> None:
    """End at once when a thread of ours does not: the interpreter would wait for it without an end."""
    deadline = time.monotonic() + THREADS_S
    for thread in set(threading.enumerate()) - before:
        if not thread.daemon and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                os._exit(code)
