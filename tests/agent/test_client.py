"""farm.device.agent against the real agent, over a connection that starts real processes on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import re
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from farm.device.agent import Agent, Missing
from farm.device.faults import AGENT_ERRORS
from farm.device.spool import FileEntry, JobSpec, JobState, parse_files
from farm.device.start import BOOTSTRAP
from farm.errors import DeviceError
from farm.model.artifact import Tree
from farm.model.limits.deadlines import Deadlines
from farm.store.artifacts import artifact_of
from tests.agent.local import SCRIPT, LocalConnection
from tests.agent.shells import Phone

NOISE = "echo 'Welcome!'; printf 'last words without a newline'; "


@pytest.fixture
async def connection(phone: Phone) -> AsyncIterator[LocalConnection]:
    connection = LocalConnection(phone, NOISE)
    yield connection
    await connection.close()


@pytest.fixture
async def agent(connection: LocalConnection) -> AsyncIterator[Agent]:
    agent = await connection.start()
    yield agent
    with contextlib.suppress(DeviceError):
        epoch = (await agent.lease("the end of the test", 60)).epoch
        await agent.release(epoch)


@pytest.fixture
async def epoch(agent: Agent) -> AsyncIterator[int]:
    epoch = (await agent.lease("tester", 600)).epoch
    yield epoch
    await agent.release(epoch)


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big file"
    path.write_bytes(random.Random(1).randbytes(3_000_001))
    return path


def refusal(error: pytest.ExceptionInfo[DeviceError]) -> tuple[str, str, str]:
    return error.value.stage.value, error.value.fault.value, error.value.cause


async def ended(agent: Agent, job: str) -> JobState:
    async with asyncio.timeout(60):
        while (state := await agent.poll(job)).exit_code is None:
            await asyncio.sleep(0.05)
    return state


async def test_the_agent_installs_itself_once_and_then_starts_in_one_round_trip(connection: LocalConnection):
    first = await connection.start()
    assert len(connection.opened) == 3
    installed = connection.phone.workdir / "agents" / f"{SCRIPT.sha256}.sh"
    assert installed.read_bytes() == SCRIPT.content
    assert {one.suffix for one in installed.parent.iterdir()} == {".sh", ".boot"}
    second = await connection.start()
    assert len(connection.opened) == 4
    assert first.workdir == second.workdir == str(connection.phone.workdir)


async def test_what_is_asked_in_one_moment_is_sent_together_and_answered_in_order(
    agent: Agent, connection: LocalConnection
):
    before = connection.channels[-1].writes
    answered: list[int] = []

    async def ask(number: int) -> None:
        await agent.date_s()
        answered.append(number)

    await asyncio.gather(*map(ask, range(20)))
    assert answered == list(range(20))
    assert connection.channels[-1].writes == before + 1


async def test_a_home_in_the_workdir_is_expanded_on_the_device(connection: LocalConnection):
    agent = await Agent.start(connection, "~/here", SCRIPT, Deadlines())
    assert agent.workdir == str(connection.phone.folder / "here")


@pytest.mark.parametrize(
    ("workdir", "home", "cause"),
    [
        ("~", "", "no-home"),
        ("~/x", "", "no-home"),
        ("relative", "/", "usage"),
        ("/proc/x", "/", "unwritable"),
        ("/dev/null/x", "/", "unwritable"),
    ],
)
async def test_a_workdir_that_cannot_be_is_told_with_a_reason(
    phone: Phone, workdir: str, home: str, cause: str
):
    connection = LocalConnection(phone, NOISE, {"PATH": phone.path, "HOME": home})
    with pytest.raises(DeviceError) as error:
        await Agent.start(connection, workdir, SCRIPT, Deadlines())
    assert error.value.cause == cause
    assert "?" not in error.value.message
    await connection.close()


async def test_a_login_shell_that_ends_is_told_with_its_last_words(phone: Phone):
    connection = LocalConnection(phone, "echo 'this account is closed' >&2; exit 1; ")
    with pytest.raises(DeviceError, match="this account is closed") as error:
        await connection.start()
    assert error.value.cause == "protocol"
    await connection.close()


async def test_a_login_shell_that_waits_for_something_is_given_up(phone: Phone):
    connection = LocalConnection(phone, "echo 'Press any key'; read -r _; exit; ")
    with pytest.raises(DeviceError, match=r"did not start within 0\.5 s \(deadline agent-start\)") as error:
        await connection.start(Deadlines(agent_start_s=0.5))
    assert "--deadline agent-start=1" in error.value.hint
    await connection.close()


async def test_a_login_that_prints_without_an_end_is_given_up(phone: Phone):
    connection = LocalConnection(phone, "while :; do echo 'Welcome!'; done; ")
    with pytest.raises(DeviceError, match="deadline agent-start"):
        await connection.start(Deadlines(agent_start_s=0.5))
    await connection.close()


async def test_a_login_that_prints_thousands_of_lines_is_read_past(phone: Phone):
    chatty = 'n=0; while [ $n -lt 5000 ]; do n=$((n + 1)); echo "Welcome, line $n"; done; '
    connection = LocalConnection(phone, chatty)
    assert (await connection.start()).workdir == str(phone.workdir)
    await connection.close()


async def test_what_a_login_that_leads_nowhere_printed_is_told(phone: Phone):
    connection = LocalConnection(phone, "echo 'This account is currently not available.'; exit 1; ")
    with pytest.raises(DeviceError, match=r"This account is currently not available\."):
        await connection.start()
    await connection.close()


@pytest.mark.parametrize("damage", ["cut", "zeros", "empty", "other"])
async def test_a_damaged_agent_on_the_device_heals(connection: LocalConnection, damage: str):
    """A power cut may leave a file that is cut, or as long as it should be but without content."""
    await connection.start()
    installed = connection.phone.workdir / "agents" / f"{SCRIPT.sha256}.sh"
    damaged = {
        "cut": SCRIPT.content[:9000],
        "zeros": bytes(len(SCRIPT.content)),
        "empty": b"",
        "other": b"exit 1\n",
    }[damage]
    installed.write_bytes(damaged)
    before = len(connection.opened)
    await connection.start()
    assert len(connection.opened) == before + 3
    assert installed.read_bytes() == SCRIPT.content


async def test_the_agent_is_looked_at_once_after_each_start_of_the_device(connection: LocalConnection):
    seen = connection.phone.folder / "seen"
    connection.phone.replace_tool("sha256sum", f'echo >>{shlex.quote(str(seen))}; exec REAL "$@"')
    await connection.start()
    await asyncio.sleep(1.1)  # a mark that is not newer than the agent does not count; busybox sees seconds
    await connection.start()
    looks = seen.read_text().count("\n")
    await connection.start()
    await connection.start()
    assert seen.read_text().count("\n") == looks
    (mark,) = (connection.phone.workdir / "agents").glob("*.boot")
    mark.write_text("of an earlier start\n")
    await connection.start()
    assert seen.read_text().count("\n") == looks + 1


async def test_what_a_power_cut_damaged_heals_although_its_time_is_the_old_one(connection: LocalConnection):
    await connection.start()
    installed = connection.phone.workdir / "agents" / f"{SCRIPT.sha256}.sh"
    mark = installed.with_suffix(".boot")
    times = installed.stat()
    installed.write_bytes(bytes(len(SCRIPT.content)))
    os.utime(installed, ns=(times.st_atime_ns, times.st_mtime_ns))
    mark.write_text("of an earlier start\n")
    await connection.start()
    assert installed.read_bytes() == SCRIPT.content


def test_what_runs_before_the_agent_passes_through_every_login_shell():
    assert not set("\n!") & set(BOOTSTRAP)


async def stopped(agent: Agent, connection: LocalConnection) -> None:
    """The agent is there, and does nothing any more."""
    process = connection.channels[-1].process
    await agent.holder()
    process.send_signal(signal.SIGSTOP)


async def test_an_agent_that_does_not_reply_is_given_up(phone: Phone):
    connection = LocalConnection(phone)
    agent = await connection.start(Deadlines(reply_s=0.5))
    await stopped(agent, connection)
    with pytest.raises(DeviceError, match=r"to poll within 0\.5 s \(deadline reply\)") as error:
        await agent.poll("j")
    assert (error.value.cause, error.value.transient) == ("no-reply", True)
    assert "--deadline reply=1" in error.value.hint
    with pytest.raises(DeviceError, match="to poll"):
        await agent.holder()
    connection.channels[-1].process.kill()
    await connection.close()


async def test_a_reply_whose_bytes_stop_coming_is_given_up(phone: Phone):
    liar = "echo 'farm-agent 1 1 /x'; read -r _; echo '1 data 100'; echo ab; read -r _; exit; "
    connection = LocalConnection(phone, liar)
    agent = await connection.start(Deadlines(transfer_stall_s=0.5))
    with pytest.raises(DeviceError, match="deadline transfer-stall"):
        await agent.read("j", "stdout", 0, 100)
    await connection.close()


async def test_replies_to_others_do_not_prolong_the_wait_for_one(phone: Phone):
    liar = (
        "echo 'farm-agent 1 1 /x'; while read -r id verb _; do "
        "[ $verb = poll ] || { echo $id ok; sleep 0.1; }; done; exit; "
    )
    connection = LocalConnection(phone, liar)
    agent = await connection.start(Deadlines(reply_s=1))
    poll = asyncio.create_task(agent.poll("j"))
    await asyncio.sleep(0)
    with contextlib.suppress(DeviceError):
        while not poll.done():
            await agent.beat(1)
    with pytest.raises(DeviceError, match="to poll"):
        await poll
    await connection.close()


async def test_an_upload_that_does_not_move_is_given_up(connection: LocalConnection, tmp_path: Path):
    path = tmp_path / "big file"
    path.write_bytes(random.Random(1).randbytes(3_000_001))
    agent = await connection.start(Deadlines(transfer_stall_s=1))
    connection.noise = "sleep 3; exit; "
    with pytest.raises(DeviceError, match="deadline transfer-stall") as error:
        await agent.upload(artifact_of(path), lambda _: None)
    assert error.value.transient


async def test_a_job_that_a_former_self_starts_late_does_not_run_twice(
    connection: LocalConnection, tmp_path: Path
):
    """Its connection was given up, the job was run over the next one: then the first one comes back to life."""
    late = await connection.start()
    lease = await late.lease("tester", 600)
    epoch = lease.epoch
    process = connection.channels[-1].process
    process.send_signal(signal.SIGSTOP)
    spec = JobSpec("j", ("sh", "-c", 'echo ran >>"$0"', str(tmp_path / "runs")), 60)
    starting = asyncio.create_task(late.start_job(epoch, spec))
    agent = await connection.start()
    await agent.resume(lease)
    await agent.start_job(epoch, spec)
    await ended(agent, "j")
    await agent.drop("j")
    process.send_signal(signal.SIGCONT)
    with pytest.raises(DeviceError) as error:
        await starting
    assert error.value.cause == "exists"
    assert await agent.jobs() == {}
    assert (tmp_path / "runs").read_text() == "ran\n"
    await agent.release(epoch)


async def test_facts_of_this_machine(agent: Agent):
    facts = await agent.probe()
    assert facts.hostname == os.uname().nodename
    assert facts.architecture == os.uname().machine
    assert facts.memory_bytes > 0
    assert facts.disk_free_bytes > 0
    assert len(facts.core_ids) == os.cpu_count()


async def test_an_upload_travels_once_and_reports_its_progress(
    agent: Agent, connection: LocalConnection, big: Path
):
    seen: list[int] = []
    artifact = artifact_of(big)
    assert await agent.upload(artifact, seen.append) == artifact.size_bytes
    assert seen == sorted(seen)
    assert seen[-1] == artifact.size_bytes
    assert await agent.upload(artifact, seen.append) == 0
    assert connection.phone.stored(artifact.sha256).read_bytes() == big.read_bytes()
    assert await agent.have([artifact.sha256, "0" * 64]) == (Missing("0" * 64, 0),)


async def test_a_broken_upload_goes_on_where_it_stopped(agent: Agent, connection: LocalConnection, big: Path):
    seen: list[int] = []
    artifact = artifact_of(big)
    connection.phone.receive(artifact.sha256, 0, big.read_bytes()[:2_000_000], artifact.size_bytes)
    assert await agent.upload(artifact, seen.append) == 1_000_001
    assert min(seen) > 2_000_000


@pytest.mark.parametrize("rubbish", [b"rubbish", b"x" * 3_000_001, b"x" * 4_000_000])
async def test_a_damaged_partial_upload_is_sent_anew(
    agent: Agent, connection: LocalConnection, big: Path, rubbish: bytes
):
    artifact = artifact_of(big)
    connection.phone.receive(artifact.sha256, 0, rubbish, 9_000_000)
    await agent.upload(artifact, lambda _: None)
    assert connection.phone.stored(artifact.sha256).read_bytes() == big.read_bytes()


async def test_a_file_that_is_not_what_it_was_is_refused(agent: Agent, big: Path):
    artifact = artifact_of(big)
    with big.open("r+b") as stream:
        stream.write(b"changed")
    with pytest.raises(DeviceError) as error:
        await agent.upload(artifact, lambda _: None)
    assert refusal(error) == ("deploy", "network", "digest-mismatch")


async def test_a_round_from_start_to_drop(
    agent: Agent, epoch: int, connection: LocalConnection, tmp_path: Path
):
    (tmp_path / "in put").write_text("data")
    artifact = artifact_of(tmp_path / "in put")
    await agent.upload(artifact, lambda _: None)
    tree = await agent.tree(Tree("t", (("in put", artifact),)))
    script = 'cat "$0" copy "$A"; echo x >"sub/a b"; exit 4'
    spec = JobSpec(
        "j", ("sh", "-c", script, f"{tree}/in put"), 60, environment=(("A", f"{tree}/in put"),),
        folders=("sub",), copies=(("copy", artifact.sha256),),
    )  # fmt: skip
    await agent.start_job(epoch, spec)
    state = await ended(agent, "j")
    assert (state.exit_code, state.why, state.stdout_bytes) == (4, "-", 12)
    assert await agent.read("j", "stdout", 4, 100) == b"datadata"
    assert await agent.read("j", "stdout", 12, 100) == b""
    left = await agent.gather("j", 5)
    assert (left.stdout.begin, left.stdout.size_bytes, left.stderr.size_bytes) == (b"datad", 12, 0)
    assert {entry.path: entry.size_bytes for entry in left.files} == {"copy": 4, "sub/a b": 2}
    digest = hashlib.sha256(b"x\n").hexdigest()
    await agent.adopt("j", "sub/a b", digest)
    assert await agent.jobs() == {"j": "exited"}
    await agent.drop("j")
    assert await agent.jobs() == {}
    assert await agent.have([digest]) == ()
    (entry,) = [file for file in (await agent.stock()).files if file.sha256 == digest]
    await agent.remove(epoch, [entry.path])
    assert [missing.sha256 for missing in await agent.have([digest])] == [digest]


async def test_the_holder_is_named(agent: Agent, epoch: int, connection: LocalConnection):
    other = await connection.start()
    assert await other.holder() == "tester"
    with pytest.raises(DeviceError, match="held by tester") as error:
        await other.lease("somebody else", 60)
    assert refusal(error) == ("lease", "user", "held")
    assert error.value.hint
    with pytest.raises(DeviceError) as error:
        await other.beat(epoch - 1)
    assert refusal(error) == ("lease", "device", "stale")


async def test_a_call_that_is_cancelled_leaves_the_line_in_step(agent: Agent, epoch: int):
    """Ctrl-C in the middle of a call: the lease must still be given back over the same line."""
    await agent.start_job(epoch, JobSpec("j", ("sh", "-c", "trap '' TERM; while :; do sleep 1; done"), 60))
    call = asyncio.create_task(agent.release(epoch))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await agent.holder() is None
    assert (await agent.poll("j")).why == "released"


async def test_calls_at_the_same_time_each_get_their_own_answer(agent: Agent):
    digests = [f"{number:064x}" for number in range(50)]
    answers = await asyncio.gather(*(agent.have([digest]) for digest in digests))
    assert answers == [(Missing(digest, 0),) for digest in digests]


async def test_what_is_asked_behind_one_that_waits_has_its_time_from_the_answer_on(phone: Phone):
    liar = (
        "echo 'farm-agent 1 1 /x'; read -r id _; read -r next _; sleep 1; "
        "echo $id ok exited 0 - 0 0 0; echo $next data 1 1 0 0 0; echo; read -r _; exit; "
    )
    connection = LocalConnection(phone, liar)
    agent = await connection.start(Deadlines(work_s=0.3))
    ended, left = await asyncio.gather(agent.wait("j"), agent.gather("j", 10))
    assert (ended.exit_code, left.files) == (0, ())
    await connection.close()


async def test_who_waits_finds_the_line_lost_when_it_is(connection: LocalConnection):
    agent = await connection.start()
    epoch = (await agent.lease("tester", 600)).epoch
    await agent.start_job(epoch, JobSpec("j", ("sleep", "300"), 60))
    waiting = asyncio.create_task(agent.wait("j"))
    await asyncio.sleep(0)
    assert agent.is_busy
    await connection.close()
    with pytest.raises(DeviceError) as error:
        await waiting
    assert error.value.transient
    again = await connection.start()
    await again.release(epoch)
    await again.bye()


GATHERED = {
    "too few": "1 data 4 1 1 1",
    "too short": "1 data 3 1 1 1 1",
    "too long": "1 data 5 1 1 1 1",
    "a word": "1 data 4 1 1 1 x",
    "a listing that is none": "1 data 4 2 2 0 0",
    "a reply without data": "1 ok 1 1 1 1",
}


@pytest.mark.parametrize("answer", GATHERED.values(), ids=GATHERED)
async def test_lengths_that_do_not_fit_are_a_protocol_error(phone: Phone, answer: str):
    liar = f"echo 'farm-agent 1 1 /x'; while read -r _; do echo '{answer}'; echo abcdefg; done; exit; "
    connection = LocalConnection(phone, liar)
    agent = await connection.start()
    with pytest.raises(DeviceError) as error:
        await agent.gather("j", 10)
    assert error.value.cause == "protocol"
    await connection.close()


async def test_a_round_survives_the_connection(connection: LocalConnection):
    agent = await connection.start()
    lease = await agent.lease("tester", 600)
    epoch = lease.epoch
    await agent.start_job(epoch, JobSpec("j", ("sh", "-c", "sleep 1; echo there"), 60))
    await connection.close()
    with pytest.raises(DeviceError) as error:
        await agent.poll("j")
    assert error.value.transient
    again = await connection.start()
    await again.resume(lease)
    assert (await ended(again, "j")).exit_code == 0
    assert await again.read("j", "stdout", 0, 100) == b"there\n"
    await again.release(epoch)
    await again.bye()


async def test_goodbye_ends_the_agent(connection: LocalConnection):
    agent = await connection.start()
    await agent.bye()
    assert await connection.channels[-1].wait() == 0


LYING = {
    "another id": "99 ok",
    "no reply": "hello",
    "a huge block": "1 data 999999999999",
    "a word for a number": "1 ok running - - a b c",
    "too few": "1 ok running",
    "a code that is none": "1 ok exited 99999999999999999999 - 1 2 3",
    "white space": "1 ok a\tb",
}


@pytest.mark.parametrize("answer", LYING.values(), ids=LYING)
async def test_an_agent_that_lies_is_a_protocol_error(phone: Phone, answer: str):
    liar = f"echo 'farm-agent 1 1 /x'; while read -r _; do echo '{answer}'; done; exit; "
    connection = LocalConnection(phone, liar)
    agent = await connection.start()
    with pytest.raises(DeviceError) as error:
        await agent.poll("j")
    assert refusal(error) == ("connect", "device", "protocol")
    await connection.close()


@pytest.mark.parametrize("answer", ["farm-agent 1 x /x", "farm-agent 1 1 relative", "farm-agent 1 ok"])
async def test_a_greeting_that_lies_is_refused(phone: Phone, answer: str):
    connection = LocalConnection(phone, f"echo '{answer}'; exit; ")
    with pytest.raises(DeviceError) as error:
        await connection.start()
    assert error.value.cause == "protocol"
    await connection.close()


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"a b c",
        b"0" * 64 + b" 1",
        b"0" * 64 + b" -1 a",
        b"0" * 64 + b" 1 ../a",
        b"0" * 64 + b" 1 /a",
        b"0" * 64 + b" 1 a/../../b",
        b"0" * 64 + b" 1 a%zz",
        b"G" * 64 + b" 1 a",
    ],
)
def test_a_listing_that_lies_is_refused(line: bytes):
    with pytest.raises(DeviceError):
        parse_files(b"0" * 64 + b" 1 good\n" + line + b"\n")


def test_an_honest_listing_is_read():
    assert parse_files(b"0" * 64 + b" 17 a%20b/%0A\n") == (FileEntry("a b/\n", "0" * 64, 17),)


def test_every_code_of_the_agent_has_a_meaning():
    """The codes stand in the script as `err CODE`; the client's table knows them all, and no other."""
    codes = set(re.findall(r"\berr ([a-z-]+)", SCRIPT.content.decode()))
    assert codes == set(AGENT_ERRORS)
