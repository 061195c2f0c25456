"""`farm bench` on boards of several kinds: variants, files, core sets, processors, clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.arm.board import OLD_CLOCK, SMALL, WITH_DOT, Spec

pytestmark = [pytest.mark.arm, pytest.mark.long, pytest.mark.timeout(900)]


def telemetry_cores(lab, cell) -> set[int]:
    """The cores on which the program's main thread was seen."""
    seen = set()
    run = Path(next((lab.folder / "runs").glob("*/results.json"))).parent
    for artifact in cell["artifacts"]:
        if artifact["role"] == "telemetry" and "/timed-" in artifact["path"]:
            header, *lines = (run / artifact["path"]).read_text().splitlines()
            at = header.split().index("cores")
            seen |= {int(core) for line in lines for core in line.split()[at].split(",")}
    return seen


@pytest.mark.parametrize("flavour", ["busybox", "debian"])
def test_three_variants_with_profile_and_dump_on_both_flavours(boot, flavour: str):
    lab = boot(Spec(flavour=flavour))
    done = lab.bench(
        "--rounds", "2", "--iter", "3", "--profile", "p.json", "--bin-out-dump", "out", "--variant", "fp32=",
        "--variant", "nchw44=--enable-nchw44", "--variant", "two=--multithread 2 --multi-thread-core-ids 2,3",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    for cell in done.results["cells"]:
        assert cell["status"] == "completed", cell
        roles = [artifact["role"] for artifact in cell["artifacts"]]
        assert roles.count("profile") == 3, roles
        assert roles.count("bin-out-dump") >= 1, roles
    assert (next((lab.folder / "runs").glob("*/report.html"))).stat().st_size > 10_000
    assert lab.left_over() == ""


def test_threads_run_on_the_cores_that_they_are_bound_to(boot):
    lab = boot(Spec(cores=4))
    lab.write(cores={"big": "2-3"}, env={"WORK": "2000000"})
    done = lab.bench(
        "--rounds", "1", "--iter", "4", "--variant", "big=--multithread 2 --multi-thread-core-ids big"
    )
    assert done.code == 0, done.stderr
    (cell,) = done.results["cells"]
    seen = telemetry_cores(lab, cell)
    assert seen, "no telemetry"
    assert seen <= {2, 3}


def test_a_processor_with_dot_products_runs_what_needs_them(boot):
    lab = boot(WITH_DOT)
    done = lab.bench("--rounds", "1", "--iter", "2", "--variant", "dot=--enable-nchw44-dot")
    assert [cell["status"] for cell in done.results["cells"]] == ["completed"], done.stdout
    assert done.results["devices"][0]["facts"]["cpu_model"] == "Cortex-A76"


def test_a_board_of_one_small_core_is_benched(boot):
    lab = boot(SMALL)
    done = lab.bench("--rounds", "1", "--iter", "2")
    assert done.code == 0, done.stderr
    facts = done.results["devices"][0]["facts"]
    assert (facts["cpu_model"], facts["core_ids"]) == ("Cortex-A53", [0])


def test_a_board_whose_clock_stands_at_1970_is_benched(boot):
    """Without a battery and before it found a time server: times of files and leases are older than all else."""
    lab = boot(Spec(cores=2, disk_mib=64, clock=OLD_CLOCK))
    assert lab.boards[0].run("date +%Y") == "1970\n"
    for pushed in (True, False):
        done = lab.bench("--rounds", "1", "--iter", "2")
        assert [cell["status"] for cell in done.results["cells"]] == ["completed"], done.stdout
        assert (done.results["devices"][0]["pushed_bytes"] > 0) == pushed
