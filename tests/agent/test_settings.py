"""Settings of a device that the agent changes: restored in every case, once, by whoever is left."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agent.shells import Phone, Refused, Talk, alive, running, until
from tests.agent.test_lease import beats_stop

CPU = "devices/system/cpu"
GOVERNOR = f"{CPU}/cpu0/cpufreq/scaling_governor"
LOW, HIGH = f"{CPU}/cpu0/cpufreq/scaling_min_freq", f"{CPU}/cpu0/cpufreq/scaling_max_freq"
BEFORE = {GOVERNOR: "schedutil", LOW: "700000", HIGH: "1800000", f"{CPU}/cpufreq/boost": "1"}
PIN = (GOVERNOR, "performance", LOW, "600000", HIGH, "1200000", LOW, "1200000")


class Board:
    """A device with a /sys of its own."""

    def __init__(self, phone: Phone) -> None:
        self.phone = phone
        self.root = phone.folder / "sys"
        for name, text in BEFORE.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(f"{text}\n")

    def talk(self) -> Talk:
        environment = self.phone.environment | {"FARM_SYS": str(self.root)}
        return self.phone.talk_to(self.phone.popen("serve", self.phone.workdir, environment=environment))

    def now(self) -> dict[str, str]:
        return {name: (self.root / name).read_text().strip() for name in BEFORE}

    def is_restored(self) -> bool:
        return self.now() == BEFORE and not (self.phone.workdir / "settings").exists()

    def kill(self, *roles: str) -> None:
        """All processes of the agent in these roles, with kill -9."""
        for role in roles:
            for pid, command in running(str(self.phone.workdir)):
                if f"\0{role}\0" in command:
                    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def board(phone: Phone) -> Iterator[Board]:
    phone.change_script("PAUSE_OF_GUARD_S=5", "PAUSE_OF_GUARD_S=0.1")
    board = Board(phone)
    yield board
    board.kill("guard")  # of a test that failed


def test_settings_are_restored_when_the_lease_is_given_back(board: Board) -> None:
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    assert agent("set", epoch, "direct", *PIN) == ()
    assert board.now() == BEFORE | {GOVERNOR: "performance", LOW: "1200000", HIGH: "1200000"}
    assert agent("set", epoch, "direct", f"{CPU}/cpufreq/boost", "0") == ()
    agent("release", epoch)
    assert board.is_restored()
    until(lambda: not board.phone.processes())


def test_settings_are_restored_on_demand_in_reverse_order(board: Board) -> None:
    """As the kernel wants it: a lower limit above the upper one is refused."""
    written = board.phone.folder / "written"
    tee = 'read -r value; echo "$value" >"$1"; echo "${1##*/} $value" >>' + str(written)
    board.phone.replace_tool("tee", tee)
    board.phone.replace_tool("sudo", '[ "$1" = -n ] && shift && exec "$@"')
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    assert agent("set", epoch, "sudo", *PIN) == ()
    assert agent("unset", epoch) == ()
    assert board.is_restored()
    lines = written.read_text().splitlines()
    assert lines[:2] == ["scaling_governor performance", "scaling_min_freq 600000"]
    assert lines[2:4] == ["scaling_max_freq 1200000", "scaling_min_freq 1200000"]
    assert lines[4:6] == ["scaling_min_freq 600000", "scaling_max_freq 1800000"]
    assert lines[6:] == ["scaling_min_freq 700000", "scaling_governor schedutil"]
    agent("release", epoch)


def test_a_device_whose_settings_are_as_wanted_is_left_alone(board: Board) -> None:
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    assert agent("set", epoch, "direct", GOVERNOR, "schedutil") == ()
    assert not (board.phone.workdir / "settings").exists()
    assert not board.phone.processes()
    agent("release", epoch)


@pytest.mark.parametrize("survivor", ["guard", "watch"])
def test_settings_are_restored_when_all_but_one_process_was_killed(board: Board, survivor: str) -> None:
    agent = board.talk()
    epoch = int(agent("lease", "me", 600)[0])
    agent("set", epoch, "direct", *PIN)
    agent.start(epoch, "j", "sleep", "300")
    supervisor = (board.phone.workdir / "spool/j/pid").read_text().split()[0]
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children")
    until(lambda: len(children.read_text().split()) == 2)  # the program, and then the watch
    board.kill("serve")
    if survivor == "guard":
        board.kill("supervise")
    else:
        board.kill("guard")
        os.kill(int(supervisor), signal.SIGKILL)
    agent.process.wait()
    agent.leave()
    assert board.now()[GOVERNOR] == "performance"
    beats_stop(board.phone, epoch)
    until(board.is_restored)
    again = board.talk()
    again("drop", "j") if again("poll", "j")[0] == "exited" else again("kill", "j")


def test_settings_are_restored_by_the_next_agent_where_no_process_is_left(board: Board) -> None:
    agent = board.talk()
    epoch = int(agent("lease", "me", 600)[0])
    agent("set", epoch, "direct", *PIN)
    board.kill("guard", "serve")
    agent.process.wait()
    beats_stop(board.phone, epoch)
    board.talk()("holder")
    assert board.is_restored()


def test_a_restoration_that_was_cut_short_is_done_by_the_next(board: Board) -> None:
    agent = board.talk()
    epoch = int(agent("lease", "me", 600)[0])
    agent("set", epoch, "direct", *PIN)
    board.kill("guard", "serve")
    agent.process.wait()
    settings = board.phone.workdir / "settings"
    (settings / str(epoch)).rename(settings / f"busy.{epoch}.{agent.process.pid}.1")
    (board.root / LOW).write_text("600000\n")  # so far it came
    beats_stop(board.phone, epoch)
    board.talk()("holder")
    assert board.is_restored()


def test_a_restoration_that_goes_on_is_waited_for(board: Board) -> None:
    agent = board.talk()
    epoch = int(agent("lease", "me", 600)[0])
    agent("set", epoch, "direct", *PIN)
    board.kill("guard", "serve")
    agent.process.wait()
    beats_stop(board.phone, epoch)
    settings = board.phone.workdir / "settings"
    with subprocess.Popen(("sleep", "300")) as other:
        born = Path(f"/proc/{other.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        (settings / str(epoch)).rename(settings / f"busy.{epoch}.{other.pid}.{born}")
        asking = threading.Thread(target=board.talk(), args=("holder",))
        asking.start()
        time.sleep(0.5)
        assert board.now()[GOVERNOR] == "performance"
        other.kill()
    asking.join()
    assert board.is_restored()


def test_who_takes_the_device_over_finds_it_restored_and_its_own_settings_stay(board: Board) -> None:
    agent = board.talk()
    epoch = int(agent("lease", "me", 600)[0])
    agent("set", epoch, "direct", *PIN)
    other = board.talk()
    taken = other("lease", "bob", 600, epoch)[0]
    assert board.is_restored()
    other("set", taken, "direct", GOVERNOR, "powersave")
    with pytest.raises(Refused, match="stale"):
        agent("set", epoch, "direct", *PIN)
    with pytest.raises(Refused, match="stale"):
        agent("unset", epoch)
    assert board.now() == BEFORE | {GOVERNOR: "powersave"}
    other("release", taken)
    assert board.is_restored()


def test_a_restarted_device_has_forgotten_its_settings(board: Board) -> None:
    """What it has now is its own, and stays."""
    agent = board.talk()
    epoch = int(agent("lease", "me", 600)[0])
    agent("set", epoch, "direct", *PIN)
    board.kill("guard", "serve")
    agent.process.wait()
    journal = board.phone.workdir / "settings" / str(epoch)
    first, *lines = journal.read_text().splitlines()
    journal.write_text("\n".join((f"another-boot {first.split(' ', 1)[1]}", *lines)) + "\n")
    beats_stop(board.phone, epoch)
    board.talk()("holder")
    assert board.now()[GOVERNOR] == "performance"
    assert not journal.parent.exists()


def test_a_setting_that_is_refused_is_told_and_the_rest_is_set(board: Board) -> None:
    missing = f"{CPU}/cpu7/cpufreq/scaling_governor"
    (board.root / HIGH).unlink()
    (board.root / HIGH).mkdir()
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    told = agent("set", epoch, "direct", HIGH, "1200000", missing, "performance", GOVERNOR, "performance")
    assert told == (
        HIGH,
        "1200000",
        "it cannot be read",
        missing,
        "performance",
        "the kernel does not have it",
    )
    assert (board.root / GOVERNOR).read_text() == "performance\n"
    agent("release", epoch)
    assert (board.root / GOVERNOR).read_text() == "schedutil\n"


def test_without_rights_nothing_is_set_and_nothing_is_left_behind(board: Board) -> None:
    board.phone.replace_tool("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    for folder in (board.root, *board.root.rglob("*")):
        folder.chmod(0o755 if folder.is_dir() else 0o444)
    if os.geteuid() == 0:
        for name in BEFORE:
            (board.root / name).chmod(0o444)
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    assert agent("set", epoch, "sudo", GOVERNOR, "performance") == (
        GOVERNOR, "performance", "sudo: a password is required",
    )  # fmt: skip
    assert not (board.phone.workdir / "settings").exists()
    until(lambda: not board.phone.processes())
    agent("release", epoch)


def test_what_cannot_be_restored_is_told_until_it_can(board: Board) -> None:
    agent = board.talk()
    epoch = agent("lease", "bob's run: 7", 600)[0]
    agent("set", epoch, "direct", GOVERNOR, "performance", f"{CPU}/cpufreq/boost", "0")
    (board.root / GOVERNOR).unlink()
    agent("release", epoch)
    left = ("bob's run: 7", GOVERNOR, "schedutil", "the kernel does not have it")
    assert agent("settings") == left
    assert (board.root / f"{CPU}/cpufreq/boost").read_text() == "1\n"
    (board.root / GOVERNOR).write_text("performance\n")
    assert board.talk()("settings") == ()
    assert board.is_restored()


def test_nothing_but_frequencies_and_governors_can_be_set(board: Board) -> None:
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    for words in (
        ("class/thermal/thermal_zone0/mode", "disabled"),
        (f"{CPU}/cpu0/online", "0"),
        (f"{CPU}/cpu0/../cpu0/cpufreq/scaling_governor", "performance"),
        (f"{CPU}/cpu0/cpufreq/../scaling_governor", "performance"),
        (GOVERNOR, "performance x"),
        (GOVERNOR, ""),
        (GOVERNOR, "-n"),
        (GOVERNOR,),
        ("/" + GOVERNOR, "performance"),
    ):
        with pytest.raises(Refused, match="usage"):
            agent("set", epoch, "direct", *words)
    assert board.now() == BEFORE
    agent("release", epoch)


def test_a_guard_ends_with_the_settings_that_it_guards(board: Board) -> None:
    agent = board.talk()
    epoch = agent("lease", "me", 600)[0]
    agent("set", epoch, "direct", *PIN)
    guard = int((board.phone.workdir / f"settings/guard.{epoch}").read_text().split()[0])
    assert alive(guard)
    agent("unset", epoch)
    until(lambda: not alive(guard))
    agent("release", epoch)


@pytest.mark.parametrize(
    ("script", "why"),
    [("exit 0", None), ("echo a password is required >&2; exit 1", "a password is required")],
)
def test_what_the_user_may_not_change_is_told_and_nothing_is_changed(
    board: Board, script: str, why: str | None
) -> None:
    boost = f"{CPU}/cpufreq/boost"
    (board.root / GOVERNOR).chmod(0o444)
    (board.root / boost).unlink()
    asked = f"-n -l tee {board.root / LOW}"
    board.phone.replace_tool("sudo", f'[ "$*" = "{asked}" ] || exit 2; {script}')
    agent = board.talk()
    told = agent("may", "direct", LOW, GOVERNOR, boost)
    assert tuple(told[-2:]) == (boost, "the kernel does not have it")
    assert (GOVERNOR in told) == (os.geteuid() != 0)  # root may write what nobody may
    assert LOW not in told
    assert tuple(agent("may", "sudo", LOW)) == ((LOW, why) if why else ())
    for words in (("may", "magic", LOW), ("may", "direct", "../etc/passwd"), ("may", "direct")):
        with pytest.raises(Refused, match="usage"):
            agent(*words)
    assert not (board.phone.workdir / "settings").exists()


@pytest.mark.parametrize("script", [None, "exit 1"])
def test_the_clock_is_told_where_there_is_one(board: Board, script: str | None) -> None:
    if script:
        board.phone.replace_tool("date", script)
    before_s = int(time.time())
    (told,) = board.talk()("date")
    assert told == "" if script else before_s <= int(told) <= time.time()
