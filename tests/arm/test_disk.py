"""A board with a small disk: each night another build."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.arm import programs
from tests.arm.board import Spec

pytestmark = [pytest.mark.arm, pytest.mark.long, pytest.mark.timeout(7200)]

MB = 1_000_000
LOOK = "cd ~/.cache/farm/cas && find . -type f -size +1000k | wc -l; df -k ~ | tail -n 1"


@pytest.mark.parametrize(("nights", "build_mb", "disk_mib"), [(6, 15, 58), (12, 60, 230)])
def test_nights_of_a_new_build_that_is_a_quarter_of_the_disk_each(
    boot, tmp_path: Path, nights: int, build_mb: int, disk_mib: int
) -> None:
    """A board takes 0.5 MB a second, since its processor is emulated."""
    lab = boot(Spec(cores=2, disk_mib=disk_mib))
    program = programs.arm64().static.read_bytes()
    for night in range(nights):
        build = tmp_path / f"build-{night}"
        build.write_bytes(program + random.Random(night).randbytes(build_mb * MB))
        build.chmod(0o755)
        lab.write(runtime={"kind": "native", "program": str(build)})
        words = ("bench", "--model", "bundled:tiny", "--rounds", "1", "--iter", "2", "--json")
        process = lab.farm.start(*words)
        stdout, stderr = process.communicate(timeout=1200)
        assert process.returncode == 0, stderr
        (device,) = json.loads(stdout)["devices"]
        kept, *df = lab.boards[0].run(LOOK).split()
        print(f"night {night + 1}: pushed {device['pushed_bytes']:,} bytes, removed {device['removed_bytes']:,}; "
              f"kept {kept} builds, {df[3]} KiB of {df[1]} free")  # fmt: skip
        assert kept == "1"
        assert device["removed_files"] == (1 if night else 0)
        build.unlink()
