"""`farm devices provision` on machines that are real but for where their changes go."""

from __future__ import annotations

import json
import shlex
import signal
import stat
from dataclasses import replace
from typing import Any, cast

import pytest

from farm.agents import agent_script
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.provision.accounts import change_folder, change_user, check_folder, check_user
from farm.provision.nouns import Aim
from tests.bringup.conftest import Machines, Room
from tests.e2e.conftest import Outcome, until

pytestmark = pytest.mark.sshd

BENCH = {"user": "bench", "workdir": "/srv/farm"}
APT = """echo "$*" >>/var/log/apt-calls
case " $* " in
  *' update '*) touch /var/lib/apt-lists ;;
  *) [ -e /var/lib/apt-lists ] || { echo 'E: Unable to locate package' >&2; exit 100; }
     cp -a /mnt/real/* /usr/bin ;;
esac"""


def first(outcome: Outcome) -> dict[str, Any]:
    """The record of the first device."""
    return cast("list[dict[str, Any]]", outcome.results)[0]


def states(outcome: Outcome) -> dict[str, str]:
    return {one["task"]: one["state"] for one in first(outcome)["tasks"]}


def test_a_bare_machine_is_brought_up_and_found_as_it_should_be_the_second_time(
    machine: Machines, room: Room
) -> None:
    arm = machine(tools={"apt-get": APT}, without=("setsid", "taskset"))
    arm.entry = BENCH
    room.write(arm_1=arm)
    bare = room.provision("arm-1", "--as", "root", "--yes", "--json")
    assert bare.code == 0, bare.stderr
    assert states(bare) == {
        "packages": "changed", "user": "changed", "workdir": "changed", "governor": "not applicable",
    }  # fmt: skip
    calls = arm.path("/var/log/apt-calls").read_text()
    assert calls.count("install -y --no-install-recommends util-linux\n") == 2  # before and after the update
    home = arm.path("/home/bench")
    uid = home.stat().st_uid
    keys = home / ".ssh" / "authorized_keys"
    assert keys.stat().st_uid == uid != 0
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert keys.read_text().split()[:2] == arm.server.identity.with_suffix(".pub").read_text().split()[:2]
    assert arm.path("/srv/farm").stat().st_uid == uid
    before = arm.tree()
    second = room.provision("arm-1", "--as", "root", "--yes", "--json")
    assert second.code == 0, second.stderr
    assert set(states(second).values()) == {"ok", "not applicable"}
    assert arm.tree() == before


def test_a_dry_run_says_what_it_would_do_and_changes_no_file(machine: Machines, room: Room) -> None:
    arm = machine(tools={"apt-get": APT}, without=("setsid",))
    arm.entry = BENCH | {"pin": {"governor": "performance", "how": "sudo"}}
    room.write(arm_1=arm)
    before = arm.tree()
    outcome = room.provision("arm-1", "--as", "root", "--dry-run")
    assert outcome.code == 0, outcome.stderr
    assert outcome.stdout.count("would change") == 3
    for said in (
        "apt-get install util-linux, for setsid",
        "add the user bench",
        "make /srv/farm, once there is",
    ):
        assert said in outcome.stdout
    assert arm.tree() == before


@pytest.mark.long
def test_nothing_is_changed_where_nobody_agrees(machine: Machines, room: Room) -> None:
    arm = machine()
    arm.entry = BENCH
    room.write(arm_1=arm)
    before = arm.tree()
    refused = room.provision("arm-1", "--as", "root", "--task", "user", said="n\n")
    assert (refused.code, "nothing was changed" in refused.stderr) == (0, True)
    assert room.provision("arm-1", "--as", "root", "--task", "user", said="").code == 130
    assert arm.tree() == before
    agreed = room.provision("arm-1", "--as", "root", "--task", "user", said="y\n")
    assert agreed.code == 0, agreed.stderr
    assert "changed" in agreed.stdout
    assert arm.path("/home/bench").is_dir()


