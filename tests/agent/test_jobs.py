"""Jobs: how they start, run and end."""

from __future__ import annotations

import concurrent.futures
import functools
import resource
import signal
import sys

import pytest

from tests.agent.shells import Phone, Refused, Talk, shut, until


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
    ("files", "why"),
    [
        ({"exit": "\0" * 20}, "lost"),
        *(  # each looks four times for a writer, and waits a second for it
            pytest.param(files, why, marks=pytest.mark.long)
            for files, why in (
                ({}, "unstarted"),
                ({"exit": ""}, "unstarted"),
                ({"exit": " " * 80 + "\n"}, "lost"),
                ({"pid": "", "taken": ""}, "lost"),
            )
        ),
    ],
)
def test_a_job_whose_files_were_lost_in_a_power_cut_is_forgotten_as_any_other(
    phone: Phone, agent: Talk, files: dict[str, str], why: str
):
    job = phone.workdir / "spool" / "j"
    job.mkdir()
    for name, text in files.items():
        (job / name).write_text(text)
    epoch = agent("lease", "me", 600)[0]
    assert agent("jobs") == ("j=exited",)
    assert agent("poll", "j") == ("exited", "137", why, "0", "0", "0")
    agent("drop", "j")
    assert agent("jobs") == ()
    agent("release", epoch)


def test_an_end_whose_writer_died_before_its_first_byte_is_lost(phone: Phone, agent: Talk, epoch: int):
    agent.start(epoch, "j", "true")
    agent.ended("j")
    (phone.workdir / "spool/j/exit").write_text("")
    assert agent.ended("j") == (137, "lost")


def test_what_a_program_put_in_the_place_of_its_end_is_replaced_and_not_followed(
    phone: Phone, agent: Talk, epoch: int
):
    waits = "while [ ! -e ../tmp/go ]; do sleep 0.1; done"
    agent.start(epoch, "j", "sh", "-c", f"echo mine >../tmp/file; ln -s tmp/file ../exit; {waits}; exit 3")
    until((phone.workdir / "spool/j/exit").exists)
    assert agent("poll", "j")[0] == "running"
    (phone.workdir / "spool/j/tmp/go").touch()
    assert agent.ended("j") == (3, "-")
    assert (phone.workdir / "spool/j/tmp/file").read_text() == "mine\n"


def test_jobs_are_forgotten_together_or_none_is(agent: Talk, epoch: int, phone: Phone):
    for job in ("a", "b"):
        agent.start(epoch, job, "true")
        agent.ended(job)
    agent.start(epoch, "runs", "sleep", "60")
    with pytest.raises(Refused) as refusal:
        agent("drop", "a", "runs", "b")
    assert (refusal.value.code, refusal.value.fields) == ("running", ("runs",))
    assert {one.name for one in (phone.workdir / "spool").iterdir()} == {"a", "b", "runs"}
    agent("drop", "a", "gone", "b")
    assert {one.name for one in (phone.workdir / "spool").iterdir()} == {"runs"}
    agent("kill", "runs")
