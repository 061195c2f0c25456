"""Jobs: how they start, run, end, and that nothing of them is left."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farm.device import wire
from tests.agent.shells import Phone, Refused, Talk, alive, running, until

OURS = f"312{os.getpid()}"
"""Seconds to sleep: a word that no test beside this one has."""

GRANDCHILDREN = "sleep 300 & (sleep 300 & sleep 300) & trap '' TERM; echo ready; while :; do sleep 1; done"
# A daemon: a session of its own, its parent gone.
DAEMON = "(setsid sleep 300 </dev/null >/dev/null 2>&1 &); echo ready; sleep 300"


def shut(agent: Talk, *request: object) -> str:
    """The code with which a request is refused."""
    with pytest.raises(Refused) as refusal:
        agent(*request)
    return refusal.value.code


def ready(agent: Talk, job: str) -> None:
    until(lambda: b"ready" in agent.output(job))


def test_a_job_runs_and_its_end_is_told(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert agent.ended("j") == (3, "-")
    assert agent.output("j") == b"out\n"
    assert agent.output("j", "stderr") == b"err\n"
    state, code, why, *sizes = agent("poll", "j")
    assert (state, code, why, sizes[:2]) == ("exited", "3", "-", ["4", "4"])
    assert agent("jobs") == ("j=exited",)


def test_a_program_that_ends_at_once_is_not_lost(phone: Phone):
    """Before its supervisor has looked at it: nothing but its number is known of it then."""
    phone.change_script("  child=$!\n", "  child=$!\n  sleep 0.3\n")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sh", "-c", "exit 3")
    assert agent.ended("j") == (3, "-")
    agent("release", epoch)


def test_a_job_that_was_given_up_before_it_started_never_runs(phone: Phone):
    """Its supervisor is slow, and another session finds a job that nobody supervises."""
    gate = phone.folder / "gate"
    phone.change_script(
        '  cd "$workdir" && take', f'  cd "$workdir"; while [ ! -e "{gate}" ]; do sleep 0.1; done; take'
    )
    agent, other = phone.talk(), phone.talk()
    epoch = agent("lease", "me", 60)[0]
    ran = phone.folder / "ran"
    with concurrent.futures.ThreadPoolExecutor() as pool:
        start = pool.submit(agent.start, epoch, "j", "touch", str(ran))
        until(lambda: other("jobs") == ("j=exited",))
        gate.touch()
        with pytest.raises(Refused, match="supervisor did not start"):
            start.result()
    assert not ran.exists()
    agent("release", epoch)


def test_a_job_whose_supervisor_is_about_to_tell_its_number_is_not_given_up(phone: Phone):
    gate = phone.folder / "gate"
    phone.change_script("  child=$!\n", f'  child=$!\n  while [ ! -e "{gate}" ]; do sleep 0.1; done\n')
    agent, other = phone.talk(), phone.talk()
    epoch = agent("lease", "me", 60)[0]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        start = pool.submit(agent.start, epoch, "j", "sh", "-c", "exit 3")
        until((phone.workdir / "spool/j/taken").exists)
        assert other("poll", "j")[0] == "running"
        gate.touch()
        start.result()
    assert agent.ended("j") == (3, "-")
    agent("release", epoch)


def test_an_end_that_is_being_written_is_not_overwritten(phone: Phone):
    """A release that gives up waiting for the supervisor, which was just about to write the end."""
    phone.change_script("local tries=50", "local tries=0")
    phone.change_script('  conclude "$code"', '  sleep 1; conclude "$code"')
    phone.change_script('  kill -KILL "-$supervisor"', '  sleep 2; kill -KILL "-$supervisor"')
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    agent("kill", "j")
    assert agent.ended("j") == (143, "killed")
    agent("release", epoch)


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


def test_on_a_disk_without_pipes_the_one_who_waits_is_answered_at_once(phone: Phone):
    phone.replace_tool("mkfifo", "exit 1")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300", wall_s=2)
    assert agent("wait", "j")[0] == "running"
    assert agent.ended("j") == (143, "wall-limit")
    agent("release", epoch)


def test_a_signal_is_128_and_its_number(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "kill -SEGV $$")
    assert agent.ended("j") == (128 + 11, "-")


@pytest.mark.parametrize(("program", "code"), [("no-such-program", 127), ("/etc/passwd", 126), ("/", 126)])
def test_a_program_that_cannot_run_is_told_by_its_exit_code(agent: Talk, epoch: int, program: str, code: int):
    agent.start(epoch, "j", program)
    assert agent.ended("j") == (code, "-")
    assert program.encode() in agent.output("j", "stderr")


def test_a_crash_leaves_no_core_among_the_results(phone: Phone):
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_CORE, (hard, hard))
    agent = phone.talk_to(phone.popen("serve", phone.workdir, preexec_fn=limit))
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sh", "-c", "ulimit -c")
    agent.ended("j")
    assert agent.output("j") == b"0\n"
    agent("release", epoch)


def test_arguments_arrive_as_they_were_given(agent: Talk, epoch: int):
    words = ["a b", "", "two\nlines", "%41%", "'\"\\", "$HOME *", "é€", "{job}", "-n", '{"x":[1,2]}', "tab\t"]
    agent.start(
        epoch,
        "j",
        sys.executable,
        "-c",
        "import os,sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))",
        *words,
    )
    assert agent.ended("j") == (0, "-")
    assert agent.output("j").decode().split("\0") == words


def test_the_environment_is_clean_and_stdin_is_empty(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "env; cat; pwd", settings=("A=1 2\n3", "LANG=de", "HTTP_X="))
    assert agent.ended("j") == (0, "-")
    job = phone.workdir / "spool" / "j"
    lines = [
        line
        for line in agent.output("j").decode().splitlines()
        if not line.startswith(("_=", "SHLVL=", "PWD=", "OLDPWD="))
    ]
    pid = next(line for line in lines if line.startswith("FARM_JOB=j:"))
    assert sorted(lines) == sorted(
        [
            f"PATH={phone.path}",
            f"HOME={phone.folder}",
            f"TMPDIR={job}/tmp",
            "LANG=de",
            "A=1 2",
            "3",
            "HTTP_X=",
            pid,
            f"{job}/out",
        ]
    )


def test_folders_of_libraries_may_be_below_the_home_folder(phone: Phone, agent: Talk, epoch: int):
    given = ("LD_LIBRARY_PATH=~/a b:/x:~/c:a~/b:~:", "OTHER=~/x")
    agent.start(epoch, "j", "sh", "-c", 'echo "$LD_LIBRARY_PATH $OTHER"', settings=given)
    assert agent.ended("j") == (0, "-")
    home = phone.folder
    assert agent.output("j").decode() == f"{home}/a b:/x:{home}/c:a~/b:~: ~/x\n"


def test_folders_are_made_before_the_program_starts(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "cd 'a b/c' && cd ../../d && echo there", folders=("a b/c", "d"))
    agent.ended("j")
    assert agent.output("j") == b"there\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("j", 1, 1, 0, 0, 0), "usage"),
        (("j", 1, 1, 0, 0, 0, ""), "usage"),
        (("j", 1, 1, 0, 0, 0, "a=b"), "usage"),
        (("j", 1, 1, 1, "novalue", 0, 0, "true"), "usage"),
        (("j", 1, 1, 1, "1X=1", 0, 0, "true"), "usage"),
        (("j", 1, 1, 1, "A B=1", 0, 0, "true"), "usage"),
        (("j", 1, 1, 9, "A=1", 0, 0, "true"), "usage"),
        (("j", 1, 1, 0, 1, "../up", 0, "true"), "usage"),
        (("j", 1, 1, 0, 1, "/abs", 0, "true"), "usage"),
        (("j", 1, 1, 0, 0, 1, "../x=" + "a" * 64, "true"), "usage"),
        (("j", 1, 1, 0, 0, 1, "x=abc", "true"), "usage"),
        (("j", 1, 1, 0, 0, 1, "x=" + "a" * 64, "true"), "missing"),
        (("j", -1, 1, 0, 0, 0, "true"), "usage"),
        (("j", "", 1, 0, 0, 0, "true"), "usage"),
        (("../j", 1, 1, 0, 0, 0, "true"), "usage"),
        ((".j", 1, 1, 0, 0, 0, "true"), "usage"),
        (("j j", 1, 1, 0, 0, 0, "true"), "usage"),
    ],
)
def test_a_start_that_cannot_be_leaves_nothing(
    phone: Phone, agent: Talk, epoch: int, arguments: tuple[object, ...], code: str
):
    assert shut(agent, "start", epoch, *arguments) == code
    assert agent("jobs") == ()
    assert list((phone.workdir / "spool").iterdir()) == []


def test_a_job_starts_once(agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    with pytest.raises(Refused, match="exists"):
        agent.start(epoch, "j", "true")


def test_a_job_needs_the_lease(agent: Talk, epoch: int):
    for other in (epoch - 1, epoch + 1, "x", ""):
        assert shut(agent, "start", other, "j", 1, 1, 0, 0, 0, "true") == "stale"


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


NUMBERS_BEGIN_ANEW = """
mount -t proc proc /proc && limit=$(cat /proc/sys/kernel/pid_max) && echo $((limit - 200)) >/proc/sys/kernel/ns_last_pid || exit 3
exec "$@"
"""


def test_what_a_program_leaves_behind_is_found_when_the_numbers_of_processes_began_anew(phone: Phone):
    if os.geteuid() != 0 or not shutil.which("unshare") or not Path("/proc/sys/kernel/ns_last_pid").exists():
        pytest.skip("needs root, and a kernel that lets it choose the next number of a process")
    command = (
        shutil.which("unshare"), "-p", "-m", "-f", "/bin/sh", "-c", NUMBERS_BEGIN_ANEW, "numbers",
        phone.path.partition(":")[0] + "/sh", str(phone.script), "serve", str(phone.workdir),
    )  # fmt: skip
    agent = phone.talk_to(
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=phone.environment, cwd="/"
        )
    )
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
    assert {agent("poll", name)[2] for name in ("a", "b")} == {"killed"}


def test_dropping_waits_for_the_end_and_may_be_repeated(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    assert shut(agent, "drop", "j") == "running"
    agent("kill", "j")
    agent("drop", "j")
    agent("drop", "j")
    assert not (phone.workdir / "spool" / "j").exists()
    assert shut(agent, "drop", "../trees") == "usage"


def test_a_cut_connection_loses_no_round(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "sh", "-c", "echo one; while [ ! -e ../tmp/go ]; do sleep 0.1; done; echo two")
    until(lambda: agent.output("j") == b"one\n")
    agent.process.send_signal(signal.SIGKILL)
    agent.process.wait()
    agent.leave()
    (phone.workdir / "spool/j/tmp/go").touch()
    again = phone.talk()
    again("resume", epoch)
    assert again.ended("j") == (0, "-")
    assert again.data("read", "j", "stdout", 4, 100) == b"two\n"
    again("release", epoch)


def test_a_round_whose_supervisor_was_killed_is_lost_and_leaves_nothing(
    phone: Phone, agent: Talk, epoch: int
):
    agent.start(epoch, "j", "sh", "-c", GRANDCHILDREN)
    ready(agent, "j")
    supervisor = int((phone.workdir / "spool/j/pid").read_text().split()[0])
    os.kill(supervisor, signal.SIGKILL)
    assert agent.ended("j") == (137, "lost")
    until(lambda: not phone.processes())


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
        assert member.wait(5) < 0
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


ANOTHER_GETS_THE_NUMBER = """
  echo $((child - 2)) >/proc/sys/kernel/ns_last_pid
  (setsid sh -c 'echo $$ >"STRANGER"; exec sleep 315' </dev/null >/dev/null 2>&1 &)
  while [ ! -s "STRANGER" ]; do sleep 0.1; done
