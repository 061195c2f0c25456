"""farm.device.session: one device for the time of a run, with the real agent and real processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.device import former, jobs
from farm.device.faults import HeldError
from farm.device.former import _path
from farm.device.jobs import Ended, JobSpec, run_small, start_job, wait_for_job
from farm.device.restarts import (
    MOST_BEGUN_AGAIN,
    MOST_IN_A_ROW,
    RestartedError,
    UnstartedError,
    UnsupervisedError,
)
from farm.device.session import Session
from farm.errors import DeviceError, Fault, Stage
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.sim.processes import agents as agents_of
from farm.store.artifacts import artifact_of
from tests.agent.local import LocalChannel, LocalConnection, gone
from tests.agent.shells import Phone, end, make_box, until

HOLD = "import sys; from farm.device import former; former.hold(sys.argv[1]); print(); sys.stdin.read()"
DIES = "echo 'farm-agent 1 1 /x'; while read -r id verb _; do case $verb in poll | wait) exit ;; esac; "


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """One shell is enough here."""
    return "dash", make_box(tmp_path_factory.mktemp("box") / "dash", "dash")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_CACHE_DIR", str(tmp_path / "cache"))


class Reach:
    """A transport to a device that is this machine. `noise` is what a login does first."""

    def __init__(self, phone: Phone, noise: str = "") -> None:
        self.phone = phone
        self.noise = noise
        self.notes: list[str] = []
        self.connections: list[LocalConnection] = []

    async def connect(self) -> LocalConnection:
        self.connections.append(LocalConnection(self.phone, self.noise))
        return self.connections[-1]

    def session(self, holder: str = "ann", **limits: float) -> Session:
        device = Device("d", Address("x"), Runtime(RuntimeKind.NATIVE), workdir=str(self.phone.workdir))
        deadlines = Deadlines(**limits)  # type: ignore[arg-type]
        return Session(
            device,
            self,
            self.phone.sent(),
            holder=holder,
            deadlines=deadlines,
            note=self.notes.append,
        )


@pytest.fixture
def reach(phone: Phone) -> Reach:
    return Reach(phone)


@pytest.fixture
def other_run(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another run of the same user, under the name `bob`."""
    words = (sys.executable, "-c", HOLD, "bob")
    environment = os.environ | {"FARM_CACHE_DIR": str(tmp_path / "cache")}
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        process.stdout.readline()
        yield process
        process.kill()


def hold_as(phone: Phone, holder: str) -> int:
    return int(phone.talk()("lease", holder, 600)[0])


async def test_the_lease_of_a_killed_run_is_taken_over(
    phone: Phone, reach: Reach, other_run: subprocess.Popen[bytes]
):
    epoch = hold_as(phone, "bob")
    other_run.kill()
    other_run.wait()
    async with reach.session() as session:
        assert session.epoch == epoch + 1
    assert "taking over" in reach.notes[0]
    assert phone.talk()("holder") == ()


@pytest.mark.parametrize("frozen", [False, True])
async def test_the_lease_of_a_run_that_lives_is_not(
    phone: Phone, reach: Reach, other_run: subprocess.Popen[bytes], frozen: bool
):
    epoch = hold_as(phone, "bob")
    if frozen:
        other_run.send_signal(signal.SIGSTOP)
    with pytest.raises(HeldError, match="held by bob for"):
        await reach.session().__aenter__()
    talk = phone.talk()
    assert talk("holder")[0] == "bob"
    talk("release", epoch)


async def test_the_lease_of_somebody_else_is_not(phone: Phone, reach: Reach):
    epoch = hold_as(phone, "eve")
    with pytest.raises(HeldError) as error:
        await reach.session().__aenter__()
    assert "--wait" in error.value.hint
    phone.talk()("release", epoch)


async def test_our_own_lease_whose_reply_was_lost_is_ours(phone: Phone, tmp_path: Path):
    once = tmp_path / "once"
    epoch = hold_as(phone, "ann")
    dies = f"case $verb in lease) touch {once}; exit ;; *) echo $id ok ;; esac"
    greets = f"echo 'farm-agent 1 1 /x'; while read -r id verb _; do {dies}; done"
    reach = Reach(phone, f"[ -e {once} ] || {{ {greets}; }}; ")
    async with reach.session() as session:
        assert session.epoch == epoch + 1
    assert "taking over" in " ".join(reach.notes)


