"""`farm bench` on five devices behind real servers, with a look-alike of load_and_run on them."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from tests.e2e.conftest import Lab, until

pytestmark = pytest.mark.sshd

TINY = ("--model", "bundled:tiny", "--rounds", "2", "--iter", "10", "--json")


def meeting(tmp_path: Path) -> Path:
    place = tmp_path / "meeting"
    place.mkdir()
    return place


def test_exactly_the_chosen_devices_run_and_all_at_the_same_time(lab: Lab, tmp_path: Path) -> None:
    # Each program waits until all four have started: one after the other they would wait for ever.
    place = meeting(tmp_path)
    lab.native(
        **{
            name: {"env": {"LOOKALIKE": f"meet:{place}:4"}}
            for name in ("arm_1", "arm_2", "arm_3", "gpu_1", "gpu_2")
        }
    )
    outcome = lab.farm("bench", "--devices", "arm-*,gpu-*,!arm-2", *TINY)
    assert outcome.code == 0, outcome.stderr
    assert outcome.statuses() == {name: {"completed"} for name in ("arm-1", "arm-3", "gpu-1", "gpu-2")}


@pytest.mark.long
def test_a_second_bench_pushes_no_byte_and_says_so(lab: Lab) -> None:
    lab.native()
    first = lab.farm("bench", "--devices", "arm-1,arm-3", *TINY)
    assert first.code == 0, first.stderr
    assert all(device["pushed_bytes"] > 0 for device in first.results["devices"])
    second = lab.farm("bench", "--devices", "arm-1,arm-3", *TINY)
    assert second.code == 0, second.stderr
    assert [device["pushed_bytes"] for device in second.results["devices"]] == [0, 0]
    assert [device["pushed_files"] for device in second.results["devices"]] == [0, 0]
    shown = lab.farm("bench", "--devices", "arm-1", *TINY[:-1])
    assert "pushed 0 bytes" in shown.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_bench_leaves_no_process_and_no_lease(
    lab: Lab, tmp_path: Path, number: signal.Signals
) -> None:
    place = meeting(tmp_path)
    lab.native(arm_1={"env": {"LOOKALIKE": f"wait:{place}"}}, arm_3={"env": {"LOOKALIKE": "hang"}})
    process = lab.farm.start("bench", "--devices", "arm-1,arm-3", "--run-id", "cut", *TINY)
    until(lambda: list(place.glob("here.*")), "the round on arm-1")
    until(lambda: any("987654" in line for line in lab.leftovers()), "the round on arm-3")
    outcome = lab.farm.interrupt(process, number)
    assert outcome.code == 130, outcome.stderr
    assert lab.leftovers() == []
    assert {cell["status"] for cell in outcome.results["cells"]} == {"cancelled"}
    assert (tmp_path / "runs" / "cut" / "report.html").is_file()
    checked = lab.farm("devices", "check", "arm-1,arm-3")
    assert checked.code == 0
    assert checked.stdout.count("free") == 2


def test_two_benches_never_share_a_device(lab: Lab, tmp_path: Path) -> None:
    place = meeting(tmp_path)
    lab.native(arm_1={"env": {"LOOKALIKE": f"wait:{place}"}})
    process = lab.farm.start("bench", "--devices", "arm-1", *TINY)
    until(lambda: list(place.glob("here.*")), "the first bench's round")
    second = lab.farm("bench", "--devices", "arm-1,arm-2", *TINY)
    assert second.code == 3
    (cell,) = second.cells(device="arm-1")
    assert (cell["stage"], cell["cause"]) == ("lease", "held")
    assert "--wait" in cell["hint"]
    assert second.cells(device="arm-2")[0]["status"] == "completed"
    (place / "go").touch()
    assert lab.farm.end(process).code == 0


def test_failures_of_devices_are_their_own_cells_with_the_next_command(lab: Lab, tmp_path: Path) -> None:
    other = lab.servers.servers["gpu-2"]
    lab.native(
        arm_1={"port": 1},
        arm_2={"identity": str(other.identity)},
        gpu_1={"runtime": {"kind": "native", "program": "no-such-program", "on_device": True}},
    )
    known = tmp_path / "inventory" / "known_hosts"
    gpu_2 = other.known_hosts_line.split()[0]
    foreign = lab.servers.servers["arm-2"].known_hosts_line.split(maxsplit=1)[1]
    known.write_text(
        "\n".join(
            f"{gpu_2} {foreign}" if line.startswith(gpu_2) else line
            for line in known.read_text().splitlines()
        )
        + "\n"
    )
    outcome = lab.farm("bench", *TINY)
    assert outcome.code == 3, outcome.stderr
    found = {
        cell["device"]: (cell["status"], cell["stage"], cell["cause"]) for cell in outcome.results["cells"]
    }
    assert found == {
        "arm-1": ("failed", "connect", "unreachable"),
        "arm-2": ("failed", "connect", "key-refused"),
        "arm-3": ("completed", None, None),
        "gpu-1": ("failed", "deploy", "program-missing"),
        "gpu-2": ("failed", "connect", "host-key-changed"),
    }
    assert all(
        cell["hint"] and cell["error"] for cell in outcome.results["cells"] if cell["status"] == "failed"
    )


def test_a_full_disk_costs_that_devices_cells_only(lab: Lab) -> None:
    small = lab.servers.servers["arm-2"].home / ".cache"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        lab.native()
        words = ("--model", "bundled:shufflenet_v2_x0_5", "--rounds", "1", "--iter", "10", "--json")
        outcome = lab.farm("bench", "--devices", "arm-1,arm-2", *words)
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)
    assert outcome.code == 3, outcome.stderr
    (cell,) = outcome.cells(device="arm-2")
    assert (cell["status"], cell["stage"], cell["cause"]) == ("failed", "deploy", "disk-full")
    assert "workdir" in cell["hint"]
    assert outcome.cells(device="arm-1")[0]["status"] == "completed"
