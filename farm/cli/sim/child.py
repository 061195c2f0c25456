"""The command of `farm sim run`: what it is, and a process that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from farm.cli.commands import COMMANDS
from farm.cli.lazy import load
from farm.cli.terminal.console import say
from farm.errors import RequestError
from farm.model.limits.deadlines import Deadlines
from farm.visible import one_line

FARM = "farm"
PLACEHOLDER = "{inventory}"
OPTIONS = ("--inventory", "-i")


def require_program(words: Sequence[str]) -> None:
    """Raises RequestError for a program that is not there."""
    if words[0] != FARM and shutil.which(words[0]) is None:
        raise RequestError(f"cannot run {one_line(words[0], 80)}: no such program", hint=_hint(words))


def completed(words: Sequence[str], inventory: Path) -> list[str]:
    """The words of the process: `{inventory}` is replaced, `farm` is this farm, and a command of it that
    takes an inventory, and has none, gets this one.
    """
    replaced = [word.replace(PLACEHOLDER, str(inventory)) for word in words]
    if words[0] != FARM:
        return replaced
    rest = replaced[1:]
    row = max(
        (row for row in COMMANDS if rest[: len(row.words.split())] == row.words.split()),
        key=lambda row: len(row.words),
        default=None,
    )
    if row is not None and not _is_given(rest) and _takes_one(row.words):
        count = len(row.words.split())
        rest = [*rest[:count], OPTIONS[0], str(inventory), *rest[count:]]
    return [sys.executable, "-m", FARM, *rest]


def _is_given(words: Sequence[str]) -> bool:
    return any(word in OPTIONS or word.startswith((f"{OPTIONS[0]}=",)) for word in words)


def _takes_one(command: str) -> bool:
    row = next(row for row in COMMANDS if row.words == command)
    return any(OPTIONS[0] in parameter.opts for parameter in load(row).params)


async def ended(words: Sequence[str], environment: Mapping[str, str], deadlines: Deadlines) -> int:
    """Run it to its end; its exit code, as a shell has it. Its streams are ours.

    It is the leader of a session, so that a signal reaches it once, from here: then it has `sim_end_s` to end
    while its devices still are there. What it started goes with it. Raises RequestError for what cannot be
    run.
    """
    try:
        process, cancelled = await _started(words, environment)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise RequestError(f"cannot run {one_line(words[0], 80)}: {why}", hint=_hint(words)) from error
    try:
        if cancelled is not None:
            raise cancelled
        code = await process.wait()
    except asyncio.CancelledError:
        _send(process.pid, signal.SIGINT)
        try:
            async with asyncio.timeout(deadlines.sim_end_s):
                await process.wait()
        except TimeoutError:
            say(f"the command did not end {deadlines.ran_out('sim-end')}: it is killed", "yellow")
        raise
    finally:
        _send(process.pid, signal.SIGKILL)
        await process.wait()
    return code if code >= 0 else 128 - code


async def _started(
    words: Sequence[str], environment: Mapping[str, str]
) -> tuple[asyncio.subprocess.Process, asyncio.CancelledError | None]:
    """The process; and the cancellation that came meanwhile, or what it had started would be left."""
    start = asyncio.create_subprocess_exec(*words, env=environment, stdin=_input(), start_new_session=True)
    starting = asyncio.create_task(start)
    cancelled = None
    while not starting.done():
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError as error:
            cancelled = error
    return starting.result(), cancelled


def _input() -> int | None:
    """None is ours. A terminal belongs to another session."""
    return subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None


def _send(leader: int, number: signal.Signals) -> None:
    """To all processes of its session's first group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _hint(words: Sequence[str]) -> str:
    names = {row.words.split()[0] for row in COMMANDS}
    if words[0] in names:
        return f"farm sim run LAB.yaml -- {FARM} {words[0]} ..."
    return "name a program, its path, or a command of farm: -- farm bench"
