"""A round's end is told by an agent that waits for it and for nothing else."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from farm import agents
from farm.device import jobs
from farm.device.jobs import Ended, JobSpec, start_job, wait_for_job
from farm.device.session import Session
from farm.model.artifact import Script
from farm.model.limits.deadlines import Deadlines
from farm.sim.device import SimulatedDevice
from farm.sim.processes import agents as agents_of
from farm.sim.properties import Properties
from farm.transport.ssh import transport_for
from tests.proxy import ChaosProxy

SPEC = JobSpec(
    "j", ("sh", "-c", "echo x >out.txt; while [ ! -e ../tmp/go ]; do sleep 0.1; done; echo left; exit 3"), 600
)


class Lab:
    """A device behind a proxy."""

    def __init__(self, folder: Path, device: SimulatedDevice, proxy: ChaosProxy) -> None:
        self.home = device.home
        self.spool = device.home / ".cache" / "farm" / "spool"
        self.proxy = proxy
        self.looks = device.home / "looks"
        self.notes: list[str] = []
        at = device.device()
        self._device = replace(at, address=replace(at.address, port=proxy.port))
        self._known = folder / "known_hosts"
        self._known.write_text(device.known_hosts_line.replace(f":{device.port} ", f":{proxy.port} ") + "\n")

    def session(self, script: Script | None = None) -> Session:
        transport = transport_for(self._device, known_hosts=self._known)
        script = script or agents.agent_script()
        deadlines = Deadlines()
        return Session(
            self._device, transport, script, holder="a test", deadlines=deadlines, note=self.notes.append
        )

    def end(self) -> None:
        """Of the round."""
        (self.spool / "j" / "tmp" / "go").touch()


@pytest.fixture
async def lab(tmp_path: Path, devices: Path) -> AsyncIterator[Lab]:
    looked = Properties(tools=(("sha256sum", 'echo >>"$HOME/looks"; exec REAL "$@"'),))
    async with SimulatedDevice("d", looked, folder=devices) as device, ChaosProxy(device.port) as proxy:
        yield Lab(tmp_path, device, proxy)


async def waiting_for(session: Session) -> asyncio.Task[Ended]:
    await start_job(session, SPEC)
    waiting = asyncio.create_task(wait_for_job(session, SPEC, 100))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    return waiting


async def cancelled(task: asyncio.Task[Ended]) -> None:
    task.cancel()
    await asyncio.wait([task])


async def agents_are(lab: Lab, count: int) -> None:
    async with asyncio.timeout(30):
        while len(await asyncio.to_thread(agents_of, lab.home)) != count:
            await asyncio.sleep(0.02)


async def test_a_connection_that_is_cut_in_a_round_tells_its_end_all_the_same(lab: Lab) -> None:
    async with lab.session() as session:
        waiting = await waiting_for(session)
        lab.proxy.cut()
        async with asyncio.timeout(30):
            while "connected again" not in lab.notes:
                await asyncio.sleep(0.02)
        lab.end()
        ended = await waiting
        assert ended == Ended(3, "-")
        assert ended.left is not None
        assert ended.left.stdout.begin == b"left\n"
    await agents_are(lab, 0)


async def test_who_hands_its_device_on_in_a_round_does_not_wait_for_its_end(lab: Lab) -> None:
    async with lab.session() as session:
        await cancelled(await waiting_for(session))
        session.abandon()
    assert lab.notes == [], "to say goodbye to one that waits takes until a limit"
    assert (lab.spool / "j").is_dir()
    lab.end()
    await agents_are(lab, 0)


async def test_a_round_that_is_cancelled_is_ended_and_leaves_no_agent(lab: Lab) -> None:
    """What it wrote is of no interest then: to look at it would be work in somebody else's time."""
    async with lab.session() as session:
        await cancelled(await waiting_for(session))
        lab.looks.write_text("")
    assert lab.notes == []
    await agents_are(lab, 0)
    assert lab.looks.read_text() == ""


async def test_an_end_that_is_not_told_to_who_waits_is_found_by_the_other_agent(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SAFETY_POLL_S", 0.2)
    once = tmp_path / "once"
    text = agents.agent_script().content.decode()
    hanging = text.replace("\n  await\n", f"\n  [ -e {once} ] || {{ : >{once}; sleep 30; }}\n  await\n")
    assert hanging != text
    script = Script(hanging.encode(), hashlib.sha256(hanging.encode()).hexdigest())
    async with lab.session(script) as session:
        waiting = await waiting_for(session)
        assert once.exists()
        lab.end()
        async with asyncio.timeout(20):
            assert await waiting == Ended(3, "-")
    assert lab.proxy.connections == 2
    assert any("the end of j was not told" in note for note in lab.notes)
