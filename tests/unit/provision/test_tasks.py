"""The table of tasks: what it promises of itself, and how answers of devices are read."""

from __future__ import annotations

import re
import subprocess

import pytest

from farm.agents import agent_script
from farm.errors import RequestError
from farm.inventory.devices import USER
from farm.model.device import Address, Device, Pin, Runtime, RuntimeKind
from farm.provision import governor
from farm.provision.answers import read_answer
from farm.provision.nouns import Aim, State
from farm.provision.packages import MANAGERS, NEEDED, tools_for
from farm.provision.tasks import TASKS, task_that_mends, tasks_named

AGENT = agent_script().content.decode()
DEVICE = Device("arm-1", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL), pin=Pin("performance", how="sudo"))
AIM = Aim(DEVICE, "bench", ("ssh-ed25519 AAAA",))


def test_the_tools_that_are_installed_are_those_that_the_agent_asks_for() -> None:
    found = re.search(r"^TOOLS='(.*)'$", AGENT, re.MULTILINE)
    assert found is not None
    assert tuple(found[1].split()) == NEEDED


@pytest.mark.parametrize("manager", MANAGERS)
def test_each_manager_has_a_package_for_every_tool(manager: str) -> None:
    assert set(tools_for(AIM)) <= MANAGERS[manager][1].keys()


def test_what_may_be_written_by_sudo_is_what_the_agent_writes_and_no_pattern_that_matches_a_blank() -> None:
    text = AGENT
    for name in (*governor.PER_CORE, *governor.WHOLE):
        assert name in text
    assert "*" not in governor.sudoers("bench")
    assert governor.sudoers("bench").count("\n") == 1 + 2 * (3 * 3 + 2)


@pytest.mark.parametrize("user", ["root x", "a%b", "ALL", "bench,ann", "$(id)"])
def test_a_user_whose_name_would_mean_something_else_in_a_rule_gets_none(user: str) -> None:
    assert governor.excuse(Aim(DEVICE, user)) is not None


def test_each_finding_has_one_task_and_each_task_a_finding() -> None:
    findings = [finding for task in TASKS for finding in task.mends]
    assert len(findings) == len(set(findings))
    assert all(task.mends for task in TASKS)
    assert task_that_mends("no-tool") == "packages"
    assert task_that_mends("unreachable") is None


def test_tasks_are_chosen_by_name_in_the_order_of_the_table() -> None:
    assert [task.name for task in tasks_named(("workdir", "user"))] == ["user", "workdir"]
    with pytest.raises(RequestError) as caught:
        tasks_named(("wrokdir",))
    assert "did you mean workdir" in caught.value.message


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_every_script_can_be_read_by_a_shell(task, shell: str) -> None:
    for argv in (task.check(AIM), task.change(AIM)):
        assert argv[:2] == ("sh", "-c")
        done = subprocess.run([shell, "-n", "-c", argv[2]], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("Welcome!\nfarm: ok\n", State.OK),
        ("farm: ok\nfarm: change make it\n", State.WOULD_CHANGE),
        ("farm: change make it\nfarm: cannot be\n", State.FAILED),
        ("farm: none here\n", State.NOT_APPLICABLE),
        ("", State.FAILED),
        ("farm: \n", State.FAILED),
        ("ok\n", State.FAILED),
        ("farm: change \x1b[2J\n" * 1000, State.WOULD_CHANGE),
    ],
)
def test_an_answer_is_one_state_and_never_more_than_can_be_shown(answer: str, state: State) -> None:
    outcome = read_answer("user", answer, 0, "")
    assert outcome.state is state
    assert len(outcome.changes) <= 40
    assert all("\x1b" not in text for text in outcome.changes)


def test_a_check_that_failed_says_what_it_complained_of() -> None:
    outcome = read_answer("user", "farm: ok\n", 127, "one\nsh: \x1b[2J not found\n")
    assert outcome.state is State.FAILED
    assert outcome.why == "its check failed: sh: <U+001B>[2J not found (exit code 127)"


def test_every_user_that_an_inventory_takes_is_one_argument_of_a_script() -> None:
    assert USER.fullmatch("a$(reboot)")  # so nothing may put a name into the text of a script
    for task in TASKS:
        for argv in (task.check(Aim(DEVICE, "a$(reboot)")), task.change(Aim(DEVICE, "a$(reboot)"))):
            assert "reboot" not in argv[2]
