"""The number of a process may be another's by now: no signal goes to a stranger, and nothing is missed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.agent.shells import DAEMON, PATIENCE_S, Phone, Talk, alive, running, until


def test_a_round_from_before_a_restart_is_lost_and_nobody_elses_process_is_touched(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    stranger = subprocess.Popen(("sleep", "300"), start_new_session=True)
    born = Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(") ")[2].split()[19]
    job = phone.workdir / "spool/j"
    (job / "exit").rename(job / "exit.new")
    (job / "pid").write_text(f"{stranger.pid} {born} {stranger.pid} {born} another-boot\n")
    try:
        assert agent.ended("j") == (137, "lost")
        assert alive(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_number_that_went_to_another_process_is_not_killed(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    stranger = subprocess.Popen(("sleep", "300"), start_new_session=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    job = phone.workdir / "spool/j"
    (job / "exit").rename(job / "exit.new")
    (job / "pid").write_text(f"{stranger.pid} 1 {stranger.pid} 1 {boot}\n")
    try:
        assert agent.ended("j") == (137, "lost")
        assert alive(stranger.pid)
    finally:
        stranger.kill()
        stranger.wait()


def test_a_group_of_a_number_that_went_to_another_process_is_not_killed(
    phone: Phone, agent: Talk, epoch: int
):
    """While something that left the round's group is ended."""
    agent.start(epoch, "j", "true")
    agent.ended("j")
    job = phone.workdir / "spool/j"
    supervisor, born, _, _, boot, *_ = (job / "pid").read_text().split()
    stranger = subprocess.Popen(("sleep", "300"), start_new_session=True)
    mark = {**phone.environment, "FARM_JOB": f"j:{supervisor}"}
    member = subprocess.Popen(("/usr/bin/env", "sleep", "301"), start_new_session=True, env=mark)
    until(lambda: b"301" in Path(f"/proc/{member.pid}/cmdline").read_bytes())
    (job / "exit").rename(job / "exit.new")
    (job / "pid").write_text(f"{supervisor} {born} {stranger.pid} 1 {boot}\n")
    try:
        assert agent.ended("j") == (137, "lost")
        assert member.wait(PATIENCE_S) < 0
        assert alive(stranger.pid)
    finally:
        for process in (stranger, member):
            process.kill()
            process.wait()


def test_a_session_whose_number_may_have_been_given_twice_is_not_killed(
    phone: Phone, agent: Talk, epoch: int
):
    """Its first process is gone, as the round's: nothing shows whose it is."""
    agent.start(epoch, "j", "true")
    agent.ended("j")
    job = phone.workdir / "spool/j"
    boot = (job / "pid").read_text().split()[4]
    leader = subprocess.Popen(
        ("sh", "-c", "sleep 300 >/dev/null & echo $!"), start_new_session=True, stdout=subprocess.PIPE
    )
    stranger = int(leader.stdout.read())
    leader.stdout.close()
    leader.wait()
    (job / "exit").rename(job / "exit.new")
    (job / "pid").write_text(f"{leader.pid} 5 {leader.pid} 5 {boot}\n")
    try:
        assert agent.ended("j") == (137, "lost")
        assert alive(stranger)
    finally:
        os.kill(stranger, signal.SIGKILL)


def talk_with_own_numbers(phone: Phone, script: str) -> Talk:
    """The agent where processes have numbers of their own; `script` mounts /proc and starts its arguments."""
    if os.geteuid() != 0 or not shutil.which("unshare") or not Path("/proc/sys/kernel/ns_last_pid").exists():
        pytest.skip("needs root, and a kernel that lets it choose the next number of a process")
    command = (
        shutil.which("unshare"), "-p", "-m", "-f", "/bin/sh", "-c", script, "numbers",
        phone.path.partition(":")[0] + "/sh", str(phone.script), "serve", str(phone.workdir),
    )  # fmt: skip
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=phone.environment, cwd="/"
    )
    return phone.talk_to(process)


NUMBERS_BEGIN_ANEW = """
mount -t proc proc /proc && limit=$(cat /proc/sys/kernel/pid_max) && echo $((limit - 200)) >/proc/sys/kernel/ns_last_pid || exit 3
exec "$@"
"""