async def test_a_device_that_this_process_holds_under_another_name_is_waited_for(phone: Phone, reach: Reach):
    async def epoch_of_another() -> int:
        async with reach.session() as second:
            return second.epoch

    async with reach.session() as first:
        waiting = asyncio.create_task(epoch_of_another())
        while not any("the same one" in note for note in reach.notes):
            assert not waiting.done()
            await asyncio.sleep(0.02)
        epoch = first.epoch
        await first.call(lambda agent: agent.beat(epoch))
    assert await waiting > epoch


async def test_a_lease_is_waited_for_and_the_user_told_for_whom(phone: Phone, reach: Reach):
    talk = phone.talk()
    epoch = int(talk("lease", "eve", 600)[0])
    freed = threading.Timer(1.0, lambda: talk("release", epoch))
    freed.start()
    async with reach.session(lease_wait_s=60) as session:
        assert session.epoch > epoch
    freed.join()
    assert [note for note in reach.notes if "waiting for it: held by eve for" in note]


async def test_a_wait_for_a_lease_that_ran_out_has_its_name(phone: Phone, reach: Reach):
    epoch = hold_as(phone, "eve")
    with pytest.raises(DeviceError, match=r"not free within 0\.1 s \(deadline lease-wait\)") as error:
        await reach.session(lease_wait_s=0.1).__aenter__()
    assert "--wait 0.2" in error.value.hint
    phone.talk()("release", epoch)


async def test_an_agent_that_dies_at_each_poll_is_tried_again_a_few_times(phone: Phone):
    answers = "case $verb in lease) echo $id ok 1 -;; *) echo $id ok;; esac; done; exit; "
    reach = Reach(phone, DIES + answers)
    async with reach.session(reconnect_s=2) as session:
        with pytest.raises(DeviceError, match=r"not back within 2 s \(deadline reconnect\)") as error:
            await wait_for_job(session, JobSpec("j", ("true",), 60))
        with pytest.raises(DeviceError) as again:
            await session.call(lambda agent: agent.holder())
    assert error.value.cause == "connection-lost"
    assert again.value is error.value
    assert 2 <= len(reach.connections) <= 8


async def test_a_job_whose_supervisor_is_stopped_ends_as_lost(
    phone: Phone, reach: Reach, monkeypatch: pytest.MonkeyPatch
):
    async with reach.session(reply_s=1, keepalive_s=0.1) as session:
        spec = JobSpec("j", ("sleep", "300"), 1)
        await start_job(session, spec)
        supervisors = agents_of(phone.folder, "supervise")
        for pid in supervisors:
            os.kill(pid, signal.SIGSTOP)
        assert await wait_for_job(session, spec) == Ended(137, "lost")
    until(lambda: not agents_of(phone.folder, "supervise"))


