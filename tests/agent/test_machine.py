"""The lock of a machine: who uses one of its workdirs keeps out who uses another."""

from __future__ import annotations

import os
import platform
import shutil
import threading
from pathlib import Path

import pytest

from farm.device import wire
from farm.logs.processes import Supervised, parse_supervised
from tests.agent.shells import Phone, Refused, Talk, refused, until
from tests.elves import AARCH64, X86_64, elf, program

SLEEP = "/bin/sleep"


@pytest.fixture
def shared(phone: Phone) -> Path:
    """A folder like /tmp, in which `phone` meets others."""
    folder = phone.folder / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    phone.settings["FARM_SHARED"] = str(folder)
    return folder


def another(phone: Phone, name: str = "another user") -> Phone:
    """A workdir of its own on the same machine."""
    folder = phone.folder / name
    folder.mkdir()
    return Phone(folder, phone.path, phone.shell, settings=phone.settings)


def leave_all(*phones: Phone) -> None:
    for one in phones:
        for talk in one.talks:
            talk.leave()


def is_alone(reply: tuple[str, ...]) -> bool:
    return "alone" in reply


def uptime() -> int:
    return int(float(Path("/proc/uptime").read_text().split()[0]))


def beats_stop(shared: Path, seconds: int = 1000) -> None:
    """The last beat of who has the machine was so long ago."""
    (beat,) = shared.glob("farm-machine/room.*/beat")
    beat.write_text(f"{int(beat.read_text()) - seconds}\n")


def test_a_machine_has_one_holder_who_is_named_in_other_workdirs(phone: Phone, agent: Talk, shared: Path):
    mine, other = phone.talk(), another(phone)
    epoch, *words = mine("lease", "nightly of ann", 60)
    assert "alone" in words
    talk = other.talk()
    refusal = refused(talk, "lease", "bob", 60)
    assert refusal.code == "held-elsewhere"
    assert refusal.fields[0] == "nightly of ann"
    assert (refusal.fields[2], refusal.fields[3]) == ("60", "0")
    assert refusal.fields[5] == str(phone.workdir)
    assert talk("holder") == ()  # its own workdir is free
    mine("release", epoch)
    assert is_alone(talk("lease", "bob", 60))
    assert refused(mine, "lease", "nightly of ann", 60).fields[0] == "bob"
    leave_all(other)


