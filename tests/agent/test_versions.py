"""The lease on a device is a contract between versions: an older and a newer farm never measure at once.

tests/data/agents/ has agents as they were published; what an agent leaves in a workdir is read by all others.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent.shells import Phone, Refused, Talk, agent_file, until

FORMER = sorted((Path(__file__).parents[1] / "data" / "agents").glob("*.sh"))


@pytest.fixture(params=FORMER, ids=lambda path: path.stem)
def old(request: pytest.FixtureRequest, phone: Phone) -> Talk:
    return talk(phone, request.param)


@pytest.fixture
def new(phone: Phone) -> Talk:
    return talk(phone, agent_file())


def talk(phone: Phone, script: Path) -> Talk:
    phone.script = script
    return phone.talk()


def take_and_lose(phone: Phone, first: Talk, second: Talk) -> None:
    """One has the device, the other is refused; when the beats stop, the other gets it and ends the round."""
    epoch = int(first("lease", "first", 600)[0])
    first.start(epoch, "j", "sleep", "300")
    with pytest.raises(Refused, match="held") as refused:
        second("lease", "second", 600)
    assert refused.value.fields[0] == "first"
    assert second("poll", "j")[0] == "running"
    first("beat", epoch)
    beat = phone.workdir / "lease" / f"beat.{epoch}"
    beat.write_text(f"{int(beat.read_text()) - 1000}\n")
    taken = int(second("lease", "second", 600)[0])
    assert taken > epoch
    until(lambda: second("poll", "j")[:1] == ("exited",))
    for words in (("beat", epoch), ("start", epoch, "k", 1, 1, 0, 0, 0, "true"), ("release", epoch)):
        with pytest.raises(Refused, match="stale"):
            first(*words)
    second("drop", "j")
    second("release", taken)


def test_an_older_farm_keeps_a_newer_one_out_until_it_is_gone(phone: Phone, old: Talk, new: Talk):
    take_and_lose(phone, old, new)


def test_a_newer_farm_keeps_an_older_one_out_until_it_is_gone(phone: Phone, old: Talk, new: Talk):
    take_and_lose(phone, new, old)


def test_what_one_gives_back_the_other_may_take(old: Talk, new: Talk):
    for first, second in ((old, new), (new, old), (old, new)):
        first("release", first("lease", "me", 60)[0])
        second("release", second("lease", "me", 60)[0])


def test_a_newer_farm_takes_over_the_lease_of_an_older_one_that_was_killed(old: Talk, new: Talk):
    epoch = int(old("lease", "me", 600)[0])
    taken = new("lease", "me again", 600, epoch)[0]
    with pytest.raises(Refused, match="stale"):
        old("beat", epoch)
    new("release", taken)
