"""Who waits for a job is told its end unasked."""

from __future__ import annotations

import os
import signal

from farm.device import wire
from tests.agent.shells import Phone, Talk, until


def test_an_end_is_told_unasked_and_what_is_asked_meanwhile_is_answered_before(
    agent: Talk, epoch: int, phone: Phone
):
    agent.start(epoch, "j", "sh", "-c", "while [ ! -e ../tmp/go ]; do sleep 0.1; done; exit 3")
    agent.process.stdin.write(wire.request(901, "wait", "j"))
    for _ in range(3):
        agent("beat", epoch)
    (phone.workdir / "spool/j/tmp/go").touch()
    reply = wire.parse_reply(agent.process.stdout.readline())
    assert (reply.id, reply.fields[:3]) == (901, ("exited", "3", "-"))
    assert agent("wait", "j") == agent("poll", "j")


def test_many_may_wait_for_many_jobs(phone: Phone, agent: Talk, epoch: int):
    other = phone.talk()
    for name in ("a", "b"):
        agent.start(epoch, name, "sleep", "300")
        for talk in (agent, other):
            talk.process.stdin.write(wire.request(901 + ord(name), "wait", name))
            talk.process.stdin.flush()
    third = phone.talk()
    third("kill", "b")
    for talk in (agent, other):
        assert wire.parse_reply(talk.process.stdout.readline()).id == 901 + ord("b")
    agent("beat", epoch)
    third("kill", "a")
    for talk in (agent, other):
        assert wire.parse_reply(talk.process.stdout.readline()).id == 901 + ord("a")


def test_nothing_waits_any_more_when_the_agent_has_ended(phone: Phone, epoch: int):
    """Only the job is left then."""
    talk = phone.talk()
    talk.start(epoch, "j", "sleep", "300")
    before = set(phone.processes())
    for number in (901, 902):
        talk.process.stdin.write(wire.request(number, "wait", "j"))
    talk.process.stdin.flush()
    until(lambda: len(set(phone.processes()) - before) >= 2)
    talk.leave()
    until(lambda: not waiters(phone, before))


def waiters(phone: Phone, before: set[int]) -> list[str]:
    """The agents that have come since, without what a watch does once a second."""
    return [
        command for pid, command in phone.processes().items() if pid not in before and "\0serve\0" in command
    ]


def test_a_supervisor_that_is_killed_is_told_to_those_who_wait(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    agent.process.stdin.write(wire.request(901, "wait", "j"))
    agent("beat", epoch)
    os.kill(int((phone.workdir / "spool/j/pid").read_text().split()[0]), signal.SIGKILL)
    reply = wire.parse_reply(agent.process.stdout.readline())
    assert reply.fields[:3] == ("exited", "137", "lost")


def test_where_a_supervisor_has_no_pipe_to_be_seen_the_one_who_waits_is_answered_at_once(phone: Phone):
    phone.change_script(" 5>&1 >&3", " 5>&- >&3")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300", wall_s=2)
    assert agent("wait", "j")[0] == "running"
    assert agent.ended("j") == (143, "wall-limit")
    agent("release", epoch)


def test_who_begins_to_wait_when_a_supervisor_has_just_gone_is_told(phone: Phone):
    gone = "  kill -KILL $supervisor; while is_supervised; do sleep 0.1; done\n"
    phone.change_script("  await </dev/null", f"{gone}  await </dev/null")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    assert agent("wait", "j")[:3] == ("exited", "137", "lost")
    agent("release", epoch)
