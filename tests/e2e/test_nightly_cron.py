"""The line of a crontab in docs/how-to/nightly.md, run as it stands in the folder that it names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import LOOKALIKE, ROOT, Farm

PAGE = (ROOT / "docs" / "how-to" / "nightly.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"```(?:yaml|ini)\n# ([^\n,]+)[^\n]*\n(.*?)```", PAGE, re.DOTALL))
LINE = re.findall(r"^```crontab\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)[0]
FOLDER = "/srv/farm"


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts a folder over /srv for itself")
def test_the_line_of_the_crontab_runs_a_night(farm: Farm) -> None:
    *schedule, command = LINE.split(None, 5)
    assert len(schedule) == 5
    place = farm.folder / "srv" / Path(FOLDER).name
    place.mkdir(parents=True)
    for name in ("nightly.yaml", "acknowledged.yaml"):
        (place / name).write_text(BLOCKS[name])
    runtime = {"kind": "native", "program": str(LOOKALIKE)}
    devices = {"devices": {"arm-1": {"address": "local", "runtime": runtime}}}
    (place / "lab.yaml").write_text(json.dumps(devices))
    (place / "webhook.key").write_text("s3cret\n")
    path = f"{Path(sys.executable).parent}{os.pathsep}{farm.environment['PATH']}"
    mounted = f'mount --bind "$0" {Path(FOLDER).parent} && exec sh -c "$1"'
    done = subprocess.run(
        ("unshare", "--mount", "sh", "-c", mounted, str(place.parent), command),
        env=farm.environment | {"PATH": path},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    log = (place / "nightly.log").read_text("utf-8")
    assert done.returncode == 0, log + done.stderr
    assert (done.stdout, done.stderr) == ("", "")
    assert len(list(place.glob("runs/nightly-nightly-*/report.html"))) == 1
    assert (place / "public" / "index.html").is_file()
    assert "the webhook is in $FARM_WEBHOOK, which is not set" in " ".join(log.split())
