"""Run one program on a device under the agent's supervision, and see it through."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from farm.device.agent import Agent
from farm.device.faults import lost
from farm.device.restarts import LOST_JOB
from farm.device.session import Session
from farm.device.spool import Gathered, JobSpec, JobState
from farm.device.taking import OWN_ENDS, ended_by_itself
from farm.errors import DeviceError

__all__ = ["Ended", "JobSpec", "SmallOutcome", "run_small", "start_job", "wait_for_job"]

FIRST_POLL_S = 0.05
LAST_POLL_S = 0.5
SAFETY_POLL_S = 10.0
"""How long an end can stay unknown that the agent does not report."""
SMALL_OUTPUT_BYTES = 1 << 20
TAIL_CHARS = 300
LOST_EXIT_CODE = 137
UNSTARTED = "unstarted"
KILLED = "killed"
DROPPED_AT_ONCE = 30


@dataclass(frozen=True)
class Ended:
    """How a job ended. `why` is `-` or the limit that ended it, in the agent's words. `left` is what it left
    where that was asked for and came with its end, which was known for `known_s` then.
    """

    exit_code: int
    why: str
    left: Gathered | None = field(default=None, compare=False)
    known_s: float = field(default=0.0, compare=False)


@dataclass(frozen=True)
class SmallOutcome:
    """A short job with its output in memory (at most 1 MiB of each stream)."""

    exit_code: int
    why: str
    stdout: bytes
    stderr: bytes

    @property
    def output_tail(self) -> str:
        """The end of its stderr, or else of its stdout, for an error message."""
        text = (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace")
        return text[-TAIL_CHARS:] or f"exit code {self.exit_code} ({self.why})"


async def start_job(session: Session, spec: JobSpec) -> None:
    """Start, or find it started already when the first reply was lost with the connection."""
    tries = 0

    async def start(agent: Agent) -> None:
        nonlocal tries
        tries += 1
        try:
            await agent.start_job(session.epoch, spec)
        except DeviceError as error:
            if error.cause != "exists" or tries == 1:
                raise

    await session.call(start)


async def wait_for_job(session: Session, spec: JobSpec, limit_bytes: int | None = None) -> Ended:
    """Wait for the end of a job. The device reports it, and with `limit_bytes` sends with it what the job
    left (see `Agent.gather`): a round trip less. Where it cannot report, polls are rare, so that they do not
    disturb what is measured. A job that outlives its own limit lost who supervises it: it is ended.
    """
    limit_s = spec.wall_s + session.deadlines.lost_s if spec.wall_s else None
    try:
        async with asyncio.timeout(limit_s) as limit:
            waiting = _Waiting(session, spec.name, limit_bytes, limit)
            return await _with_lease(session, spec.name, await waiting.ended())
    except TimeoutError:
        await session.call(lambda agent: agent.kill(spec.name))
        state = await session.call(lambda agent: agent.poll(spec.name))
        code = LOST_EXIT_CODE if state.exit_code is None else state.exit_code
        return Ended(code, "wall-limit" if state.why == KILLED else state.why)


async def _with_lease(session: Session, name: str, ended: Ended) -> Ended:
    """An end, unless it was the device's own, because nobody renewed the lease, or one that nobody saw: that
    is no result.
    """
    if ended.why == UNSTARTED:
        raise session.unstarted()
    if ended.why == LOST_JOB and (again := session.lost_job(name)) is not None:
        raise again
    if ended.why not in OWN_ENDS:
        await session.call(lambda agent: agent.beat(session.epoch))
    return ended


@dataclass
class _Waiting:
    """For the end of a job, which may be told on more than one connection. `limit` is only for the end."""

    session: Session
    name: str
    limit_bytes: int | None
    limit: asyncio.Timeout
    known_at: float | None = None

    async def ended(self) -> Ended:
        pause_s = FIRST_POLL_S
        while True:
            ended = await self.session.wait(self._told)
            if ended is not None:
                return ended
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 1.5, LAST_POLL_S)

    async def _told(self, agent: Agent) -> Ended | None:
        """The end as this agent tells it, and what the job left, asked for at once. None: it cannot wait."""
        wait = asyncio.ensure_future(agent.wait(self.name))
        asked: list[asyncio.Future[Any]] = [wait]
        if self.limit_bytes is not None:
            asked.append(asyncio.ensure_future(agent.gather(self.name, self.limit_bytes)))
        try:
            await self._watched(wait)
            state, clock = wait.result(), asyncio.get_running_loop().time
            if state.exit_code is None:
                return None
            self.limit.reschedule(None)
            self.known_at = self.known_at or clock()
            is_result = state.why in (*OWN_ENDS, KILLED)
            left = await asked[1] if asked[1:] and is_result else None
            return Ended(state.exit_code, state.why, left, clock() - self.known_at)
        finally:
            for call in asked:
                call.cancel()
            await asyncio.gather(*asked, return_exceptions=True)

    async def _watched(self, wait: asyncio.Future[JobState]) -> None:
        """Raises DeviceError `connection-lost` when the session's other agent knows of the end and this one
        does not.
        """
        is_over = False
        while not (await asyncio.wait({wait}, timeout=SAFETY_POLL_S))[0]:
            seen = await self.session.call(lambda other: other.poll(self.name))
            was_over, is_over = is_over, seen.exit_code is not None
            if was_over and is_over and not wait.done():
                raise lost(f"the end of {self.name} was not told")


async def settle_left(session: Session) -> None:
    """Wait for the round of this run that still runs on the device; afterwards all that are `left` have ended
    by themselves.
    """
    limits = session.deadlines
    lost: set[str] = set()
    for job in sorted(session.left):
        await wait_for_job(session, JobSpec(job, (), limits.round_s, limits.silence_s))
        if not await session.call(lambda agent, job=job: ended_by_itself(agent, job)):  # type: ignore[misc]
            lost.add(job)
    for job in lost:
        session.left.discard(job)
        await session.call(lambda agent, job=job: agent.drop(job))  # type: ignore[misc]
    if lost:
        await session.anew()


async def drop(session: Session, *jobs: str) -> None:
    """Let the device forget jobs whose results are on disk here."""
    await session.call(lambda agent: agent.drop(*jobs))


async def drop_later(session: Session, job: str) -> None:
    """The same for a small job, together with others: between two rounds each is a round trip, and a process
    of the device.
    """
    session.to_drop.append(job)
    if len(session.to_drop) >= DROPPED_AT_ONCE:  # more where a drop failed
        await drop(session, *session.to_drop)
        session.to_drop.clear()


async def drop_left(session: Session) -> None:
    """Let the device forget what is left and was not asked for: its result is on disk already."""
    left = sorted(session.left | {*session.to_drop})
    for begin in range(0, len(left), DROPPED_AT_ONCE):
        await drop(session, *left[begin : begin + DROPPED_AT_ONCE])
    session.left.clear()
    session.to_drop.clear()


async def run_small(session: Session, spec: JobSpec) -> SmallOutcome:
    """Run a short helper to its end and forget its spool folder.

    When it cannot be seen to its end, the session's release kills it. Its name gets a number: it may run
    often.
    """
    spec = replace(spec, name=session.job_name(spec.name))
    await start_job(session, spec)
    ended = await wait_for_job(session, spec, SMALL_OUTPUT_BYTES)
    left = ended.left
    if left is None:
        left = await session.call(lambda agent: agent.gather(spec.name, SMALL_OUTPUT_BYTES))
    await session.call(lambda agent: agent.drop(spec.name))
    return SmallOutcome(ended.exit_code, ended.why, left.stdout.begin, left.stderr.begin)