def test_a_key_that_a_user_has_stays_beside_the_new_one(machine: Machines, room: Room) -> None:
    arm = machine(
        setup="useradd -m bench && mkdir /home/bench/.ssh && printf %s 'ssh-ed25519 AAAAold me' "
        ">/home/bench/.ssh/authorized_keys && chown -R bench /home/bench/.ssh"
    )
    arm.entry = BENCH
    room.write(arm_1=arm)
    assert room.provision("arm-1", "--as", "root", "--task", "user", "--yes").code == 0
    old, new = arm.path("/home/bench/.ssh/authorized_keys").read_text().splitlines()
    assert (old, new.split()[-1]) == ("ssh-ed25519 AAAAold me", "farm")
    assert [path.name for path in arm.path("/home/bench/.ssh").iterdir()] == ["authorized_keys"]


def test_a_link_that_a_user_has_laid_leads_root_nowhere(machine: Machines, room: Room) -> None:
    arm = machine(
        setup="useradd -m bench && echo kept >/srv/secret && chmod 600 /srv/secret && mkdir /home/bench/.ssh && "
        "ln -s /srv/secret /home/bench/.ssh/authorized_keys && chown -h -R bench /home/bench/.ssh"
    )
    arm.entry = BENCH
    room.write(arm_1=arm)
    outcome = room.provision("arm-1", "--as", "root", "--task", "user", "--yes", "--json")
    assert (outcome.code, states(outcome)) == (3, {"user": "failed"})
    assert arm.path("/srv/secret").read_text() == "kept\n"


CPU = "/sys/devices/system/cpu"
CORES = (
    f"mkdir -p /mnt/cpu/cpu0/cpufreq && for f in scaling_governor scaling_min_freq scaling_max_freq; do "
    f"echo 1 >/mnt/cpu/cpu0/cpufreq/$f; done; mount --bind /mnt/cpu {CPU}"
)
SUDO = """echo "$*" >>/var/log/sudo-calls
[ "$1" = -S ] || { echo 'sudo: a password is required' >&2; exit 1; }
prompt=$3; shift 3
printf %s "$prompt" >&2; read -r word
[ "$word" = secret-word ] || { echo 'Sorry, try again.' >&2; printf %s "$prompt" >&2; exit 1; }
PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@" """
ID = '[ "$*" != -u ] || { echo 1000; exit; }; exec /usr/bin/id "$@"'


def test_a_password_for_sudo_is_asked_once_and_is_in_no_argument_and_no_output(
    machine: Machines, room: Room
) -> None:
    arm = machine(tools={"sudo": SUDO, "id": ID}, setup=f"useradd -m bench; mkdir -p /etc/sudoers.d; {CORES}")
    arm.entry = BENCH | {"pin": {"governor": "performance", "how": "sudo"}}
    room.write(arm_1=arm)
    words = ("arm-1", "--as", "root", "--task", "governor", "--yes", "--json")
    without = room.provision(*words)
    assert (without.code, states(without)) == (3, {"governor": "failed"})
    assert "--ask-sudo-password" in without.stdout
    wrong = room.provision(*words, "--ask-sudo-password", said="other-word\n")
    assert wrong.code == 3
    assert "does not accept the password" in first(wrong)["error"]
    right = room.provision(*words, "--ask-sudo-password", said="secret-word\n")
    assert (right.code, states(right)) == (0, {"governor": "changed"}), right.stderr
    for text in (arm.path("/var/log/sudo-calls").read_text(), *(str(one) for one in (without, wrong, right))):
        assert "secret-word" not in text
        assert "other-word" not in text


def test_a_device_that_somebody_holds_is_not_touched_and_it_is_said_who(
    machine: Machines, room: Room
) -> None:
    arm = machine()
    arm.entry = {"workdir": "/srv/farm"}
    room.write(arm_1=arm)
    arm.path("/srv/agent.sh").write_bytes(agent_script().content)
    said = arm.sh("printf '1 lease ann@lab%%20pid%%207%%20bench 600\\n' | sh /srv/agent.sh serve /srv/farm")
    assert "\n1 ok " in said
    before = arm.tree()
    for words in (("--dry-run",), ("--yes",)):
        outcome = room.provision("arm-1", "--json", *words)
        assert outcome.code == 3
        assert first(outcome)["error"] == "held by ann@lab pid 7 bench"
        assert first(outcome)["stage"] == "lease"
    assert arm.tree() == before
    arm.sh("printf '1 release 1000000001\\n' | sh /srv/agent.sh serve /srv/farm")
    assert states(room.provision("arm-1", "--json", "--dry-run", "--task", "workdir")) == {"workdir": "ok"}