async def test_small_jobs_are_forgotten_in_groups_and_the_rest_at_the_end(
    phone: Phone, reach: Reach, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(jobs, "DROPPED_AT_ONCE", 3)
    async with reach.session() as session:
        left = []
        for number in range(5):
            spec = JobSpec(f"j{number}", ("true",), 60)
            await start_job(session, spec)
            await wait_for_job(session, spec)
            await jobs.drop_later(session, spec.name)
            left.append(sorted(one.name for one in (phone.workdir / "spool").iterdir()))
        assert left == [["j0"], ["j0", "j1"], [], ["j3"], ["j3", "j4"]]
        await jobs.drop_left(session)
        assert not list((phone.workdir / "spool").iterdir())


async def test_a_job_whose_supervisor_is_killed_is_begun_again_a_few_times(phone: Phone, reach: Reach):
    async with reach.session() as session:
        for epoch in range(MOST_BEGUN_AGAIN + 1):
            spec = JobSpec("j", ("sleep", "300"), 60)
            await start_job(session, spec)
            for pid in agents_of(phone.folder, "supervise"):
                os.kill(pid, signal.SIGKILL)
            if epoch == MOST_BEGUN_AGAIN:
                assert await wait_for_job(session, spec) == Ended(137, "lost")
                break
            with pytest.raises(UnsupervisedError):
                await wait_for_job(session, spec)
            await session.ready()


async def test_a_job_whose_starter_was_killed_is_started_again_under_another_lease(
    phone: Phone, reach: Reach
):
    once = phone.folder / "once"
    dies = f"[ -e {once} ] || {{ : >{once} && kill -KILL $$; }}"
    phone.change_script("\nlaunch() {\n", f"\nlaunch() {{\n  {dies}\n")
    async with reach.session() as session:
        epoch = session.epoch
        with pytest.raises(UnstartedError):
            await run_small(session, JobSpec("j", ("true",), 60))
        await session.ready()
        assert session.epoch > epoch
        assert (await run_small(session, JobSpec("j", ("true",), 60))).exit_code == 0
    assert once.exists()


WAITS = JobSpec("j", ("sh", "-c", "while [ ! -e ../tmp/go ]; do sleep 0.1; done; echo left; exit 3"), 600)


async def waiting_for(session: Session, spec: JobSpec) -> asyncio.Task[Ended]:
    await start_job(session, spec)
    waiting = asyncio.create_task(wait_for_job(session, spec, 100))
    async with asyncio.timeout(30):
        while not session._pulse.is_busy:
            await asyncio.sleep(0)
    return waiting


async def test_in_a_round_the_pulse_waits_and_the_other_agent_answers(phone: Phone, reach: Reach):
    async with reach.session() as session:
        waiting = await waiting_for(session, WAITS)
        for _ in range(3):
            await session.pulse(lambda agent: agent.beat(session.epoch))
        state = await session.call(lambda agent: agent.poll("j"))
        assert (state.exit_code, waiting.done()) == (None, False)
        (phone.workdir / "spool/j/tmp/go").touch()
        async with asyncio.timeout(60):
            ended = await waiting
        assert ended == Ended(3, "-")
        assert ended.left.stdout.begin == b"left\n"
        assert not session._pulse.is_busy
        assert len(reach.connections) == 1


async def test_who_does_not_ask_for_what_a_job_left_gets_its_end_alone(phone: Phone, reach: Reach):
    async with reach.session() as session:
        await start_job(session, WAITS)
        (phone.workdir / "spool/j/tmp/go").touch()
        assert (await wait_for_job(session, WAITS)).left is None


async def test_the_limit_of_a_round_is_for_its_end_and_not_for_the_look_at_what_it_left(
    phone: Phone, reach: Reach
):
    phone.replace_tool("sha256sum", 'sleep 3; exec REAL "$@"')
    spec = JobSpec("j", ("sh", "-c", "echo x >out.txt"), 1)
    async with reach.session(reply_s=0.5, keepalive_s=0.1) as session:
        await start_job(session, spec)
        ended = await wait_for_job(session, spec, 100)
        assert ended == Ended(0, "-")
        assert ended.left is not None
        assert ended.known_s > 1, "it is not the round's time"


async def test_a_round_that_is_cancelled_is_ended_and_leaves_no_agent(phone: Phone, reach: Reach):
    with contextlib.suppress(asyncio.CancelledError):
        async with reach.session() as session:
            waiting = await waiting_for(session, WAITS)
            waiting.cancel()
            await asyncio.wait([waiting])
            state = await session.call(lambda agent: agent.poll("j"))
            assert state.exit_code is None
            raise asyncio.CancelledError
    assert phone.talk()("holder") == ()
    until(lambda: not set(agents_of(phone.folder)) - {talk.process.pid for talk in phone.talks})
    until(lambda: not phone.processes())


async def test_agents_that_are_stopped_are_left_for_new_ones(
    phone: Phone, reach: Reach, monkeypatch: pytest.MonkeyPatch
):
    async with reach.session(reply_s=1) as session:
        stopped = agents_of(phone.folder)
        (connection,) = reach.connections
        close = connection.close

        async def close_all() -> None:
            end(dict.fromkeys(stopped, ""))  # a stopped process sees no end of its input
            await close()

        monkeypatch.setattr(connection, "close", close_all)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        assert await session.call(lambda agent: agent.holder()) == "ann"
    assert len(reach.connections) == 2


def restart(reach: Reach, boot: str) -> None:
    """All that ran on the device is gone, and from now on it has this boot id."""
    folder = reach.phone.folder
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root for another boot id")
    (folder / boot).write_text(f"{boot}\n")
    mount = f"{shutil.which('mount')} --bind {folder / boot} /proc/sys/kernel/random/boot_id"
    again = f'exec {shutil.which("unshare")} -m /bin/sh -c \'{mount} && exec "$@"\' mounts "$@"; '
    reach.noise = again
    end(dict.fromkeys([*agents_of(folder), *reach.phone.processes()], ""))


async def test_after_a_restart_nothing_is_said_until_the_device_is_taken_again(phone: Phone, reach: Reach):
    async with reach.session(reconnect_s=60) as session:
        await start_job(session, JobSpec("j", ("sleep", "300"), 600))
        epoch = session.epoch
        waiting = asyncio.create_task(wait_for_job(session, JobSpec("j", ("sleep", "300"), 600)))
        await asyncio.sleep(0)
        restart(reach, "second")
        with pytest.raises(RestartedError):
            await waiting
        for word in (session.call, session.pulse):
            with pytest.raises(RestartedError):
                await word(lambda agent: agent.holder())
        await session.ready()
        assert session.epoch > epoch
        assert await session.call(lambda agent: agent.holder()) == "ann"
        assert await session.call(lambda agent: agent.jobs()) == {}
        await session.ready()
        assert (await run_small(session, JobSpec("say", ("echo", "on"), 60))).stdout == b"on\n"
    assert phone.talk()("holder") == ()
    assert "connected again; it was restarted meanwhile" in reach.notes


async def test_a_device_that_is_restarted_again_and_again_is_given_up(reach: Reach):
    async with reach.session(reconnect_s=60) as session:
        for number in range(MOST_IN_A_ROW):
            restart(reach, f"boot-{number}")
            with pytest.raises(DeviceError) as error:
                await session.call(lambda agent: agent.holder())
            assert error.value.cause == "device-restarted"
            assert isinstance(error.value, RestartedError) is (number < MOST_IN_A_ROW - 1)
            await session.ready()
        with pytest.raises(DeviceError, match="5 times in a row"):
            await session.call(lambda agent: agent.holder())


async def test_after_a_restart_what_is_in_the_store_is_looked_at_once(
    phone: Phone, reach: Reach, tmp_path: Path
):
    (tmp_path / "model").write_bytes(b"m" * 5000)
    artifact = artifact_of(tmp_path / "model")
    async with reach.session(reconnect_s=60) as session:
        await session.call(lambda agent: agent.upload(artifact, lambda _: None))
        stored = phone.stored(artifact.sha256)
        stored.chmod(0o755)
        stored.write_bytes(b"")
        assert await session.missing([artifact]) == ()  # as long as the device runs nothing is damaged
        restart(reach, "second")
        bob = phone.talk_with({"/proc/sys/kernel/random/boot_id": str(phone.folder / "second")})
        bob("release", bob("lease", "bob", 600)[0])  # and the next lease does not tell of the restart
        with pytest.raises(RestartedError):
            await session.missing([artifact])
        await session.ready()
        (missing,) = await session.missing([artifact])
        assert missing.sha256 == artifact.sha256
        await session.call(lambda agent: agent.upload(artifact, lambda _: None))
        assert await session.missing([artifact]) == ()
    assert "1 files in its store were damaged by a restart and are sent again" in reach.notes


async def test_the_store_is_looked_at_where_the_run_before_was_cut_off(
    phone: Phone, reach: Reach, other_run: subprocess.Popen[bytes], tmp_path: Path
):
    (tmp_path / "model").write_bytes(b"m" * 5000)
    artifact = phone.put(tmp_path / "model")
    hold_as(phone, "bob")
    stored = phone.stored(artifact.sha256)
    stored.chmod(0o755)
    stored.write_bytes(b"")
    restart(reach, "second")
    async with reach.session() as session:
        assert len(await session.missing([artifact])) == 1


@pytest.mark.parametrize("fails", [False, True], ids=["done", "failed"])
async def test_a_limit_that_is_reached_while_the_device_is_given_back_changes_nothing(
    phone: Phone, reach: Reach, fails: bool
):
    phone.change_script("do_release() { # epoch\n", "do_release() { # epoch\n  sleep 1\n")
    own = DeviceError("own", stage=Stage.EXECUTE, fault=Fault.DEVICE, cause="own")
    session = reach.session(device_s=60)
    with pytest.raises(DeviceError, match="own") if fails else contextlib.nullcontext():
        async with session:
            session._whole.reschedule(asyncio.get_running_loop().time() + 0.3)
            if fails:
                raise own
    assert asyncio.current_task().cancelling() == 0
    assert reach.notes == []
    assert phone.talk()("holder") == ()


async def test_a_cancellation_while_the_device_is_given_back_is_raised_when_it_is(phone: Phone, reach: Reach):
    phone.change_script("do_release() { # epoch\n", "do_release() { # epoch\n  sleep 1\n")
    inside = asyncio.Event()

    async def use() -> None:
        async with reach.session(device_s=60):
            inside.set()

    task = asyncio.create_task(use())
    await inside.wait()
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert phone.talk()("holder") == ()


async def test_a_login_that_is_refused_while_the_device_starts_is_tried_again(
    reach: Reach, monkeypatch: pytest.MonkeyPatch
):
    async with reach.session(reconnect_s=60) as session:
        connect, refusals = reach.connect, [1, 2]

        async def refused() -> LocalConnection:
            if refusals:
                refusals.pop()
                raise DeviceError("nologin", stage=Stage.CONNECT, fault=Fault.USER, cause="key-refused")
            return await connect()

        monkeypatch.setattr(reach, "connect", refused)
        end(dict.fromkeys(agents_of(reach.phone.folder), ""))
        assert await session.call(lambda agent: agent.holder()) == "ann"


async def test_an_agent_that_is_lost_as_it_starts_for_the_first_time_is_started_again(reach: Reach):
    class Cut(LocalConnection):
        async def open(self, argv: tuple[str, ...]) -> LocalChannel:
            raise gone("connection-lost")

    first = [Cut(reach.phone)]
    connect = reach.connect
    reach.connect = lambda: asyncio.sleep(0, first.pop()) if first else connect()  # type: ignore[method-assign]
    async with reach.session() as session:
        assert session.epoch


async def test_a_beat_may_stand_behind_the_bytes_of_a_transfer(phone: Phone):
    """On a slow line they share one connection."""
    greets = "echo 'farm-agent 1 1 /x'; read -r id _; "
    moves = f"{greets} echo 1 data 500000; for _ in 1 2 3 4 5 6; do head -c 83334 /dev/zero; sleep 0.4; done; exit; "
    late = f"{greets} sleep 2; echo 1 ok; read -r _; exit; "
    connections = [LocalConnection(phone, noise) for noise in (moves, late)]
    main, pulse = [await connection.start(Deadlines(reply_s=1)) for connection in connections]
    pulse.beside(main)
    reading = asyncio.create_task(main.read("j", "f", 0, 500_000))
    await pulse.beat(1)
    for connection in connections:
        await connection.close()
    with contextlib.suppress(DeviceError):
        await reading


async def test_the_work_on_a_device_has_a_limit_and_gives_the_lease_back(phone: Phone, reach: Reach):
    session = reach.session(device_s=2)
    with pytest.raises(DeviceError, match=r"within 2 s \(deadline device\)") as error:
        async with session:
            await asyncio.sleep(60)
    assert error.value.cause == "device-limit"
    assert phone.talk()("holder") == ()


async def test_a_run_has_a_limit_for_each_of_its_devices(reach: Reach):
    session = reach.session(run_s=9, device_s=60).until(asyncio.get_running_loop().time())
    with pytest.raises(DeviceError, match=r"deadline run\)"):
        async with session:
            await asyncio.sleep(60)


async def test_a_small_job_may_run_often(reach: Reach):
    async with reach.session() as session:
        for word in ("a", "b"):
            assert (
                await run_small(session, JobSpec("say", ("echo", word), 60))
            ).stdout == b"%s\n" % word.encode()


def test_a_name_is_held_once_and_forgotten_long_after_its_end(
    tmp_path: Path, other_run: subprocess.Popen[bytes]
):
    former.hold("ann of this test")
    former.hold("ann of this test")
    assert not former.is_gone("ann of this test")
    assert not former.is_gone("nobody")
    assert not former.is_gone("bob")
    other_run.kill()
    other_run.wait()
    assert former.is_gone("bob")
    (of_bob,) = (path for path in (tmp_path / "cache/holders").iterdir() if path != _path("ann of this test"))
    os.utime(of_bob, (0, 0))
    former.hold("ann of another test")
    assert not of_bob.exists()


def test_without_a_cache_nothing_is_held(tmp_path: Path):
    (tmp_path / "cache").write_text("in the way")
    former.hold("ann without a cache")
    assert not former.is_gone("bob")
