"""What goes wrong on boards: power, disk, memory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.arm.board import START_LIMIT_S, Spec
from tests.arm.programs import Programs

pytestmark = [pytest.mark.arm, pytest.mark.long, pytest.mark.timeout(900)]
BIG_BYTES = 24 << 20


@pytest.fixture
def big(tmp_path: Path, stand_in: Programs) -> Path:
    """The program with so much behind it that its upload takes a while."""
    path = tmp_path / "big" / "load_and_run"
    path.parent.mkdir()
    path.write_bytes(stand_in.static.read_bytes())
    with path.open("ab") as stream:
        stream.truncate(BIG_BYTES)
    path.chmod(0o755)
    return path


def test_an_upload_that_a_power_cut_broke_goes_on_and_the_board_is_benched(boot, big: Path):
    lab = boot(Spec(cores=2, disk_mib=96))
    board = lab.boards[0]
    lab.write(runtime={"kind": "native", "program": str(big)})
    process = lab.start("--reconnect", "1")
    try:
        arrived = "cat /root/.cache/farm/incoming/* 2>/dev/null | wc -c"
        deadline = time.monotonic() + START_LIMIT_S
        while int(board.run(arrived)) < BIG_BYTES // 8:
            assert time.monotonic() < deadline, "the upload did not begin"
        board.run("sync")  # what is not on the disk yet is rightly lost
        board.power_cut()
        cut = lab.end(process)
    finally:
        process.kill()
    assert cut.code in {3, 4}, cut.stderr
    board.start()
    assert int(board.run(arrived)) >= BIG_BYTES // 8
    done = lab.bench("--rounds", "1", "--iter", "2")
    assert [cell["status"] for cell in done.results["cells"]] == ["completed"], done.stdout
    assert 0 < done.results["devices"][0]["pushed_bytes"] < BIG_BYTES
    assert board.run("ls -A /root/.cache/farm/incoming") == ""


def test_a_full_disk_is_named(boot, big: Path):
    lab = boot(Spec(cores=2, disk_mib=16))
    lab.write(runtime={"kind": "native", "program": str(big)})
    done = lab.bench("--rounds", "1", "--iter", "2")
    assert done.code == 4, done.stderr
    (cell,) = done.results["cells"]
    assert "disk" in cell["error"], cell
    assert lab.boards[0].run("df -Pk /root | awk 'END { print ($4 > 4000) }'") == "1\n"
    assert lab.left_over() == ""


def test_a_program_that_needs_more_memory_than_there_is_is_told_so(boot):
    lab = boot(Spec(cores=2))
    lab.write(env={"MEMORY_MIB": "400"})
    done = lab.bench("--rounds", "1", "--iter", "2")
    (cell,) = done.results["cells"]
    assert (cell["status"], cell["fault"]) == ("failed", "device"), cell
    assert "memory" in cell["error"], cell
    assert lab.left_over() == ""
