"""What a device is like between rounds: a timed round begins when it is cool and idle, or after a limit.

Nothing is waited for blindly, and nothing for long: what the device is like meanwhile is judged with the
round itself. On a device that is cool and idle nothing is asked and no time passes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from farm.analysis.quality import busy_text
from farm.analysis.telemetry import JIFFIES_PER_S, in_order, used_between, used_in
from farm.device.session import Session
from farm.logs.processes import heaviest
from farm.model.limits.cooling import TOLERANCE_C, Cooldown
from farm.model.telemetry import Sample

LOOK_S = 0.25
"""The first look at how busy a device is: 25 ticks of the kernel's clock on each core."""
LOOK_AGAIN_S = 1.0
RECENT_S = 3.0
"""So long a device counts as idle that was so in its last round."""
COOL_POLL_S = 1.0
LEAST_FALL_C = 1.0
"""A sensor that falls by less in a whole wait does not show whether the device is cool."""
HEAVY = 0.05
"""The part of a core's time from which on a process is named."""
MOST_NAMED = 3


class Surroundings:
    """Of one lease: `begin` once, then `before` each timed round and `after` each round of any kind.

    `tell` is for people who watch; `clock` counts seconds.
    """

    def __init__(
        self,
        session: Session,
        cooldown: Cooldown,
        core_count: int | None,
        tell: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._session = session
        self._cooldown = cooldown
        self.core_count = core_count
        self._tell = tell
        self._clock = clock
        self._base: Sample | None = None
        self._fresh: Sample | None = None
        self._warm: dict[str, float] = {}
        self._stuck: set[str] = set()
        self._patience_s = session.deadlines.idle_s
        self._idle_at: float | None = None
        self.waited_s = 0.0
        """Before the round that is run now."""
        self.busy: str | None = None
        """What was seen of others just before the round, where it was not idle."""
        self.reached_khz: dict[int, int] = {}
        """The highest frequency of each core in the rounds so far."""

    async def begin(self) -> None:
        """The device as it was got. Raises DeviceError."""
        self._base = self._fresh = await self._session.call(lambda agent: agent.sense())
        self._warm = dict(self._base.temperatures_c) if self._base else {}

    async def before(self) -> None:
        """Wait until the device is cool and idle, within limits. Raises DeviceError."""
        began = self._clock()
        await self._until_cool()
        await self._until_idle()
        self.waited_s = round(self._clock() - began, 3)

    def after(self, samples: Sequence[Sample]) -> None:
        """What a round has seen of the device serves the next one."""
        kept, _ = in_order(samples)
        if kept:
            self._warm = dict(kept[-1].temperatures_c)
        for one in kept:
            for core, khz in one.frequencies_khz:
                if core in one.running:
                    self.reached_khz[core] = max(khz, self.reached_khz.get(core, 0))
        used = used_in(kept)
        is_idle = used is not None and busy_text(used, self.core_count) is None
        self._idle_at = self._clock() if is_idle else None

    # ------------------------------------------------------------------------- cool

    async def _until_cool(self) -> None:
        limit_s = self._cooldown.at_most_s
        targets = {zone: target for zone, target in self._targets().items() if zone not in self._stuck}
        zone = _hottest(self._warm, targets)
        if zone is None or not self._cooldown.is_on:
            return
        began, first = self._clock(), dict(self._warm)
        while zone is not None and (left_s := limit_s - (self._clock() - began)) > 0:
            self._tell(f"cooling {self._warm[zone]:.0f} -> {targets[zone]:.0f} C")
            await asyncio.sleep(min(COOL_POLL_S, left_s))
            sample = await self._session.call(lambda agent: agent.sense())
            self._warm = dict(sample.temperatures_c) if sample else {}
            zone = _hottest(self._warm, targets)
        if zone is not None:
            self._tell(
                f"still {self._warm[zone]:.0f} C after {limit_s:g} s of cooling: measured all the same"
            )
            self._stuck |= {name for name in targets if self._is_stuck(name, targets[name], first)}

    def _is_stuck(self, zone: str, target_c: float, first: Mapping[str, float]) -> bool:
        """Whether a sensor is warm and did not fall in the whole wait: it is not waited for again."""
        now_c = self._warm.get(zone)
        return now_c is not None and now_c > target_c and first.get(zone, now_c) - now_c < LEAST_FALL_C

    def _targets(self) -> dict[str, float]:
        """By zone; only those that the device had at the start of the lease."""
        base = dict(self._base.temperatures_c) if self._base else {}
        to_c = self._cooldown.to_c
        return {name: celsius + TOLERANCE_C if to_c is None else to_c for name, celsius in base.items()}

    # ------------------------------------------------------------------------- idle

    async def _until_idle(self) -> None:
        """After a wait in vain the next one is half as long: who shares a device for good is not held up."""
        self.busy = None
        began = self._clock()
        if self._base is None or self._base.cpu is None:
            return  # it does not tell
        if not self._session.is_alone and (others := await self._others()):
            self.busy = f"before it {others}"
            return
        if self._idle_at is not None and began - self._idle_at < RECENT_S:
            return
        seen = await self._first_look()
        who: str | None = None
        while seen.busy is not None and (left_s := self._patience_s - (self._clock() - began)) > 0:
            self._tell(f"waiting until it is idle: {who or seen.busy}")
            seen, who = await self._look_closer(seen.sample, min(LOOK_AGAIN_S, left_s))
        if seen.busy is None:
            self._patience_s = self._session.deadlines.idle_s
            return
        if who is None:
            _, who = await self._look_closer(seen.sample, LOOK_S)
        self.busy = f"before it {who or seen.busy}"
        self._patience_s /= 2

    async def _others(self) -> str:
        """Jobs of farm that run here for other workdirs, in words; "" where there is none."""
        found = await self._session.call(lambda agent: agent.others())
        return ", ".join(f"job {one.job} of {one.workdir} ran" for one in found[:MOST_NAMED])

    async def _first_look(self) -> _Seen:
        """What was read at the start of the lease serves, too, if the device was idle since."""
        base, self._fresh = self._fresh, None
        if base is not None:
            seen = await self._look(base, 0.0)
            if seen.busy is None and seen.elapsed_s >= LOOK_S:
                return seen
        return await self._look(None, LOOK_S)

    async def _look(self, earlier: Sample | None, window_s: float) -> _Seen:
        """What others used until a reading that comes so long after the earlier one, or after a first one."""
        earlier = earlier or await self._session.call(lambda agent: agent.sense())
        await asyncio.sleep(window_s)
        later = await self._session.call(lambda agent: agent.sense())
        used = used_between(earlier, later) if earlier and later else None
        return _Seen(later, busy_text(used, self.core_count), used.elapsed_s if used else 0.0)

    async def _look_closer(self, earlier: Sample | None, window_s: float) -> tuple[_Seen, str | None]:
        """The same, and who it is."""
        before = await self._session.call(lambda agent: agent.processes())
        began = self._clock()
        seen = await self._look(earlier, window_s)
        after = await self._session.call(lambda agent: agent.processes())
        jiffies = max(JIFFIES_PER_S * (self._clock() - began), 1.0)
        named = [
            f"{one.name} (process {one.pid}) used {used / jiffies:.0%} of a core"
            for one, used in heaviest(before, after)[:MOST_NAMED]
            if used > HEAVY * jiffies
        ]
        return seen, ", ".join(named) or None


@dataclass(frozen=True)
class _Seen:
    """The last reading; what others used until then where that is too much, in words; and over how long."""

    sample: Sample | None
    busy: str | None
    elapsed_s: float


def _hottest(warm: Mapping[str, float], targets: Mapping[str, float]) -> str | None:
    """The zone that is furthest above its target; None when all are cool."""
    above = {zone: celsius - targets[zone] for zone, celsius in warm.items() if zone in targets}
    zone = max(above, key=lambda name: above[name], default=None)
    return zone if zone is not None and above[zone] > 0 else None
