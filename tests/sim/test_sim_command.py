"""`farm sim`: a lab from a file, as a user starts it, works on it and ends it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from farm.cli.sim.child import completed, ended, require_program
from farm.errors import RequestError, RunError
from farm.model.limits.deadlines import Deadlines
from farm.sim.lab.faults import FAULTS
from farm.sim.lab.kinds import KINDS
from farm.sim.oddities import ODDITIES
from farm.sim.server import user_name
from tests.e2e.conftest import Farm, until
from tests.forked import Forked
from tests.session import processes

pytestmark = pytest.mark.sshd

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "sim"
PAGE = ROOT / "docs" / "how-to" / "sim.md"
OTHERS = "gw.lab ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBF\n"

TWO = """\
devices:
  phone: {like: phone, faults: [connection-cut]}
  server: {like: server}
"""


@pytest.fixture
def farm(farm: Farm) -> Farm:
    """With a folder for temporary files of its own: what stays there is seen."""
    (farm.folder / "tmp").mkdir()
    farm.environment["TMPDIR"] = str(farm.folder / "tmp")
    (farm.folder / "lab.yaml").write_text(TWO)
    return farm


def begin(farm: Farm, *words: str) -> Forked:
    """`farm sim up`, when its devices are up."""
    process = farm.start("sim", "up", "lab.yaml", *words)
    until((farm.folder / "lab.inventory.yaml").exists, "the lab")
    until(lambda: "[127.0.0.1]" in read(farm.folder / "known_hosts"), "its host keys")
    return process


def read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def left(farm: Farm) -> list[object]:
    """What the lab left: files but its own and those of `farm` before it, and processes."""
    known = {"home", "cache", "tmp", "lab.yaml", "runs"}
    files = [path for path in farm.folder.iterdir() if path.name not in known]
    return [*files, *(farm.folder / "tmp").iterdir(), *processes(farm.folder / "tmp").values()]


def test_devices_are_checked_and_measured_while_a_lab_is_up_and_ctrl_c_leaves_nothing(farm: Farm) -> None:
    known_hosts = farm.folder / "known_hosts"
    known_hosts.write_text(OTHERS)
    process = begin(farm, "--json")
    assert known_hosts.read_text().startswith(OTHERS)
    lab = ("--inventory", "lab.inventory.yaml")
    checked = farm("devices", "check", *lab, "--json")
    assert [one["error"] for one in json.loads(checked.stdout)] == [None, None], checked.stderr
    outcome = farm("bench", *lab, "--model", "bundled:tiny", "--rounds", "2", "--json")
    assert outcome.code == 0, outcome.stderr
    assert "phone: connected again" in outcome.stderr
    times = {cell["device"]: cell["summary"]["median_ms"] for cell in outcome.results["cells"]}
    assert 11 < times["phone"] < 13 > 2.2 > times["server"] > 1.8
    with known_hosts.open("a") as stream:  # meanwhile, as `farm devices trust` does it
        stream.write(OTHERS.replace("gw", "gw2"))
    ended = farm.interrupt(process, signal.SIGINT)
    assert ended.code == 130
    assert "phone: connection-cut in run 1\n" in ended.stderr
    told = json.loads(ended.stdout)
    assert [(one["name"], one["like"], one["faults"]) for one in told["devices"]] == [
        ("phone", "phone", ["connection-cut"]),
        ("server", "server", []),
    ]
    assert Path(told["inventory"]).name == "lab.inventory.yaml"
    assert known_hosts.read_text() == OTHERS + OTHERS.replace("gw", "gw2")
    known_hosts.unlink()
    assert left(farm) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_lab_ends_with_its_terminal_or_by_kill_and_leaves_nothing(
    farm: Farm, number: signal.Signals
) -> None:
    ended = farm.interrupt(begin(farm), number)
    assert ended.code == 130
    assert "connection-cut (run 1, iteration 1) did not happen: 0 runs" in ended.stderr
    assert left(farm) == []


def test_a_lab_for_some_time_ends_by_itself_and_a_signal_while_it_starts_leaves_nothing(farm: Farm) -> None:
    ended = farm("sim", "up", "lab.yaml", "--for", "1s")
    assert ended.code == 0
    assert "farm devices check --inventory lab.inventory.yaml" in ended.stdout
    assert left(farm) == []
    process = farm.start("sim", "up", "lab.yaml")
    until(lambda: [*(farm.folder / "tmp").iterdir()], "the first files")
    assert farm.interrupt(process, signal.SIGINT).code == 130
    assert left(farm) == []


def test_no_file_of_somebody_else_is_written_over_and_no_lab_takes_the_inventory_of_another(
    farm: Farm,
) -> None:
    before = (farm.folder / "lab.yaml").read_bytes()
    refused = farm("sim", "up", "lab.yaml", "--output", "lab.yaml")
    assert (refused.code, (farm.folder / "lab.yaml").read_bytes()) == (2, before)
    assert "is there, and not of farm sim\n  try: take another --output" in refused.stderr
    process = begin(farm)
    refused = farm("sim", "up", "lab.yaml")
    assert refused.code == 2
    assert "lab.inventory.yaml is of another lab, which runs" in refused.stderr
    assert (farm.folder / "lab.inventory.yaml").exists()
    process.kill()  # what it leaves then is taken over by the next one
    process.communicate()
    for pid in processes(farm.folder / "tmp"):
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(farm.folder / "tmp")
    (farm.folder / "tmp").mkdir()
    assert farm("sim", "up", "lab.yaml", "--for", "1s").code == 0
    assert not (farm.folder / "lab.inventory.yaml").exists()


# --------------------------------------------------------------------------- farm sim run


def test_a_command_runs_on_a_lab_and_its_exit_code_is_passed_on(farm: Farm) -> None:
    says = 'test "$1" = "$FARM_SIM_INVENTORY" && grep -c like "$1"; exit 7'
    outcome = farm("sim", "run", "lab.yaml", "--", "sh", "-c", says, "sh", "{inventory}")
    assert (outcome.code, outcome.stdout) == (7, "0\n"), outcome.stderr
    assert farm("sim", "run", "lab.yaml", "--", "sh", "-c", "kill -9 $$").code == 137
    assert left(farm) == []


def test_a_command_of_farm_gets_the_inventory(farm: Farm) -> None:
    outcome = farm("sim", "run", "lab.yaml", "--", "farm", "devices", "list", "--json")
    assert outcome.code == 0, outcome.stderr
    assert [one["name"] for one in json.loads(outcome.stdout)] == ["phone", "server"]


def test_only_commands_of_farm_that_take_an_inventory_get_it_and_only_where_none_is_named() -> None:
    inventory = Path("/x/i.yaml")
    own = [sys.executable, "-m", "farm"]

    def words(line: str) -> list[str]:
        return completed(line.split(), inventory)

    assert words("farm bench -m a") == [*own, "bench", "--inventory", "/x/i.yaml", "-m", "a"]
    assert words("farm devices check a") == [*own, "devices", "check", "--inventory", "/x/i.yaml", "a"]
    assert words("farm bench -i {inventory}") == [*own, "bench", "-i", "/x/i.yaml"]
    assert words("farm bench --inventory=b") == [*own, "bench", "--inventory=b"]
    assert words("farm runs list") == [*own, "runs", "list"]
    assert words("farm") == own
    assert words("sh -c {inventory}.x") == ["sh", "-c", "/x/i.yaml.x"]
    for line, hint in (("bench -m a", "-- farm bench"), ("no-such", "name a program")):
        with pytest.raises(RequestError, match="no such program") as raised:
            require_program(line.split())
        assert hint in raised.value.hint


@pytest.mark.long
def test_an_interruption_reaches_the_command_while_its_devices_are_there(farm: Farm) -> None:
    words = ("bench", "--model", "bundled:tiny", "--rounds", "900", "--run-id", "cut")
    process = farm.start("sim", "run", "lab.yaml", "--", "farm", *words)
    until(lambda: "timed-1" in read(farm.folder / "runs/cut/journal.jsonl"), "a round")
    ended = farm.interrupt(process, signal.SIGINT)
    assert ended.code == 130
    results = json.loads((farm.folder / "runs/cut/results.json").read_text())
    assert results["status"] == "interrupted"
    assert "connection lost, trying again" not in ended.stderr.rpartition("connected again")[2]
    assert left(farm) == []


def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(farm: Farm) -> None:
    says = "trap '' INT TERM; echo up; sleep 981 & sleep 982"
    process = farm.start("sim", "run", "lab.yaml", "--deadline", "sim-end=0.3", "--", "sh", "-c", says)
    until(lambda: "sleep 982" in processes(farm.folder / "tmp").values(), "the command")
    ended = farm.interrupt(process, signal.SIGTERM)
    assert ended.code == 130
    assert "the command did not end within 0.3 s (deadline sim-end): it is killed" in ended.stderr
    assert left(farm) == []


async def test_a_command_that_is_interrupted_as_it_starts_leaves_nothing(tmp_path: Path) -> None:
    """At moments of its start: before, while and after it is there."""
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)}
    for tenths in range(12):
        words = ("sh", "-c", "sleep 983 & sleep 984")
        task = asyncio.create_task(ended(words, environment, Deadlines(sim_end_s=0.1)))
        await asyncio.sleep(tenths / 1000)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # What was killed may be seen until the kernel is through with it.
        for _ in range(100):
            if not (left_over := [line for line in processes(tmp_path).values() if "sleep" in line]):
                break
            await asyncio.sleep(0.05)
        assert left_over == []


# --------------------------------------------------------------------------- what cannot be


def test_a_mistake_in_the_file_is_told_with_its_line_and_nothing_is_started(farm: Farm) -> None:
    (farm.folder / "lab.yaml").write_text("devices:\n  a: {like: fone}\n")
    for command in ("up", "run"):
        words = ("--", "true") if command == "run" else ()
        outcome = farm("sim", command, "lab.yaml", *words)
        assert outcome.code == 2
        assert (
            'error: lab.yaml:2: device a, like: unknown kind "fone" (did you mean phone?)' in outcome.stderr
        )
        assert "  try: farm sim list" in outcome.stderr
        assert "starting" not in outcome.stderr
    assert left(farm) == []


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["up", "no.yaml"], 2, "no.yaml: cannot read the file: No such file or directory"),
        (["up", "lab.yaml", "--for", "0s"], 2, "is not a time"),
        (["up", "lab.yaml", "--deadline", "sim-strat=1"], 2, "did you mean sim-start"),
        (["up", "lab.yaml", "--deadline", "sim-start=0.001"], 4, "did not start within 0.001 s"),
        (["up", "lab.yaml", "--output", "no/such.yaml"], 4, "No such file or directory"),
        (["run", "lab.yaml"], 2, "try: farm sim run lab.yaml -- farm bench"),
        (["run", "lab.yaml", "--", "no-such-program"], 2, "cannot run no-such-program"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_type(
    farm: Farm, words: list[str], code: int, says: str
) -> None:
    outcome = farm("sim", *words)
    assert outcome.code == code, outcome.stderr
    assert says in outcome.stderr
    assert "  try: " in outcome.stderr or "no.yaml" in words
    assert left(farm) == []


def test_a_folder_that_sshd_cannot_be_told_of_is_named(farm: Farm) -> None:
    odd = farm.folder / "tmp" / "a b\udce9"
    odd.mkdir()
    farm.environment["TMPDIR"] = str(odd)
    outcome = farm("sim", "up", "lab.yaml")
    assert outcome.code == 4
    assert "has a name that sshd does not take" in outcome.stderr
    assert [*odd.iterdir()] == []
    odd.rmdir()


@pytest.mark.parametrize(
    ("number", "says"), [(65534, "nobody with .*nologin"), (4_000_000, "user id 4000000 is not there")]
)
def test_a_user_whom_sshd_lets_not_in_is_told_so(
    number: int, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: number)
    with pytest.raises(RunError, match=says) as raised:
        user_name()
    assert "run it as" in raised.value.hint


# --------------------------------------------------------------------------- documentation


def test_the_list_has_all_that_a_file_can_name(farm: Farm) -> None:
    outcome = farm("sim", "list")
    assert outcome.code == 0
    told: dict[str, Any] = json.loads(farm("sim", "list", "--json").stdout)
    assert {key: set(value) for key, value in told.items()} == {
        "kinds": set(KINDS),
        "faults": set(FAULTS),
        "oddities": set(ODDITIES),
    }
    for rows in told.values():
        for name, row in rows.items():
            assert re.search(rf"^{name} .*{re.escape(row['text'])} *$", outcome.stdout, re.MULTILINE), name


def test_the_examples_of_the_page_are_the_files() -> None:
    page = PAGE.read_text("utf-8")
    for file in EXAMPLE.iterdir():
        assert f"\n{file.read_text('utf-8').rstrip()}\n```" in page, file.name


@pytest.mark.long
def test_the_ci_of_the_example_runs_as_it_is_written(farm: Farm) -> None:
    """The workflow's own command, with the scripts of this environment as `farm`."""
    here = farm.folder / "example"
    shutil.copytree(EXAMPLE, here)
    (line,) = re.findall(r"- run: (farm sim run .*)", (EXAMPLE / "workflow.yml").read_text())
    (farm.folder / "bin").mkdir()
    script = farm.folder / "bin" / "farm"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m farm "$@"\n')
    script.chmod(0o755)
    path = f"{script.parent}{os.pathsep}{farm.environment['PATH']}"
    done = subprocess.run(
        line, shell=True, cwd=here, env=farm.environment | {"PATH": path}, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "board: connected again" in done.stderr
    assert "did not happen" not in done.stderr
    assert 'tests="' in (here / "junit.xml").read_text()
    assert (here / "runs/ci/report.html").stat().st_size > 10_000


def test_the_workflow_of_the_example_is_one(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*words, EXAMPLE / "workflow.yml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
