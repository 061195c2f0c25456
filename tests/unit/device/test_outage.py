"""How long is waited for a device that is gone, and between two tries."""

from __future__ import annotations

import random

from farm.device.outage import DOUBLINGS, FIRST_PAUSE_S, JITTER, Outage
from farm.model.limits.deadlines import Deadlines

TRIES = 5000  # 2.0 ** 1024 is more than a number can be


def pauses(seed: str, count: int = TRIES) -> list[float]:
    outage = Outage(Deadlines(), random.Random(seed))
    return [outage.pause_s() for _ in range(count)]


def test_pauses_become_longer_up_to_a_bound_and_are_never_none_but_the_first():
    first, *later = pauses("a")
    assert first == 0
    longest_s = FIRST_PAUSE_S * 2**DOUBLINGS
    for index, pause_s in enumerate(later):
        most_s = min(FIRST_PAUSE_S * 2.0 ** min(index, DOUBLINGS), longest_s)
        assert most_s * (1 - JITTER) <= pause_s <= most_s


def test_devices_that_went_in_one_moment_do_not_come_back_in_one_moment():
    """A hundred behind one switch: in no step do two of them wait for the same time."""
    sessions = [pauses(f"session {number}", 12)[1:] for number in range(100)]
    for together in zip(*sessions, strict=True):
        assert len(set(together)) == len(sessions)
        assert max(together) - min(together) > max(together) / 4


def test_a_session_waits_as_its_seed_says():
    assert pauses("a", 50) == pauses("a", 50)


async def test_what_was_done_ends_an_outage_and_its_pauses():
    outage = Outage(Deadlines(reconnect_s=5), random.Random(0))
    outage.begins(None)
    assert [outage.pause_s() for _ in range(6)][-1] > 2
    outage.ends()
    outage.begins(None)
    assert outage.left_s() is not None
    assert outage.pause_s() == 0


async def test_a_first_try_is_left_however_short_the_time_is_and_no_second_one():
    outage = Outage(Deadlines(reconnect_s=0), random.Random(0))
    outage.begins(None)
    assert outage.left_s() is not None
    outage.pause_s()
    assert outage.left_s() is None