"""


def test_a_process_that_got_the_programs_number_is_not_killed_with_what_the_program_left(phone: Phone):
    if os.geteuid() != 0 or not shutil.which("unshare") or not Path("/proc/sys/kernel/ns_last_pid").exists():
        pytest.skip("needs root, and a kernel that lets it choose the next number of a process")
    told = phone.folder / "stranger"
    phone.change_script(
        "  trap '' TERM\n", ANOTHER_GETS_THE_NUMBER.replace("STRANGER", str(told)) + "  trap '' TERM\n"
    )
    command = (
        shutil.which("unshare"), "-p", "-m", "-f", "/bin/sh", "-c", 'mount -t proc proc /proc && "$@"', "numbers",
        phone.path.partition(":")[0] + "/sh", str(phone.script), "serve", str(phone.workdir),
    )  # fmt: skip
    agent = phone.talk_to(
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=phone.environment, cwd="/"
        )
    )
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


def test_a_job_is_killed_before_its_program_has_a_session(phone: Phone):
    phone.change_script("(cd out && exec setsid", "(sleep 4; cd out && exec setsid")
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    agent("kill", "j")
    assert agent.ended("j") == (143, "killed")
    agent("release", epoch)


def test_asking_a_running_job_needs_no_tool(phone: Phone):
    """The hot path starts no program: with all tools gone from the device, it still works."""
    tools = phone.own_tools()
    agent = phone.talk()
    epoch = int(agent("lease", "me", 60)[0])
    agent.start(epoch, "j", "sleep", "300")
    agent("beat", epoch)
    tools.rename(phone.folder / "elsewhere")
    for _ in range(3):
        assert agent("poll", "j")[0] == "running"
        agent("beat", epoch)
    (phone.folder / "elsewhere").rename(tools)
    agent("release", epoch)


def test_telemetry_says_what_its_columns_are(agent: Talk, epoch: int):
    agent.start(epoch, "j", "sleep", "300")
    until(lambda: agent.output("j", "telemetry").count(b"\n") >= 4)
    header, *lines = agent.output("j", "telemetry").decode().splitlines()
    names = header.split()
    assert names[:3] == ["uptime_s", "load_1m", "cores"]
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(set(times))
    for line in lines:
        words = dict(zip(names, line.split(), strict=True))
        assert int(words["cores"]) in range(os.cpu_count())


def test_telemetry_has_the_frequency_of_each_core_and_the_temperature_of_each_zone(phone: Phone):
    fake = {
        "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000\n",
        "devices/system/cpu/cpu10/cpufreq/scaling_cur_freq": "2400000\n",
        "devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "1\n",
        "class/thermal/thermal_zone0/type": "soc thermal\n",
        "class/thermal/thermal_zone0/temp": "45123\n",
        "class/thermal/thermal_zone1/type": "without a value\n",
    }
    for name, text in fake.items():
        (phone.folder / "sys" / name).parent.mkdir(parents=True, exist_ok=True)
        (phone.folder / "sys" / name).write_text(text)
    agent = phone.talk_with({"/sys": str(phone.folder / "sys")})
    epoch = agent("lease", "me", 60)[0]
    agent.start(epoch, "j", "sleep", "300")
    until(lambda: agent.output("j", "telemetry").count(b"\n") >= 2)
    (phone.folder / "sys/class/thermal/thermal_zone0/temp").unlink()
    until(lambda: agent.output("j", "telemetry").endswith(b" -\n"))
    header, first, *_ = agent.output("j", "telemetry").decode().splitlines()
    assert header == "uptime_s load_1m cores cpu0_khz cpu10_khz temp:soc%20thermal_mc"
    assert first.split()[3:] == ["1800000", "2400000", "45123"]
    agent("release", epoch)


def test_a_system_that_hides_the_uptime_and_the_load_is_served_too(phone: Phone):
    """As Android does with apps such as Termux."""
    agent = phone.talk_with({"/proc/uptime": "/dev/null", "/proc/loadavg": "/dev/null"})
    epoch = int(agent("lease", "me", 600)[0])
    agent("beat", epoch)
    agent.start(epoch, "j", "sleep", "300", wall_s=3)
    assert agent.ended("j") == (143, "wall-limit")
    header, *lines = agent.output("j", "telemetry").decode().splitlines()
    assert {len(line.split()) for line in lines} == {len(header.split())}
    assert [int(line.split()[0]) for line in lines] == sorted(int(line.split()[0]) for line in lines)
    assert agent("holder")[1] in {str(age) for age in range(30)}
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


def test_what_programs_complain_of_on_stderr_is_not_taken_for_a_process_id(phone: Phone):
    """A missing library of ld.so.preload, a shell that tells what it does."""
    phone.replace_tool(
        "setsid", "echo 'cannot be preloaded: ignored' >&2; printf '+ 12' >&2; exec REAL \"$@\""
    )
    agent = phone.talk()
    epoch = agent("lease", "me", 60)[0]
    pid = agent.start(epoch, "j", "echo", "here")
    assert pid > 1
    assert agent.ended("j") == (0, "-")
    assert agent.output("j") == b"here\n"
    agent("release", epoch)


@pytest.mark.parametrize(
    "files", [{"exit": ""}, {"exit": " " * 80 + "\n"}, {"exit": "\0" * 20}, {"pid": "", "taken": ""}, {}]
)
def test_a_job_whose_files_were_lost_in_a_power_cut_is_forgotten_as_any_other(
    phone: Phone, agent: Talk, files: dict[str, str]
):
    job = phone.workdir / "spool" / "j"
    job.mkdir()
    for name, text in files.items():
        (job / name).write_text(text)
    epoch = agent("lease", "me", 600)[0]
    assert agent("jobs") == ("j=exited",)
    assert agent("poll", "j") == ("exited", "137", "lost", "0", "0", "0")
    agent("drop", "j")
    assert agent("jobs") == ()
    agent("release", epoch)
