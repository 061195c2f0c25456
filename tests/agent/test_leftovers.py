"""Nothing of a job is left: what it started ends with it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from tests.agent.shells import DAEMON, GRANDCHILDREN, Phone, Refused, Talk, alive, ready, running, until

OURS = f"312{os.getpid()}"
"""Seconds to sleep: a word that no test beside this one has."""


@pytest.mark.parametrize("script", [GRANDCHILDREN, DAEMON], ids=["a child that ignores TERM", "a daemon"])
def test_kill_ends_the_whole_family(phone: Phone, agent: Talk, epoch: int, script: str):
    agent.start(epoch, "j", "sh", "-c", script)
    ready(agent, "j")
    assert len(list(running("FARM_JOB=j:", str(phone.folder)))) >= 2
    agent("kill", "j")
    until(lambda: not phone.processes())
    assert agent("poll", "j")[:3] in {("exited", "137", "killed"), ("exited", "143", "killed")}
    agent("kill", "j")


def test_kill_finds_a_child_that_hides_its_environment(phone: Phone, agent: Talk, epoch: int):
    hidden = f"env -i sleep {OURS}"
    agent.start(epoch, "j", "sh", "-c", f"{hidden} & set -m 2>/dev/null; {hidden} & echo ready; wait")
    ready(agent, "j")
    until(lambda: len(list(running(f"sleep\0{OURS}"))) == 2)
    agent("kill", "j")
    assert not list(running(f"sleep\0{OURS}"))


def test_what_a_program_leaves_behind_ends_with_it(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", DAEMON.replace("; sleep 300", "; exit 5"))
    assert agent.ended("j") == (5, "-")
    until(lambda: not phone.processes())


SEES_NOTHING_YET = """
case $* in */environ*|*/cmdline*)
  if [ "$(wc -c <COUNT)" -lt 4 ]; then
    printf . >>COUNT
    for file do
      case $file in [0-9]*/*) mkdir -p "EMPTY/${file%/*}" && : >"EMPTY/$file" ;; esac
    done
    cd EMPTY
  fi ;;
esac
exec REAL "$@"
"""


def test_what_is_between_one_program_and_the_next_is_found_too(phone: Phone):
    """The kernel shows neither its environment nor its command line."""
    count, empty = phone.folder / "count", phone.folder / "empty"
    count.touch()
    empty.mkdir()
    phone.replace_tool(
        "grep", SEES_NOTHING_YET.replace("COUNT", str(count)).replace("EMPTY", str(empty)).strip()
    )
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    daemon = "(setsid sh -c 'echo >../tmp/left; exec sleep 317' </dev/null >/dev/null 2>&1 &)"
    script = f"{daemon}; while [ ! -e ../tmp/left ]; do sleep 0.1; done; exit 5"
    agent.start(epoch, "between", "sh", "-c", script)
    assert agent.ended("between") == (5, "-")
    assert count.read_text() == "...."
    assert not list(running("FARM_JOB=between:", str(phone.folder)))


def test_many_that_left_the_group_and_hide_their_environment_end_with_the_program(
    phone: Phone, agent: Talk, epoch: int
):
    """More than are looked at one by one; their names look like the end of a name and the fields behind it."""
    script = (
        f"set -m; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do env -i '../tmp/x) S 1 1 1' {OURS} & done; exit 5"
    )
    agent.start(epoch, "first", "true")
    agent.ended("first")
    agent.start(epoch, "j", "sh", "-c", f"cp \"$(command -v sleep)\" '../tmp/x) S 1 1 1'; {script}")
    assert agent.ended("j") == (5, "-")
    assert not list(running(f"S 1 1 1\0{OURS}"))


def test_a_stopped_job_is_killed_too(phone: Phone, agent: Talk, epoch: int):
    pid = agent.start(epoch, "j", "sleep", "300")
    os.kill(pid, signal.SIGSTOP)
    agent("kill", "j")
    assert not alive(pid)


def test_release_leaves_no_process_and_frees_the_device(phone: Phone, agent: Talk, epoch: int):
    for name in ("a", "b"):
        agent.start(epoch, name, "sh", "-c", GRANDCHILDREN)
        ready(agent, name)
    agent("release", epoch)
    until(lambda: not phone.processes())
    assert agent("holder") == ()
    assert {agent("poll", name)[2] for name in ("a", "b")} == {"released"}


def test_a_round_whose_supervisor_was_killed_is_lost_and_leaves_nothing(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "j", "sh", "-c", GRANDCHILDREN)
    ready(agent, "j")
    supervisor = int((phone.workdir / "spool/j/pid").read_text().split()[0])
    os.kill(supervisor, signal.SIGKILL)
    assert agent.ended("j") == (137, "lost")
    until(lambda: not phone.processes())


def test_a_job_is_killed_before_its_program_has_a_session(phone: Phone):
    phone.change_script("(cd out && exec setsid", "(sleep 4; cd out && exec setsid")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    agent("kill", "j")
    assert agent.ended("j") == (143, "killed")
    agent("release", epoch)


@pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root to become somebody else"
)
def test_a_process_that_cannot_be_killed_keeps_the_device_from_the_next(phone: Phone, tmp_path: Path):
    become_root = tmp_path / "setpriv"
    shutil.copy(shutil.which("setpriv"), become_root)
    become_root.chmod(0o4755)
    agent = phone.talk_as_nobody()
    epoch = agent("lease", "me", 600)[0]
    pid = agent.start(epoch, "j", str(become_root), "--reuid=0", "--clear-groups", "sleep", "313")
    until(lambda: Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x00313\x00")
    try:
        for request in (("kill", "j"), ("release", epoch)):
            with pytest.raises(Refused, match="stuck") as refusal:
                agent(*request)
            assert str(pid) in refusal.value.fields[0]
    finally:
        os.kill(pid, signal.SIGKILL)
    assert agent.ended("j") == (137, "killed")
    agent("release", epoch)


COMES_WHILE_OTHERS_ARE_LOOKED_AT = """
(until [ -e ../tmp/looking ]; do sleep 0.1; done; sleep 319 </dev/null >/dev/null 2>&1 & : >../tmp/moved) &
exit 5
"""


def test_a_process_that_comes_while_others_are_looked_at_is_found(phone: Phone):
    """Who started it has ended by then: neither is among those that were there at the beginning of the look."""
    gates = 'if [ ! -e "spool/$job/tmp/looking" ]; then : >"spool/$job/tmp/looking"; until [ -e "spool/$job/tmp/moved" ]; do sleep 0.1; done; sleep 0.3; fi'
    phone.change_script(
        '    [ "$number" -le "$latest" ] || return 0\n',
        f'    [ "$number" -le "$latest" ] || return 0\n    {gates}\n',
    )
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sh", "-c", COMES_WHILE_OTHERS_ARE_LOOKED_AT)
    assert agent.ended("j") == (5, "-")
    assert not list(running("sleep\0" + "319", "FARM_JOB=j:", str(phone.folder)))
    agent("release", epoch)


FIRST_THREAD_ENDS = """
import ctypes, threading
libc = ctypes.CDLL(None)
threading.Thread(target=libc.sleep, args=(300,)).start()
print("ready", flush=True)
libc.pthread_exit(None)
"""


@pytest.mark.parametrize("looked_at", ["few", "all"])
def test_a_program_whose_first_thread_has_ended_is_ended_by_its_limit(phone: Phone, looked_at: str):
    """Its process looks like one that only waits to be counted."""
    if looked_at == "all":
        phone.change_script('{ [ "$oldest" -gt 0 ] && consider_since', "{ false && consider_since")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", sys.executable, "-c", FIRST_THREAD_ENDS, wall_s=1)
    assert agent.ended("j") == (143, "wall-limit")
    agent("release", epoch)
