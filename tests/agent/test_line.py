"""The line itself: greeting, requests, mistakes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farm.device import wire
from farm.device.probe import parse_facts
from farm.model.device import Facts, Python
from tests.agent.shells import PATIENCE_S, Phone, Refused, Talk

CHECK = Path(__file__).parents[2] / "agents" / "shell" / "1-check"
TEXT = st.binary(max_size=40).filter(lambda raw: b"\0" not in raw).map(os.fsdecode)


def test_the_greeting_names_the_pid_and_the_absolute_workdir(phone: Phone, agent: Talk):
    assert agent.greeting == wire.Greeting(agent.process.pid, str(phone.workdir))


def test_every_byte_but_nul_comes_back_as_it_went(agent: Talk):
    every = [os.fsdecode(bytes([byte])) for byte in range(1, 256)]
    assert agent("hello", *every, "".join(every), "")[1:] == (*every, "".join(every), "")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(TEXT, max_size=5))
def test_any_text_comes_back_as_it_went(agent: Talk, texts: list[str]):
    assert agent("hello", *texts)[1:] == tuple(texts)


@pytest.mark.parametrize(
    "text", ["{a,b}", "{1..9}", "*", "~", "$HOME", "`id`", "$(id)", "-n", "\\n\\0", "'\"", "!!", "#x", "é€漢"]
)
def test_nothing_in_an_argument_is_expanded(agent: Talk, text: str):
    assert agent("hello", text)[1:] == (text,)


def test_hello_names_the_shell(phone: Phone, agent: Talk):
    assert agent("hello") == (f"shell={phone.shell}",)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"x hello\n",
        b"1 nonsense\n",
        b"1 poll\n",
        b"1 poll a b\n",
        b"1 poll %41\n",
        b"1 hello %\n",
        b"1 hello a%2\n",
        b"1 do_hello\n",
        b"1 *:0\n",
        b"1 have 12\n",
        b"1 have " + b"G" * 64 + b"\n",
        b"1 read job stdout x 1\n",
        b"1 read job stdout 0 -1\n",
        b"1 read job stdout 007 1\n",
        b"1 gather job x\n",
        b"1 gather job 10000000\n",
        b"1 lease me 0\n",
        b"1 lease %00 5\n",
        b"1 lease " + b"x" * 201 + b" 5\n",
        b"99999999999999999999 hello\n",
    ],
)
def test_a_mistake_in_a_request_is_answered_and_the_next_request_works(agent: Talk, line: bytes):
    reply, _ = agent.send(line)
    assert (reply.status, reply.code) == (wire.Status.ERR, "usage")
    assert agent("jobs") == ()


def test_a_request_that_was_cut_is_not_carried_out(phone: Phone, agent: Talk):
    agent.process.stdin.write(b"1 lease me 60")
    agent.leave()
    assert phone.talk()("holder") == ()


def test_end_of_input_ends_the_agent(agent: Talk):
    agent.leave()
    assert agent.process.returncode == 0


def test_bye_ends_the_agent(agent: Talk):
    agent("bye")
    assert agent.process.wait(PATIENCE_S) == 0


FIRST = (b"1 hello a%20b", b"2 date", b"3 probe python3", b"4 holder", b"5 settings", b"7 bye")


def told_by(phone: Phone, *requests: bytes) -> tuple[list[str], bytes]:
    """The first two words of each reply, and what stands on stderr."""
    process = phone.popen("serve", phone.workdir, stderr=subprocess.PIPE)
    output, errors = process.communicate(b"\n".join((*requests, b"")), PATIENCE_S)
    assert process.returncode == 0
    return re.findall(r"^[0-9] (?:ok|err|data)\b", output.decode("utf-8", "replace"), re.MULTILINE), errors


def lasting_facts(phone: Phone, *before: str) -> Facts:
    """What a device says of itself twice alike, when it was asked for something else `before`."""
    (phone.workdir / "narrow").unlink(missing_ok=True)  # so that it finds out again
    agent = phone.talk()
    for verb in before:
        agent(verb)
    facts = parse_facts(agent.data("probe", sys.executable).decode("utf-8", "replace"))
    agent.leave()
    return replace(
        facts,
        disk_free_bytes=0,
        load_average_1m=0.0,
        memory_available_bytes=0,
        temperatures_c=(),
        unreadable=(),
    )


def test_who_asks_what_a_device_is_needs_no_more_than_the_first_part_of_the_agent(phone: Phone):
    """A shell has not read the rest by then; see docs/decisions/0051-the-first-part-of-the-agent.md."""
    whole = lasting_facts(phone, "jobs")  # which has it read all
    phone.script = phone.folder / "part.sh"
    phone.script.write_text("".join(path.read_text() for path in sorted(CHECK.iterdir())))
    assert told_by(phone, *FIRST) == (["1 ok", "2 ok", "3 data", "4 ok", "5 ok", "7 ok"], b"")
    assert lasting_facts(phone) == whole


def test_a_request_that_needs_the_rest_of_the_agent_is_answered_in_its_turn_and_once(phone: Phone):
    *first, bye = FIRST
    told = ["1 ok", "2 ok", "3 data", "4 ok", "5 ok", "6 err", "7 ok"]
    assert told_by(phone, *first, b"6 nothing", bye, b"8 date") == (told, b"")
    leases = (b"1 lease me 60", b"2 lease you 60", b"3 holder", b"4 release 1000000001", b"5 lease you 60")
    assert told_by(phone, *leases) == (["1 ok", "2 err", "3 ok", "4 ok", "5 ok"], b"")


@pytest.mark.parametrize(
    "ends", [b"", b"1 date\n", b"1 date\n2 jobs\n"], ids=["at once", "first part", "both"]
)
def test_where_its_input_ends_the_agent_ends_without_an_error(phone: Phone, ends: bytes):
    process = phone.popen("serve", phone.workdir, stderr=subprocess.PIPE)
    assert process.communicate(ends + b"3 dat", PATIENCE_S)[1] == b""
    assert process.returncode == 0


def test_a_home_in_the_workdir_is_expanded_by_the_agent(phone: Phone):
    process = phone.popen("serve", "~/a b")
    output, _ = process.communicate()
    greeting = wire.parse_greeting(output.removeprefix(b"\n"))
    assert greeting == wire.Greeting(process.pid, str(phone.folder / "a b"))


@pytest.mark.parametrize(
    ("workdir", "home", "code"),
    [("~/w", None, "no-home"), ("~/w", "", "no-home"), ("relative", "/", "usage"), ("~user/w", "/", "usage")],
)
def test_a_workdir_that_cannot_be_is_refused_in_place_of_the_greeting(
    phone: Phone, workdir: str, home: str | None, code: str
):
    environment = {"PATH": phone.path} | ({} if home is None else {"HOME": home})
    assert phone.once("serve", workdir, environment=environment).code == code


def test_a_workdir_that_is_a_file_is_refused(phone: Phone):
    phone.workdir.write_text("in the way")
    assert phone.once("serve", phone.workdir).code == "io"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
@pytest.mark.parametrize("made", [False, True])
def test_a_workdir_without_the_right_to_write_is_refused(phone: Phone, made: bool):
    phone.let_in()
    if made:
        phone.workdir.mkdir()
    process = phone.popen("serve", phone.workdir, user=65534, group=65534)
    output, _ = process.communicate(b"")
    reply = wire.parse_greeting(output.removeprefix(b"\n"))
    assert isinstance(reply, wire.Reply)
    assert reply.code == "unwritable"


def test_a_missing_tool_is_named_in_place_of_the_greeting(phone: Phone):
    tools = phone.own_tools()
    (tools / "sha256sum").unlink(missing_ok=True)
    path = f"{phone.folder / 'bin'}:{tools}"
    reply = phone.once("serve", phone.workdir, environment={"PATH": path, "HOME": "/"})
    assert reply.code == "no-tool"


def test_called_without_a_purpose_it_says_how(phone: Phone):
    process = phone.popen(stderr=subprocess.PIPE)
    _, said = process.communicate()
    assert process.returncode == 64
    assert b"usage" in said


def test_an_unknown_job_is_unknown_to_every_verb(agent: Talk):
    for request in (
        ("poll", "nobody"),
        ("kill", "nobody"),
        ("wait", "nobody"),
        ("gather", "nobody", 1),
        ("poll", "../.."),
    ):
        with pytest.raises(Refused, match="unknown"):
            agent(*request)


def test_a_tool_that_reads_its_input_eats_no_request(phone: Phone, agent: Talk):
    phone.replace_tool("python3", "exec cat")
    agent.process.stdin.write(wire.request(1, "probe", "python3") + wire.request(2, "jobs"))
    agent.process.stdin.flush()
    reply = wire.parse_reply(agent.process.stdout.readline())
    agent.process.stdout.read(reply.size_bytes)
    assert wire.parse_reply(agent.process.stdout.readline()) == wire.Reply(2, wire.Status.OK)


def interpreter(phone: Phone, name: str, answer: str) -> None:
    """A program of this name that tells it was started, and answers so."""
    path = phone.folder / "bin" / name
    path.write_text(f"#!/bin/sh\necho {name} >>'{phone.folder}/started'\n{answer}\n")
    path.chmod(0o755)


def asked(phone: Phone) -> list[str]:
    started = phone.folder / "started"
    return started.read_text().split() if started.exists() else []


def test_no_interpreter_is_started_where_none_is_asked_for(phone: Phone, agent: Talk):
    interpreter(phone, "python3", "echo good /x cpython 3.11.2 -")
    assert b"cpython" not in agent.data("probe")
    assert asked(phone) == []


def test_the_probe_tells_the_start_of_the_device(agent: Talk):
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert parse_facts(agent.data("probe").decode()).boot_id == boot_id


def test_a_device_that_hides_its_start_is_probed_all_the_same(phone: Phone):
    agent = phone.talk_with({"/proc/sys/kernel/random/boot_id": "/dev/null"})
    facts = parse_facts(agent.data("probe").decode())
    assert (facts.boot_id, facts.system) == (None, "Linux")


def test_interpreters_are_asked_one_after_the_other_until_one_will_do(phone: Phone, agent: Talk):
    interpreter(phone, "python3", "echo 'pyenv: version not installed' >&2; exit 127")
    interpreter(phone, "python3.6", "echo bad /old cpython 3.5.2 -")
    interpreter(phone, "python3.7", "echo good '/opt/a b/python' cpython 3.7.9 numpy")
    interpreter(phone, "python3.8", "echo good /never cpython 3.8.1 -")
    names = ("python3", "python3.nothing", "python3.6", "python3.7", "python3.8")
    facts = parse_facts(agent.data("probe", *names).decode())
    assert facts.pythons == (
        Python("/old", (3, 5, 2), has_numpy=False),
        Python("/opt/a b/python", (3, 7, 9), has_numpy=True),
    )
    assert asked(phone) == ["python3", "python3.6", "python3.7"]


def test_an_interpreter_below_the_home_folder_is_found(phone: Phone, agent: Talk):
    interpreter(phone, "python3.9", "echo good '/home/me/bin/python3.9' cpython 3.9.1 -")
    facts = parse_facts(agent.data("probe", "~/bin/python3.9").decode())
    assert facts.pythons == (Python("/home/me/bin/python3.9", (3, 9, 1), has_numpy=False),)


def test_names_of_one_interpreter_are_asked_once(phone: Phone, agent: Talk):
    interpreter(phone, "python3.9", "exit 1")
    (phone.folder / "bin" / "python3").symlink_to("python3.9")
    agent.data("probe", "python3", "python3.9", str(phone.folder / "bin" / "python3"))
    assert asked(phone) == ["python3.9"]


def test_an_interpreter_says_of_itself_what_it_is(phone: Phone, agent: Talk):
    (found,) = parse_facts(agent.data("probe", sys.executable).decode()).pythons
    assert (found.path, found.version) == (sys.executable, sys.version_info[:3])
    assert found.has_numpy


def test_cores_that_the_agent_may_not_use_are_no_cores_of_the_device(phone: Phone):
    last = max(os.sched_getaffinity(0))
    process = phone.popen("serve", phone.workdir, preexec_fn=lambda: os.sched_setaffinity(0, {last}))
    raw = phone.talk_to(process).data("probe").decode("utf-8", "replace")
    assert parse_facts(raw).core_ids == (last,)
    assert raw.count("/proc/self/status:") == 1
