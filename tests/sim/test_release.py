"""docs/how-to/release.md as it stands: from two builds to one page, and digests that a stranger can check."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Program, Properties
from tests.e2e.conftest import ROOT, Farm
from tests.elves import program as written
from tests.sim.conftest import needs

pytestmark = pytest.mark.sshd

PROGRAM = Program(factors=(("cpu-default", 1.3),), noise=0.003)
PAGE = (ROOT / "docs" / "how-to" / "release.md").read_text("utf-8")
SUITE = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
PLAN, MEASURE, TAG, CHECK = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


async def typed(farm: Farm, block: str) -> subprocess.CompletedProcess[str]:
    """The lines of a block, in a shell that ends with the first that fails."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{farm.environment['PATH']}"
    return await asyncio.to_thread(
        subprocess.run, ("sh", "-ec", block), cwd=farm.folder, env=farm.environment | {"PATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def lay_out(running: Fleet, folder: Path) -> None:
    """What the page takes for granted: two builds, the second 30 % slower, an inventory and a key."""
    (device,) = running.devices.values()
    text = Path(device.device().runtime.program or "").read_text()
    for build, more in (("1.13", ""), ("1.14", "--cpu-default")):
        place = folder / "builds" / build
        place.mkdir(parents=True)
        program = written(place / "program", text.replace('"$@"', f'"$@" {more}').encode())
        program.rename(place / "load_and_run")
    (folder / "inventory").symlink_to(running.inventory.parent)
    (folder / "release.yaml").write_text(SUITE)
    key = folder / "release-key"
    subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key), check=True)
    (folder / "signers").write_text(f"releases@lab {key.with_suffix('.pub').read_text()}")


@pytest.mark.long
async def test_two_builds_become_one_page_and_digests_that_a_stranger_can_check(
    farm: Farm, devices: Path
) -> None:
    needs("ssh-keygen", "sha256sum")
    async with fleet({"arm-1": Properties(PROGRAM)}, devices) as running:
        lay_out(running, farm.folder)
        planned = await typed(farm, PLAN)
        assert planned.returncode == 0, planned.stderr
        done = await typed(farm, MEASURE)
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "runs/release-1.14/release.html"
    assert "NO-GO: 1.14 against 1.13: 1 slower" in done.stderr
    folder = farm.folder / "runs" / "release-1.14"
    assert "arm-1/tiny/default" in (folder / "release.html").read_text("utf-8")
    digests = folder / "release.html.sha256"
    assert {"release.html", "results.json", "journal.jsonl"} <= set(digests.read_text().split())
    assert (await typed(farm, TAG)).returncode == 0
    checked = await typed(farm, CHECK)
    assert checked.returncode == 0, checked.stderr

    results = folder / "results.json"
    results.write_bytes(results.read_bytes().replace(b'"slower"', b'"faster"'))
    assert "results.json: FAILED" in (await typed(farm, CHECK)).stdout
    digests.write_bytes(digests.read_bytes().replace(b"0", b"1", 1))
    forged = await typed(farm, CHECK)
    assert "Could not verify signature" in forged.stdout + forged.stderr
