"""`farm bench --devices 'arm-*'` on an ARM device: what is quick enough for each day."""

from __future__ import annotations

import pytest

from tests.arm.board import Spec

pytestmark = [pytest.mark.arm, pytest.mark.timeout(900)]


def test_a_board_is_probed_and_benched_and_what_its_processor_lacks_is_skipped(boot):
    """busybox and dropbear: no Python, no sftp, no /lib."""
    lab = boot(Spec(cores=2))
    done = lab.bench(
        "--rounds", "1", "--iter", "3",
        "--variant", "both=--multithread 2 --multi-thread-core-ids 0,1", "--variant", "dot=--enable-nchw44-dot",
    )  # fmt: skip
    assert done.code == 0, done.stderr
    both, dot = done.results["cells"]
    assert (both["status"], dot["status"]) == ("completed", "skipped"), done.stdout
    assert "asimddp" in dot["reason"]
    assert len(both["rounds"][0]["e2e_ms"]) == 3
    facts = done.results["devices"][0]["facts"]
    assert {name: facts[name] for name in ("cpu_model", "architecture", "core_ids", "pythons")} == {
        "cpu_model": "Cortex-A72",
        "architecture": "aarch64",
        "core_ids": [0, 1],
        "pythons": [],
    }
    assert lab.left_over() == ""