def test_what_a_program_leaves_behind_is_found_when_the_numbers_of_processes_began_anew(phone: Phone):
    agent = talk_with_own_numbers(phone, NUMBERS_BEGIN_ANEW)
    epoch = agent("lease", "me", 60)[0]
    child = agent.start(
        epoch,
        "anew",
        "sh",
        "-c",
        "i=0; while [ $i -lt 300 ]; do (:); i=$((i+1)); done; " + DAEMON.replace("; sleep 300", "; exit 5"),
    )
    assert child > 1000
    assert agent.ended("anew") == (5, "-")
    assert not list(running("FARM_JOB=anew:", str(phone.folder)))
    agent("release", epoch)


def test_a_probe_tells_how_many_numbers_there_are_and_no_process_is_needed_for_it(phone: Phone):
    phone.replace_tool("cat", f"echo cat >>'{phone.folder}/asked'; exec REAL \"$@\"")
    limit = Path("/proc/sys/kernel/pid_max").read_text()
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    assert f"\n/proc/sys/kernel/pid_max:{limit}".encode() in agent.data("probe")
    agent.start(epoch, "j", "sleep", "300")
    assert not (phone.folder / "asked").exists()
    forks = (phone.workdir / "spool/j/pid").read_text().splitlines()[0].split()[-1]
    assert int(forks) > 1, "it was counted"
    agent("release", epoch)
    agent.leave()


ANOTHER_GETS_THE_NUMBER = """
  until [ -s "STRANGER" ] && read -r stranger <"STRANGER" && [ "$stranger" = $child ]; do
    # Whoever forks meanwhile takes a number away.
    [ ! -s "STRANGER" ] || kill -KILL "$stranger"
    : >"STRANGER"
    echo $((child - 2)) >/proc/sys/kernel/ns_last_pid
    (setsid sh -c 'echo $$ >"STRANGER"; exec sleep 315' </dev/null >/dev/null 2>&1 &)
    while [ ! -s "STRANGER" ]; do sleep 0.1; done
  done
"""


def test_a_process_that_got_the_programs_number_is_not_killed_with_what_the_program_left(phone: Phone):
    told = phone.folder / "stranger"
    phone.change_script(
        "  trap '' TERM\n", ANOTHER_GETS_THE_NUMBER.replace("STRANGER", str(told)) + "  trap '' TERM\n"
    )
    agent = talk_with_own_numbers(phone, 'mount -t proc proc /proc && "$@"')
    epoch = agent("lease", "me", 60)[0]
    daemon = "(setsid sh -c 'echo >../tmp/left; exec sleep 316' </dev/null >/dev/null 2>&1 &)"
    script = f"{daemon}; while [ ! -e ../tmp/left ]; do sleep 0.1; done; exit 5"
    child = agent.start(epoch, "again", "sh", "-c", script)
    assert agent.ended("again") == (5, "-")
    assert int(told.read_text()) == child
    assert not list(running("FARM_JOB=again:", str(phone.folder)))
    strangers = [
        pid for pid, command in running("sleep\0" + "315", str(phone.folder)) if command.startswith("sleep\0")
    ]
    assert len(strangers) == 1
    os.kill(strangers[0], signal.SIGKILL)
    agent("release", epoch)


def test_a_number_that_went_from_the_watch_to_another_process_is_not_killed(phone: Phone):
    stranger = subprocess.Popen(("sleep", "300"))
    phone.change_script("  watch=$!\n", f"  kill -KILL $!; watch={stranger.pid}\n")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    try:
        agent.start(epoch, "j", "true")
        assert agent.ended("j") == (0, "-")
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    agent("release", epoch)


def test_where_a_container_shows_its_hosts_numbers_what_a_program_leaves_behind_is_found(phone: Phone):
    """Even if the last number of the host looks as if nothing had been started since the program."""
    load = phone.folder / "loadavg"
    load.write_text("0.10 0.20 0.30 1/100 2\n")
    agent = phone.talk_with({"/proc/loadavg": str(load)})
    epoch = agent("lease", "me", 60)[0]
    script = "while [ ! -e ../tmp/go ]; do sleep 0.1; done; " + DAEMON.replace("; sleep 300", "; exit 5")
    child = agent.start(epoch, "j", "sh", "-c", script)
    load.write_text(f"0.10 0.20 0.30 1/100 {child}\n")
    (phone.workdir / "spool/j/tmp/go").touch()
    assert agent.ended("j") == (5, "-")
    agent("release", epoch)
    until(lambda: not phone.processes())