def test_one_device_that_cannot_be_reached_stops_no_other(machine: Machines, room: Room) -> None:
    arm, gone, changed = machine("arm-1"), machine("gone"), machine("changed")
    for one in (arm, gone, changed):
        one.entry = BENCH
    room.write(arm_1=arm, gone=gone, changed=changed)
    gone.server.kill()
    pins = (room.folder / "known_hosts").read_text().splitlines()
    pins[2] = pins[2].split()[0] + " " + " ".join(pins[0].split()[1:])
    (room.folder / "known_hosts").write_text("\n".join(pins) + "\n")
    outcome = room.provision("all", "--as", "root", "--task", "user", "--yes", "--json")
    assert outcome.code == 3
    by_name = {one["device"]: one for one in cast("list[dict[str, Any]]", outcome.results)}
    assert by_name["arm-1"]["tasks"][0]["state"] == "changed"
    assert "cannot reach" in by_name["gone"]["error"] or "refused" in by_name["gone"]["error"]
    assert "not the pinned one" in by_name["changed"]["error"]
    assert by_name["changed"]["hint"] == "farm devices trust changed --replace"


def test_an_unknown_host_key_is_refused_and_never_recorded(machine: Machines, room: Room) -> None:
    arm = machine()
    room.write(arm_1=arm, trusted=False)
    outcome = room.provision("arm-1", "--yes", "--json")
    assert outcome.code == 3
    assert first(outcome)["hint"] == "farm devices trust arm-1"
    assert (room.folder / "known_hosts").read_text() == ""
    assert not (room.folder / "home" / ".ssh").exists()


@pytest.mark.parametrize("how", ["sudo", "direct"])
def test_the_right_to_set_a_governor_is_for_its_files_alone(machine: Machines, room: Room, how: str) -> None:
    arm = machine(setup=f"useradd -m bench; mkdir -p /etc/sudoers.d /etc/udev/rules.d; {CORES}")
    arm.entry = BENCH | {"pin": {"governor": "performance", "how": how}}
    room.write(arm_1=arm)
    words = ("arm-1", "--as", "root", "--task", "governor", "--yes", "--json")
    done = room.provision(*words)
    assert (done.code, states(done)) == (0, {"governor": "changed"}), done.stderr + done.stdout
    rules = arm.path("/etc/sudoers.d/farm-bench")
    if how == "sudo":
        assert stat.S_IMODE(rules.stat().st_mode) == 0o440
        lines = [line for line in rules.read_text().splitlines() if not line.startswith("#")]
        assert all("*" not in line and line.startswith("bench ALL=(root) NOPASSWD: /") for line in lines)
        assert f"bench ALL=(root) NOPASSWD: /usr/bin/tee {CPU}/cpu[0-9]/cpufreq/scaling_governor" in lines
    else:
        assert not rules.exists()
        bench = arm.path("/home/bench").stat().st_uid
        assert arm.path(f"{CPU}/cpu0/cpufreq/scaling_governor").stat().st_uid == bench
        assert "chown bench" in arm.path("/etc/udev/rules.d/99-farm-cpufreq.rules").read_text()
    assert states(room.provision(*words)) == {"governor": "ok"}


def test_a_folder_on_a_full_disk_is_told_with_a_disk_that_has_room(machine: Machines, room: Room) -> None:
    arm = machine(
        setup="mkdir -p /srv/small && mount -t tmpfs -o size=4m none /srv/small && head -c 3900000 /dev/zero >/srv/small/full"
    )
    arm.entry = {"workdir": "/srv/small/farm"}
    room.write(arm_1=arm)
    outcome = room.provision("arm-1", "--task", "workdir", "--yes", "--json")
    assert (outcome.code, states(outcome)) == (3, {"workdir": "failed"})
    assert "MB are free for /srv/small/farm" in first(outcome)["tasks"][0]["why"]


