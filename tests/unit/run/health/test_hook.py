"""Power hooks: real commands, and what hostile ones do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from farm.run.devices.hook import MOST_CHARS, Hooked, run_hook
from farm.sim import processes
from tests.session import wait

LONG_S = 60.0


def sh(script: str, *words: str) -> tuple[str, ...]:
    return ("sh", "-c", script, *words)


async def hook(*words: str, limit_s: float = LONG_S) -> Hooked:
    return await run_hook(words, limit_s, "within its deadline")


def is_alive(pid_file: Path) -> bool:
    return processes.is_alive(int(pid_file.read_text()))


async def test_both_streams_are_kept_and_arguments_stay_what_they_are() -> None:
    done = await hook(*sh('echo "$0|$1"; echo err >&2'), "a b; exit 9", "$(id)")
    assert done == Hooked(0, "a b; exit 9|$(id)\nerr")


async def test_no_input_is_waited_for() -> None:
    assert (await hook("cat")).exit_code == 0


@pytest.mark.parametrize(("script", "code"), [("exit 3", 3), ("kill -9 $$", 137)])
async def test_an_exit_code_that_is_not_0_is_a_failure(script: str, code: int) -> None:
    assert await hook(*sh(script)) == Hooked(code, "", f"it ended with {code}")


@pytest.mark.parametrize(
    "word", ["/nonexistent/pdu", "no-such-program-here", "/etc/passwd", "/", "caf\udce9", "a\0b"]
)
async def test_a_command_that_cannot_be_run_is_a_failure(word: str) -> None:
    done = await hook(word)
    assert done.exit_code is None
    assert done.failure is not None
    assert "cannot run" in done.failure
    done.failure.encode()


async def test_garbage_is_cleaned_and_cut_and_a_flood_is_not_kept() -> None:
    done = await hook(*sh(r"printf '\377\000\033[2Jx\n\n\n'; yes | head -c 50000000"))
    assert done.exit_code == 0
    assert done.output.startswith("�")
    assert "\x1b" not in done.output
    assert "\0" not in done.output
    assert len(done.output) <= MOST_CHARS + 4


async def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    done = await hook(
        *sh("trap '' TERM INT; echo so far; sleep 989 & echo $! >\"$0\"; wait"), str(file), limit_s=1.0
    )
    assert (done.exit_code, done.output, done.is_late) == (None, "so far", True)
    assert done.failure == "it did not end within its deadline"
    await asyncio.to_thread(wait, lambda: not is_alive(file))
    assert not is_alive(file)


async def test_one_that_leaves_a_process_behind_is_not_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    done = await hook(*sh('sleep 989 & echo $! >"$0"; echo done'), str(file))
    assert (done.exit_code, done.output) == (0, "done")
    await asyncio.to_thread(wait, lambda: not is_alive(file))
    assert not is_alive(file)


async def test_one_that_is_interrupted_ends(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    task = asyncio.create_task(hook(*sh('echo $$ >"$0.new"; mv "$0.new" "$0"; exec sleep 989'), str(file)))
    while not file.exists():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.to_thread(wait, lambda: not is_alive(file))
    assert not is_alive(file)


async def test_the_event_loop_goes_on_while_a_hook_floods_its_output() -> None:
    flood = asyncio.create_task(hook(sys.executable, "-c", "while True: print('x' * 65536)", limit_s=1.0))
    turns = 0
    while not flood.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10
    assert (await flood).is_late
