"""Who waits for a job is told its end, and what it left."""

from __future__ import annotations

import os
import shlex
import signal
from functools import partial
from pathlib import Path

from farm.device import wire
from tests.agent.shells import Phone, Talk, until


def ask(talk: Talk, number: int, *words: object) -> None:
    talk.process.stdin.write(wire.request(number, *map(str, words)))
    talk.process.stdin.flush()


def told(talk: Talk) -> wire.Reply:
    return wire.parse_reply(talk.process.stdout.readline())


def test_an_end_is_told_when_it_comes_and_behind_it_what_was_asked_with_it(
    agent: Talk, epoch: int, phone: Phone
):
    agent.start(epoch, "j", "sh", "-c", "while [ ! -e ../tmp/go ]; do sleep 0.1; done; echo left; exit 3")
    waiting = phone.talk()
    ask(waiting, 901, "wait", "j")
    ask(waiting, 902, "gather", "j", 100)
    for _ in range(3):
        agent("beat", epoch)  # another agent is there for what comes meanwhile
    (phone.workdir / "spool/j/tmp/go").touch()
    ended, left = told(waiting), told(waiting)
    assert (ended.id, ended.fields[:3]) == (901, ("exited", "3", "-"))
    assert left.id == 902
    assert b"left\n" in waiting.process.stdout.read(left.size_bytes)
    assert waiting("wait", "j") == agent("poll", "j")


def is_written(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def test_many_jobs_may_be_waited_for(phone: Phone, agent: Talk, epoch: int):
    waiting = {name: phone.talk() for name in ("a", "b")}
    for name, talk in waiting.items():
        agent.start(epoch, name, "sleep", "300")
        ask(talk, 901, "wait", name)
    for name in ("b", "a"):
        agent("kill", name)
        assert told(waiting[name]).fields[0] == "exited"
        waiting[name]("beat", epoch)


def test_of_two_that_wait_for_a_job_the_later_one_is_told_and_the_other_ends(
    phone: Phone, agent: Talk, epoch: int
):
    """A connection that the device does not know to be lost, and the one after it."""
    agent.start(epoch, "j", "sleep", "300")
    waiter = phone.workdir / "spool/j/waiter"
    half_open, talk = phone.talk(), phone.talk()
    for one in (half_open, talk):
        ask(one, 901, "wait", "j")
        ask(one, 902, "gather", "j", 100)
        until(partial(is_written, waiter, f"{one.process.pid}\n"))
    agent("kill", "j")
    assert told(talk).fields[0] == "exited"
    assert told(talk).id == 902
    phone.talks.remove(half_open)
    assert half_open.process.stdout.read() == b""
    half_open.process.wait()
    half_open.process.stdin.close()
    half_open.process.stdout.close()


def test_one_that_waits_for_nobody_any_more_ends_with_its_job_and_looks_at_nothing(
    phone: Phone, agent: Talk, epoch: int
):
    """Its connection was lost; another one has the device, and begins the next round."""
    looks = phone.folder / "looks"
    agent.start(epoch, "j", "sh", "-c", "echo out >out.txt; sleep 300")
    before = set(phone.processes())
    lost = phone.talk()
    ask(lost, 901, "wait", "j")
    ask(lost, 902, "gather", "j", 100)
    phone.talks.remove(lost)
    lost.process.stdin.close()
    lost.process.stdout.close()
    until(lambda: len(agents(phone, before)) == 1)
    phone.replace_tool("sha256sum", f'echo >>{shlex.quote(str(looks))}; exec REAL "$@"')
    agent("kill", "j")
    until(lambda: not agents(phone, before))
    assert not looks.exists()
    lost.process.wait()


def agents(phone: Phone, before: set[int]) -> list[str]:
    """Those that have come since, without what a watch does once a second."""
    return [
        command for pid, command in phone.processes().items() if pid not in before and "\0serve\0" in command
    ]


def test_a_supervisor_that_is_killed_is_told_to_those_who_wait(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    waiting = phone.talk()
    ask(waiting, 901, "wait", "j")
    until(lambda: blocks(waiting.process.pid))
    os.kill(int((phone.workdir / "spool/j/pid").read_text().split()[0]), signal.SIGKILL)
    assert told(waiting).fields[:3] == ("exited", "137", "lost")


def blocks(pid: int) -> bool:
    """Whether it reads from a pipe that is not its input."""
    return any(fd in os.listdir(f"/proc/{pid}/fd") for fd in ("5", "6"))


def test_a_job_that_is_forgotten_meanwhile_is_one_that_nobody_knows(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    phone.change_script('  [ -d "spool/$job" ] || err', '  rm -rf spool/j; [ -d "spool/$job" ] || err')
    waiting = phone.talk()
    ask(waiting, 901, "wait", "j")
    until((phone.workdir / "spool/j/waiter").exists)
    agent("kill", "j")
    assert told(waiting).code == "unknown"


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
    phone.change_script("  await\n", f"{gone}  await\n")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    assert agent("wait", "j")[:3] == ("exited", "137", "lost")
    agent("release", epoch)