def test_what_a_hostile_device_says_is_shown_in_plain_characters_and_ends(
    machine: Machines, room: Room
) -> None:
    arm = machine(
        tools={"apt-get": ":", "id": "printf '\\033]0;evil\\007\\n' >&2; exec /usr/bin/id \"$@\""},
        without=("taskset",),
    )
    arm.entry = {"workdir": "/srv/farm"}
    room.write(arm_1=arm)
    outcome = room.provision("arm-1", "--task", "packages", "--yes")
    assert outcome.code == 3
    assert "done, but not as it should be: apt-get install util-linux, for taskset" in outcome.stdout
    assert "\033" not in outcome.stdout + outcome.stderr
    loud = machine("loud", tools={"id": "yes"})
    room.write(loud=loud)
    outcome = room.provision("loud", "--dry-run", "--json")
    assert "sent more than was asked for" in first(outcome)["error"]


def test_a_step_that_does_not_end_is_cut_at_its_deadline(machine: Machines, room: Room) -> None:
    arm = machine(tools={"id": "exec sleep 617"})
    room.write(arm_1=arm)
    outcome = room.provision("arm-1", "--dry-run", "--json", "--deadline", "provision=2")
    assert outcome.code == 3
    assert "did not end within 2 s (deadline provision)" in first(outcome)["error"]
    assert "--deadline provision=" in first(outcome)["hint"]


def test_a_machine_without_a_known_package_manager_says_so(machine: Machines, room: Room) -> None:
    arm = machine(without=("apt-get", "taskset"))
    room.write(arm_1=arm)
    outcome = room.provision("arm-1", "--task", "packages", "--json", "--yes")
    assert (outcome.code, states(outcome)) == (3, {"packages": "failed"})
    assert first(outcome)["tasks"][0]["why"].startswith("none of apt-get, apk, dnf, opkg is there")
    assert json.dumps(outcome.results)


def test_a_task_that_is_misspelt_is_answered_with_the_nearest(room: Room) -> None:
    outcome = room.provision("local", "--task", "packges")
    assert outcome.code == 2


def test_an_interruption_lets_no_further_step_begin_and_leaves_the_device_free(
    machine: Machines, room: Room
) -> None:
    """In the middle of `packages`, which has its time to end."""
    apt = "touch /var/log/began; until [ -e /var/log/go ]; do sleep 0.1; done; " + APT.replace(
        "[ -e /var/lib/apt-lists ]", ":"
    )
    arm = machine(tools={"apt-get": apt}, without=("taskset",))
    arm.entry = {"workdir": "/srv/farm"}
    room.write(arm_1=arm)
    process = room.farm.start("devices", "provision", "arm-1", "--yes", "-i", str(room.inventory))
    until(arm.path("/var/log/began").exists, "the installation")
    process.send_signal(signal.SIGINT)
    arm.path("/var/log/go").touch()
    outcome = room.farm.end(process)
    assert outcome.code == 130
    assert "interrupted" in outcome.stderr
    assert "workdir:" not in outcome.stderr
    assert arm.path("/usr/bin/taskset").exists()
    checked = room.farm("devices", "check", "arm-1", "-i", str(room.inventory), "--json")
    assert first(checked)["holder"] is None


@pytest.mark.long
def test_an_interrupted_look_ends_on_the_device_too(machine: Machines, room: Room) -> None:
    arm = machine(tools={"id": "touch /var/log/began; sleep 617"})
    room.write(arm_1=arm)
    process = room.farm.start(
        "devices", "provision", "arm-1", "--dry-run", "-i", str(room.inventory), "--json"
    )
    until(arm.path("/var/log/began").exists, "the look")
    for _ in range(2):
        process.send_signal(signal.SIGINT)
    assert room.farm.end(process).code == 130
    until(lambda: "617" not in arm.sh("ps -o args= -C sleep || true"), "its end")