def test_of_many_workdirs_that_want_a_machine_at_once_one_gets_it(phone: Phone, shared: Path):
    others = [another(phone, f"home {number}") for number in range(4)]
    talks = [one.talk() for one in others]
    for _ in range(5):
        got: dict[int, wire.Reply] = {}
        barrier = threading.Barrier(len(talks))

        def want(number: int, got: dict[int, wire.Reply] = got, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            got[number] = talks[number].send(b"7 lease me 60\n")[0]

        threads = [threading.Thread(target=want, args=(number,)) for number in range(len(talks))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        winners = [number for number, reply in got.items() if reply.status is wire.Status.OK]
        assert len(winners) == 1, got
        assert {reply.code for reply in got.values()} == {"", "held-elsewhere"}
        talks[winners[0]]("release", got[winners[0]].fields[0])
    leave_all(*others)


def test_beats_keep_the_machine_and_without_them_it_is_free(phone: Phone, shared: Path):
    mine, other = phone.talk(), another(phone)
    epoch = mine("lease", "ann", 60)[0]
    talk = other.talk()
    beats_stop(shared, 65)  # there may be something left of what ran under it
    assert refused(talk, "lease", "bob", 60).code == "held-elsewhere"
    beats_stop(shared)
    mine("beat", epoch)
    assert refused(talk, "lease", "bob", 60).code == "held-elsewhere"
    beats_stop(shared)
    assert is_alone(talk("lease", "bob", 60))
    assert len(list(shared.glob("farm-machine/room.*"))) == 1
    talk("release", talk("holder")[3])
    assert len(list(shared.glob("farm-machine/*"))) == 1  # that it is free
    leave_all(other)


def test_beats_of_a_lease_without_the_machine_go_into_no_room_that_somebody_made_since(
    phone: Phone, shared: Path
):
    mine = phone.talk()
    mine("release", mine("lease", "ann", 60)[0])
    room, secret = (phone.workdir / "lease" / "machine").readlink(), phone.folder / "secret"
    secret.write_text("mine")
    room.mkdir()
    (room / "beat").symlink_to(secret)
    (shared / "farm-machine" / "1zzz").touch()  # makes the lock useless
    lease = mine("lease", "ann", 60)
    assert not is_alone(lease)
    mine("beat", lease[0])
    assert secret.read_text() == "mine"


FASTER = """
REAL "$@" || exit
case $2,$3 in free,*farm-machine/*) REAL -s "held:1:9:boot:room.1.1.1:bob /home/bob" "${3%??}99" ;; esac
"""


def test_who_gives_the_machine_back_leaves_it_to_who_was_faster(phone: Phone, shared: Path):
    phone.replace_tool("ln", FASTER)
    mine = phone.talk()
    mine("release", mine("lease", "ann", 60)[0])
    assert [path.name for path in sorted(shared.glob("farm-machine/*"))] == ["1000000002", "1000000099"]


NEXT = """
REAL "$@" || exit
case $2,$3 in
  free,lease/* | broken:*,lease/*)
    mkdir SHARED/room.9.9.9 && echo 1000000000 >SHARED/room.9.9.9/beat
    REAL -s "held:1:9:boot:room.9.9.9:bob WORKDIR" SHARED/1000000009 && REAL -sfn SHARED/room.9.9.9 lease/machine ;;
esac
"""


@pytest.mark.parametrize("verb", ["release", "break"])
def test_who_loses_a_workdir_leaves_the_machine_to_its_next_holder(phone: Phone, shared: Path, verb: str):
    folder = shared / "farm-machine"
    phone.replace_tool("ln", NEXT.replace("SHARED", f"'{folder}'"))
    mine = phone.talk()
    epoch = mine("lease", "ann", 60)[0]
    (mine if verb == "release" else phone.talk())(verb, epoch, *(["root"] if verb == "break" else []))
    assert (phone.workdir / "lease" / "machine").resolve() == folder / "room.9.9.9"
    assert (folder / "room.9.9.9" / "beat").exists()
    assert max(path.name for path in folder.glob("1*")) == "1000000009"


def test_the_next_lease_of_a_workdir_has_its_machine(phone: Phone, shared: Path):
    mine, other = phone.talk(), another(phone)
    epoch = mine("lease", "ann", 60)[0]
    assert is_alone(mine("lease", "ann again", 60, epoch))
    talk = other.talk()
    assert refused(talk, "lease", "bob", 60).fields[0] == "ann again"
    mine("break", mine("holder")[3], "root")
    assert is_alone(talk("lease", "bob", 60))
    leave_all(other)


@pytest.mark.parametrize("goes_on", [False, True], ids=["another session", "the same session"])
def test_nothing_of_a_room_is_left_when_the_machine_is_given_back(phone: Phone, shared: Path, goes_on: bool):
    mine = phone.talk()
    epoch = mine("lease", "ann", 60)[0]
    epoch = mine("lease", "ann again", 60, epoch)[0]
    assert len(list(shared.glob("farm-machine/room.*"))) == 1
    (mine if goes_on else phone.talk())("release", epoch)
    assert [path.name for path in shared.glob("farm-machine/*")] == ["1000000003"]
    assert not (phone.workdir / "lease" / "machine").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody without rights")
def test_what_another_user_left_behind_keeps_nobody_out(phone: Phone, shared: Path):
    mine, other = phone.talk(), another(phone)
    mine("lease", "root", 60)
    phone.let_in()
    talk = other.talk_as_nobody()
    assert refused(talk, "lease", "nobody", 60).code == "held-elsewhere"
    beats_stop(shared)
    epoch = talk("lease", "nobody", 60)
    assert is_alone(epoch)
    assert refused(mine, "lease", "root", 60, mine("holder")[3]).fields[0] == "nobody"
    talk("release", epoch[0])
    assert len(list(shared.glob("farm-machine/room.*"))) == 1  # nobody may not remove root's
    epoch = mine("lease", "root", 60, mine("holder")[3])
    mine("release", epoch[0])
    assert len(list(shared.glob("farm-machine/*"))) == 1
    leave_all(other)


def test_a_restart_of_the_device_frees_the_machine(phone: Phone, shared: Path):
    folder = shared / "farm-machine"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "1000000007").symlink_to(f"held:{uptime()}:60:another-boot:room.1.1.1:ann /home/ann")
    mine = phone.talk()
    epoch = mine("lease", "bob", 60)
    assert is_alone(epoch)
    mine("release", epoch[0])
    assert str((folder / "1000000009").readlink()) == "free"
    assert len(list(folder.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_without_a_sticky_folder_there_is_no_lock(phone: Phone, shared: Path, mode: int):
    shared.chmod(mode)
    other = another(phone)
    assert not is_alone(phone.talk()("lease", "ann", 60))
    assert not is_alone(other.talk()("lease", "bob", 60))
    leave_all(other)


def trap(folder: Path, what: str, boot: str) -> None:
    """What a hostile user of the machine can put there."""
    now = uptime()
    room = folder / "room.1.1.1"
    room.mkdir()
    held = f"held:{now}:60:{boot}:room.1.1.1:eve /home/eve"
    match what:
        case "arithmetic":
            (folder / "1000000001").symlink_to(
                f"held:a[$(touch${{IFS}}{folder}/x)]:60:{boot}:room.1.1.1:e /h"
            )
        case "beat":
            (room / "beat").write_text(f"1a[$(touch {folder}/x)]\n")
            (folder / "1000000001").symlink_to(held)
        case "pipe":
            os.mkfifo(room / "beat")
            (folder / "1000000001").symlink_to(held)
        case "name":
            (folder / "1zzz").symlink_to(held)
        case "last number":
            (folder / "1999999999").symlink_to("free")
        case "file":
            (folder / "1999999998").write_text("held")
        case "way out":
            (folder / "1000000001").symlink_to(f"held:{now}:60:{boot}:../../x:eve /home/eve")


@pytest.mark.parametrize("what", ["arithmetic", "beat", "pipe", "name", "last number", "file", "way out"])
def test_traps_of_another_user_hold_nothing_up(phone: Phone, shared: Path, what: str):
    folder = shared / "farm-machine"
    folder.mkdir()
    folder.chmod(0o1777)
    trap(folder, what, Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    mine = phone.talk()
    reply = mine.send(b"7 lease bob 60\n")[0]
    if what in ("beat", "pipe"):  # it looks like somebody who just took it, and counts as long as that
        assert (reply.code, reply.fields[0]) == ("held-elsewhere", "eve")
    else:
        assert reply.status is wire.Status.OK
    assert not (folder / "x").exists()


def test_a_room_that_leads_elsewhere_costs_nothing_there(phone: Phone, shared: Path):
    folder, elsewhere = shared / "farm-machine", phone.folder / "precious"
    for one in (folder, elsewhere, elsewhere / "deep"):
        one.mkdir()
    folder.chmod(0o1777)
    for one in (elsewhere / "beat", elsewhere / "deep" / "file"):
        one.write_text("1000000001\n")
    (folder / "room.1.1.1").symlink_to(elsewhere)
    (folder / "1000000001").symlink_to("held:1:60:another-boot:room.1.1.1:eve /home/eve")
    assert is_alone(phone.talk()("lease", "bob", 60))
    assert sorted(one.name for one in elsewhere.rglob("*")) == ["beat", "deep", "file"]


def test_a_link_in_the_place_of_the_folder_is_not_followed(phone: Phone, shared: Path):
    (shared / "elsewhere").mkdir()
    (shared / "elsewhere").chmod(0o1777)
    (shared / "farm-machine").symlink_to("elsewhere")
    assert not is_alone(phone.talk()("lease", "bob", 60))
    assert not list((shared / "elsewhere").iterdir())


def test_jobs_of_other_workdirs_are_found(phone: Phone):
    other = another(phone, "other")
    talk, mine = other.talk(), phone.talk()
    epoch = int(talk("lease", "bob", 60)[0])
    talk.start(epoch, "r1-tiny-0", shutil.which("sleep") or SLEEP, "60")
    job = Supervised(str(other.workdir), "r1-tiny-0")
    until(lambda: job in parse_supervised(mine.data("others").decode()))
    talk("release", epoch)
    assert job not in parse_supervised(mine.data("others").decode())
    leave_all(other)


def test_who_has_the_machine_is_still_told_of_a_program_for_another_one(
    phone: Phone, agent: Talk, shared: Path, tmp_path: Path
):
    mine = phone.talk()
    epoch, *words = mine("lease", "ann", 60)
    assert "alone" in words
    other = AARCH64 if platform.machine() == "x86_64" else X86_64
    with pytest.raises(Refused) as refusal:
        mine.start(epoch, "j", str(program(tmp_path / "other", elf(other))))
    assert refusal.value.code == "wrong-architecture"
    mine("release", epoch)
