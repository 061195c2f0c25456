"""The last resort: an exception that nobody expected becomes a clear error and a saved traceback."""

from __future__ import annotations

import atexit
import errno
import os
import platform
import sys
import threading
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import farm
from farm.errors import ExitCode, FarmError, RequestError, RunError

KEPT_TRACEBACKS = 20
LONGEST_REASON = 300

_numbers = count(1)


def report(error: BaseException) -> int:
    """Print what happened and what to type next; the exit code of it. Never raises, never gives 1."""
    try:
        return _report(error)
    except BaseException as another:  # noqa: BLE001 - the last resort has nobody behind it
        _whisper(f"error: {_name(error)}, and then {_name(another)} while it was reported\n")
        return ExitCode.INTERRUPTED if _was_interrupted(error) else ExitCode.NOTHING_RAN


def note(error: BaseException) -> None:
    """A fault beside the work, in a thread or a task that nobody waits for: saved, and told in one line."""
    try:
        from farm.cli.terminal.console import say

        say(f"note: {_internal(error)}; {save(error)}", "yellow")
    except BaseException:  # noqa: BLE001 - as above
        _whisper(f"note: {_name(error)}\n")


def install_hooks() -> None:
    """No traceback on the terminal from threads, destructors and the end of the interpreter either.

    At the very end nothing can be saved any more: what is raised there is dropped.
    """
    atexit.register(setattr, sys, "unraisablehook", lambda _caught: None)
    sys.unraisablehook = lambda caught: note(caught.exc_value or RuntimeError(str(caught.err_msg)))
    threading.excepthook = lambda caught: note(caught.exc_value or RuntimeError("a thread ended"))


def save(error: BaseException) -> str:
    """Write the traceback to a private file of the cache folder. Where it is, or why it is not, in words."""
    try:
        from farm import resources
        from farm.files import write_atomic

        folder = resources.cache_folder() / "errors"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}-{next(_numbers)}.txt"
        write_atomic(path, _text(error), mode=0o600)
        for old in sorted(folder.glob("*.txt"))[:-KEPT_TRACEBACKS]:
            old.unlink(missing_ok=True)
    except Exception as why:  # noqa: BLE001 - no home, no disk, no memory: the error itself is still told
        return f"its traceback could not be saved ({_name(why)}); it was raised at {_place(error)}"
    return f"traceback: {path}"


def _report(error: BaseException) -> int:
    from asyncio import CancelledError

    from farm.cli.terminal.console import say, show_error

    leaves = tuple(_leaves(error))
    ends = all(isinstance(one, KeyboardInterrupt | CancelledError) for one in leaves)
    interrupted = ends or _was_interrupted(error)
    if ends:
        say("interrupted", "yellow")
        return ExitCode.INTERRUPTED
    known = [one for one in leaves if isinstance(one, FarmError)]
    if len(known) < len(leaves):
        known = [explained(error)]
    for one in known:
        show_error(one)
    if interrupted:
        say("interrupted", "yellow")
        return ExitCode.INTERRUPTED
    codes = {one.exit_code for one in known}
    return ExitCode.REQUEST if codes == {ExitCode.REQUEST} else ExitCode.NOTHING_RAN


def explained(error: BaseException) -> FarmError:
    """The error of farm's tree for one that is not in it; its traceback is saved."""
    where = save(error)
    if isinstance(error, MemoryError):
        return RunError(f"not enough memory; {where}", hint="end other programs, or choose fewer --devices")
    if isinstance(error, OSError) and error.errno is not None:
        path = _path(error)
        text = f"{f'{path}: ' if path else ''}{error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return RunError(f"disk full: {text}; {where}", hint="free space on that disk")
        if path and _is_typed(path):
            return RequestError(f"cannot use {text}; {where}", hint=f"ls -ld {path}")
        return RunError(f"{text}; {where}", hint="if this is not what the system should do, report it")
    return RunError(f"{_internal(error)}; {where}", hint="report it with the traceback")


def _internal(error: BaseException) -> str:
    return f"internal error in farm: {_name(error)}"


def _name(error: BaseException) -> str:
    from farm.visible import one_line

    try:
        return one_line(f"{type(error).__name__}: {error}".rstrip(": "), LONGEST_REASON)
    except Exception:  # noqa: BLE001 - an exception whose text raises
        return type(error).__name__


def _text(error: BaseException) -> bytes:
    from farm.cli.typed import without_passwords

    words = " ".join(ascii(word) for word in sys.argv)
    lines = traceback.format_exception(error)
    head = f"farm {farm.__version__}, Python {platform.python_version()}, {platform.platform()}\n{words}\n\n"
    return without_passwords(head + "".join(lines)).encode("utf-8", "backslashreplace")


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else "an unknown place"


def _path(error: OSError) -> str:
    name: Any = error.filename
    return os.fsdecode(name) if isinstance(name, str | bytes | os.PathLike) else ""


def _is_typed(path: str) -> bool:
    """Whether this path, or a folder of it, is on the command line."""
    words = {Path(part) for word in sys.argv[1:] for part in (word, word.partition("=")[2]) if part}
    return any(one in words for one in (Path(path), *Path(path).parents) if one != Path())


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from _leaves(one)
    else:
        yield error


def _was_interrupted(error: BaseException) -> bool:
    """Whether it is an interruption, or was raised while one was handled."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        if isinstance(one, KeyboardInterrupt):
            return True
        seen.add(id(one))
        waiting += [one.__context__, one.__cause__]
        waiting += one.exceptions if isinstance(one, BaseExceptionGroup) else ()
    return False


def _whisper(text: str) -> None:
    """The least that can be said: no library, no encoding, no stream that may be closed."""
    try:
        os.write(2, text.encode("ascii", "backslashreplace"))
    except OSError:
        return
