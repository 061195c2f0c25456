"""Each odd device is odd in the way that its name says, seen by OpenSSH's client or on the device itself."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farm.agents import agent_script
from farm.sim import processes
from farm.sim.device import SimulatedDevice
from farm.sim.oddities import ODDITIES
from farm.sim.places import switch_off, tools_folder
from farm.sim.program.strikes import strike
from farm.sim.properties import Act, Line, Properties, Strike, Target
from tests.session import wait
from tests.sim.conftest import needs, ssh

pytestmark = pytest.mark.sshd


@contextlib.asynccontextmanager
async def odd(name: str, folder: Path) -> AsyncIterator[SimulatedDevice]:
    async with SimulatedDevice("odd", ODDITIES[name].properties, folder) as device:
        yield device


async def test_a_home_that_is_not_utf8_is_where_commands_start(devices: Path) -> None:
    async with odd("home-not-utf8", devices) as device:
        assert (await ssh(device, "pwd")).stdout.endswith(b"/caf\xe9\n")


async def test_each_program_complains_about_a_missing_library(devices: Path) -> None:
    async with odd("preload-noise", devices) as device:
        done = await ssh(device, "env true")
    assert done.returncode == 0
    assert done.stderr.count(b"no-such-library.so") >= 2


async def test_each_shell_traces(devices: Path) -> None:
    needs("bash")
    async with odd("traced-shells", devices) as device:
        done = await ssh(device, "sh -c 'echo one'")
    assert (done.stdout, done.returncode) == (b"one\n", 0)
    assert done.stderr.count(b"+ ") >= 2


async def test_a_chatty_rc_file_prints_before_every_command(devices: Path) -> None:
    needs("bash")
    async with odd("chatty-login", devices) as device:
        lines = (await ssh(device, "echo done")).stdout.splitlines()
    assert (len(lines), lines[-1]) == (5001, b"done")


@pytest.mark.parametrize("shell", ["csh", "tcsh"])
async def test_commands_are_run_by_the_c_shell(devices: Path, shell: str) -> None:
    needs(shell)
    async with odd(shell, devices) as device:
        done = await ssh(device, "setenv ONE two && printenv ONE")
    assert done.stdout == b"two\n", done.stderr


@pytest.mark.parametrize(
    ("name", "said", "code"), [("nologin", b"not available", 1), ("forced-command", b"backups only", 7)]
)
async def test_no_command_is_run_but_one(devices: Path, name: str, said: bytes, code: int) -> None:
    async with odd(name, devices) as device:
        done = await ssh(device, "touch here")
        assert not (device.home / "here").exists()
    assert said in done.stdout + done.stderr
    assert done.returncode == code


async def test_the_first_connections_are_reset(devices: Path) -> None:
    async with odd("first-connect-reset", devices) as device:
        assert [(await ssh(device, "true")).returncode for _ in range(3)] == [255, 255, 0]


async def test_nobody_listens_at_first(devices: Path) -> None:
    async with SimulatedDevice("deaf", Properties(line=Line(deaf_s=3600)), devices) as device:
        assert b"refused" in (await ssh(device, "true")).stderr
    async with SimulatedDevice("late", Properties(line=Line(deaf_s=0.2)), devices) as device:
        while (await ssh(device, "true")).returncode != 0:
            await asyncio.sleep(0.1)


async def test_slow_forks_are_those_of_every_tool_of_the_agent(devices: Path) -> None:
    async with odd("slow-forks", devices) as device:
        assert (await ssh(device, "echo text | grep -c t")).stdout == b"1\n"
        slow = {tool.name for tool in tools_folder(device.home).iterdir()}
    used = re.search(r"^TOOLS='(.*)'$", agent_script().content.decode(), re.MULTILINE)
    assert slow == set(used[1].split()) - {"sleep"}


async def test_a_file_may_lie_about_its_size(devices: Path) -> None:
    async with odd("lying-sizes", devices) as device:
        assert (await ssh(device, "echo >f; wc -c -- f; wc -c <f")).stdout == b"99999999999999 f\n1\n"


async def test_the_agent_may_tell_of_a_file_without_a_name(devices: Path) -> None:
    async with odd("empty-name", devices) as device:
        (device.home / "x.sh").write_text('echo "0123 0 abc"')
        assert (await ssh(device, "sh x.sh serve; sh x.sh other")).stdout == b"0123 0 %00\n0123 0 abc\n"


# --------------------------------------------------------------------------- strikes


@contextlib.asynccontextmanager
async def struck(
    devices: Path,
) -> AsyncIterator[tuple[SimulatedDevice, dict[Target, list[int]], asyncio.Task]]:
    """A device on which something runs that looks like an agent and its supervisor."""
    async with SimulatedDevice("one", Properties(), devices) as device:
        # A script of one line for each role, which its shell does not leave.
        (device.home / "x.sh").write_text("sleep 989\n:\n")
        command = "setsid sh x.sh supervise . </dev/null >/dev/null 2>&1 & sh x.sh serve ."
        client = asyncio.create_task(ssh(device, command))

        def found() -> dict[Target, list[int]]:
            return {
                Target.AGENT: processes.agents(device.home),
                Target.SUPERVISOR: processes.agents(device.home, "supervise"),
                Target.CONNECTION: processes.servers(device.home),
            }

        await asyncio.to_thread(wait, lambda: all(found().values()))
        yield device, found(), client
    await client


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return "-"


@pytest.mark.parametrize("target", [Target.AGENT, Target.SUPERVISOR, Target.CONNECTION])
async def test_a_strike_hits_its_target_and_nothing_else(devices: Path, target: Target) -> None:
    async with struck(devices) as (device, pids, client):
        strike(Strike(target, Act.STOP), device.home)
        await asyncio.to_thread(wait, lambda: {state(pid) for pid in pids[target]} == {"T"})
        stopped = {one for one, hit in pids.items() if "T" in map(state, hit)}
        assert stopped == {target}
        strike(Strike(target, Act.KILL), device.home)
        await asyncio.to_thread(wait, lambda: not any(map(processes.is_alive, pids[target])))
        assert not any(map(processes.is_alive, pids[target]))
        if target is Target.CONNECTION:
            assert (await client).returncode == 255


async def test_what_was_stopped_for_a_while_goes_on(devices: Path) -> None:
    async with struck(devices) as (device, pids, _):
        await asyncio.to_thread(strike, Strike(Target.AGENT, Act.STOP, lasts_s=0.1), device.home)
        await asyncio.to_thread(wait, lambda: state(pids[Target.AGENT][0]) == "S")
        assert state(pids[Target.AGENT][0]) == "S"


async def test_a_stopped_server_does_not_outlive_its_device(devices: Path) -> None:
    async with struck(devices) as (device, pids, _):
        strike(Strike(Target.CONNECTION, Act.STOP), device.home)
        strike(Strike(Target.AGENT, Act.STOP), device.home)
    assert not any(map(processes.is_alive, [pid for hit in pids.values() for pid in hit]))
    assert [*devices.iterdir()] == []


async def test_after_a_power_cut_nothing_answers(devices: Path) -> None:
    async with SimulatedDevice("one", Properties(), devices) as device:
        assert (await ssh(device, "true")).returncode == 0
        switch_off(device.home)
        assert (await ssh(device, "true")).returncode == 255
