"""Limits that the device keeps by itself: time, silence, disk."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from farm.device import wire
from tests.agent.shells import Phone, Refused, Talk, until

CHATTY = "while :; do echo word; sleep 0.2; done"
IGNORES_TERM = "trap '' TERM; (trap '' TERM; sleep 300) & while :; do sleep 1; done"
DIGEST = "ab" * 32


def test_a_round_that_is_longer_than_its_limit_is_ended(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", CHATTY, wall_s=1)
    assert agent.ended("j") == (143, "wall-limit")
    until(lambda: not phone.processes())


def test_a_round_that_is_silent_for_longer_than_its_limit_is_ended(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", f"echo a word; {IGNORES_TERM}", silence_s=1)
    assert agent.ended("j") == (137, "silence-limit")
    assert agent.output("j") == b"a word\n"


def test_silence_counts_from_the_last_word(agent: Talk, epoch: int):
    """Not from the last look: a round that is stuck must not get twice its limit. There is a look a second."""
    agent.start(epoch, "j", "sh", "-c", "echo a word; exec sleep 300", silence_s=3)
    agent.ended("j")
    # A line has names, and two are of before and after.
    looks = agent.output("j", "telemetry").count(b"\n") - 3
    assert looks <= 3 + 1


def test_a_round_that_speaks_is_not_silent(agent: Talk, epoch: int):
    """On either stream, and on one that it opened anew."""
    streams = {"stdout": ">&1", "stderr": ">&2", "anew": ">>/proc/self/fd/2"}
    for job, stream in streams.items():
        agent.start(epoch, job, "sh", "-c", CHATTY.replace("word", f"word {stream}"), silence_s=2)
    until(lambda: all(agent.output(job, "telemetry").count(b"\n") > 4 for job in streams))
    assert [agent("poll", job)[0] for job in streams] == ["running"] * 3


def test_a_limit_of_0_is_none(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300", wall_s=0, silence_s=0)
    until(lambda: agent.output("j", "telemetry").count(b"\n") > 2)
    assert agent("poll", "j")[0] == "running"


@pytest.fixture
def small(phone: Phone) -> Iterator[Phone]:
    """The same device with a disk of 256 KiB."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root to mount a small disk")
    phone.workdir.mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=256k", "farm-test", str(phone.workdir)),
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode()}")
    yield phone
    for talk in phone.talks:
        if not talk.process.stdin.closed:
            talk.leave()
    subprocess.run(("umount", "-l", str(phone.workdir)), check=True)


def fill(phone: Phone) -> None:
    with (phone.workdir / "ballast").open("wb", buffering=0) as stream:
        try:
            while stream.write(bytes(4096)):
                pass
        except OSError:
            return


def test_an_upload_that_fills_the_disk_is_refused_and_removed(small: Phone):
    agent = small.talk()
    reply = small.receive(DIGEST, 0, bytes(1 << 20))
    assert (reply.status, reply.code) == (wire.Status.ERR, "disk-full")
    assert agent("have", DIGEST) == (f"{DIGEST}=0",)


def test_on_a_full_disk_a_job_is_refused_and_leaves_nothing(small: Phone):
    agent = small.talk()
    epoch = agent("lease", "me", 60)[0]
    fill(small)
    with pytest.raises(Refused, match="disk-full"):
        agent.start(epoch, "j", "true")
    assert agent("jobs") == ()
    assert list((small.workdir / "spool").iterdir()) == []
    agent("beat", epoch)
    agent("release", epoch)


def test_a_full_disk_hides_no_end_of_a_round(small: Phone):
    agent = small.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "k", "sleep", "300", wall_s=2)
    agent.start(epoch, "j", "sh", "-c", "cat /dev/zero >fill; exit 7")
    assert agent.ended("j") == (7, "-")
    assert agent.ended("k") == (143, "wall-limit")
    agent("beat", epoch)
    agent("release", epoch)


def test_a_lease_on_a_full_disk_has_the_room_of_an_earlier_one(small: Phone):
    """Else who holds it could not free what farm itself keeps there."""
    agent = small.talk()
    for _ in range(3):
        agent("release", agent("lease", "me", 60)[0])
    fill(small)
    for _ in range(3):
        epoch = agent("lease", "me", 60)[0]
        assert agent("holder")[0] == "me"
        agent("beat", epoch)
        agent("remove", epoch, "incoming/x")
        agent("release", epoch)


def test_a_first_lease_on_a_full_disk_is_refused(small: Phone):
    agent = small.talk()
    fill(small)
    with pytest.raises(Refused, match="disk-full"):
        agent("lease", "me", 60)