def test_a_device_behind_a_jump_host_is_reached_with_both_host_keys_checked(
    machine: Machines, room: Room
) -> None:
    arm, gateway = machine("arm-1"), machine("gateway")
    arm.entry = {"workdir": "/srv/farm", "proxy_jump": f"root@127.0.0.1:{gateway.server.port}"}
    room.write(arm_1=arm, gateway=gateway)
    keys = gateway.server.home / ".ssh" / "authorized_keys"  # the device's identity is tried there, too
    keys.write_text(arm.server.identity.with_suffix(".pub").read_text())
    words = ("arm-1", "--task", "workdir", "--yes", "--json")
    outcome = room.provision(*words)
    assert (outcome.code, states(outcome)) == (0, {"workdir": "changed"}), outcome.stderr + outcome.stdout
    pins = (room.folder / "known_hosts").read_text().splitlines()
    (room.folder / "known_hosts").write_text(pins[0] + "\n")
    outcome = room.provision(*words)
    assert outcome.code == 3
    assert f"unknown host key of root@127.0.0.1:{gateway.server.port}" in first(outcome)["error"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ProxyCommand nc %h %p", "ProxyCommand"),
        ("BindAddress 127.0.0.1", "BindAddress"),
        ("IdentityAgent /tmp/agent", "IdentityAgent"),
        ("MACs hmac-sha2-256", "MACs"),
        ("KexAlgorithms curve25519-sha256", "KexAlgorithms"),
    ],
)
def test_what_fabric_cannot_follow_is_refused_by_name(
    machine: Machines, room: Room, line: str, says: str
) -> None:
    arm = machine()
    arm.entry = {"identity": []}  # with one no agent is asked
    room.write(arm_1=arm)
    ssh = room.folder / "home" / ".ssh"
    ssh.mkdir()
    (ssh / "config").write_text(f"Host *\n  {line}\n")
    outcome = room.provision("arm-1", "--dry-run", "--json")
    assert outcome.code == 3
    assert f"cannot follow {says}" in first(outcome)["error"]


def test_a_file_of_fabric_and_its_environment_take_no_part(machine: Machines, room: Room) -> None:
    arm = machine()
    arm.entry = {"workdir": "/srv/farm"}
    room.write(arm_1=arm)
    (room.folder / "home" / ".fabric.yaml").write_text(
        "user: nobody\nsudo: {password: x}\nrun: {dry: true}\n"
    )
    room.farm.environment |= {"FABRIC_RUN_DRY": "1", "FABRIC_PORT": "1"}
    outcome = room.provision("arm-1", "--task", "workdir", "--yes", "--json")
    assert (outcome.code, states(outcome)) == (0, {"workdir": "changed"}), outcome.stderr


def test_a_user_without_root_makes_a_folder_of_its_own_and_lets_in_a_key_and_no_other_user(
    machine: Machines,
) -> None:
    """The scripts by themselves: the servers of tests let in root alone."""
    arm = machine(setup="useradd -m bench; useradd -m bxnch")
    device = Device("arm-1", Address("arm-1"), Runtime(RuntimeKind.NATIVE), workdir="~/it's mine/farm")
    aim = Aim(device, "bench", ("ssh-ed25519 AAAA",))
    for check, change in ((check_user, change_user), (check_folder, change_folder)):
        assert "farm: change" in arm.as_user("bench", check(aim))
        arm.as_user("bench", change(aim))
        assert arm.as_user("bench", check(aim)) == "farm: ok\n"
    assert arm.path("/home/bench/it's mine/farm").is_dir()
    assert arm.path("/home/bench/.ssh/authorized_keys").read_text() == "ssh-ed25519 AAAA farm\n"
    for user in ("b.nch", "0"):  # as patterns or numbers they would be others
        assert "farm: change add the user" in arm.sh(shlex.join(check_user(replace(aim, user=user))))


def test_a_health_check_names_the_task_that_mends_what_it_found(machine: Machines, room: Room) -> None:
    bare, odd, strange = (
        machine("bare", without=("setsid",)),
        machine("odd", setup=CORES),
        machine("strange"),
    )
    bare.entry, strange.entry = {"workdir": "/srv/farm"}, {"user": "bench"}
    odd.entry = {"workdir": "/srv/farm", "pin": {"governor": "performance", "how": "sudo"}}
    room.write(bare=bare, odd=odd, strange=strange)
    outcome = room.farm("devices", "check", "-i", str(room.inventory), "--json")
    found = {
        one["device"]: {finding["rule"] for finding in one["findings"]}
        for one in cast("list[dict[str, Any]]", outcome.results)
    }
    assert {"bare": "tools", "odd": "governor", "strange": "key-refused"}.items() <= {
        (name, rule) for name, rules in found.items() for rule in rules
    }
    told = room.farm("devices", "check", "-i", str(room.inventory)).stderr
    command = f"farm devices provision --inventory {room.inventory}"
    assert f"{command} bare --task packages\n" in told
    assert f"{command} odd --task governor\n" in told
    assert f"{command} strange --task user --as USER" in told
