"""The units of docs/how-to/nightly.md as they stand, under the systemd of a Debian guest."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.arm.packages import UnavailableError
from tests.e2e.conftest import LOOKALIKE, ROOT
from tests.guest import guest

PAGE = (ROOT / "docs" / "how-to" / "nightly.md").read_text("utf-8")
BLOCKS = dict(re.findall(r"```(?:yaml|ini)\n# ([^\n,]+)[^\n]*\n(.*?)```", PAGE, re.DOTALL))
SERVICE, TIMER = (f"/etc/systemd/system/farm-nightly.{kind}" for kind in ("service", "timer"))

SCRIPT = f"""
useradd --system --create-home farm
chown -R farm: /srv/farm
for folder in {" ".join(map(str, (ROOT.resolve() / "x").parents))} {Path(sys.executable).resolve().parents[1]}; do
  while [ "$folder" != / ]; do chmod o+x "$folder"; folder=$(dirname "$folder"); done
done
ln -s {ROOT}/.venv/bin/farm /usr/local/bin/farm
systemctl daemon-reload
systemctl enable --now farm-nightly.timer
systemctl start farm-nightly.service
journalctl --no-pager -o cat -u farm-nightly
systemctl show farm-nightly.service -p Result -p ExecMainStatus -p User
echo "nights: $(ls -d /srv/farm/runs/nightly-* | wc -l)"
date -s "tomorrow 01:59:58"
set +x
for second in $(seq 500); do
  [ "$(ls -d /srv/farm/runs/nightly-*/report.html | wc -l)" = 2 ] && break
  sleep 1
done
echo "nights by timer: $(ls -d /srv/farm/runs/nightly-*/report.html | wc -l)"
systemctl show farm-nightly.timer -p LastTriggerUSec
"""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_the_service_and_its_timer_run_nights_as_another_user(tmp_path: Path) -> None:
    given = tmp_path / "given"
    place = given / "srv" / "farm"
    place.mkdir(parents=True)
    units = given / "etc" / "systemd" / "system"
    units.mkdir(parents=True)
    for name in (SERVICE, TIMER):
        (units / Path(name).name).write_text(BLOCKS[name])
    for name in ("nightly.yaml", "acknowledged.yaml"):
        (place / name).write_text(BLOCKS[name])
    runtime = {"kind": "native", "program": str(LOOKALIKE)}
    (place / "lab.yaml").write_text(
        json.dumps({"devices": {"arm-1": {"address": "local", "runtime": runtime}}})
    )
    (place / "secrets.env").write_text("FARM_WEBHOOK_KEY=s3cret\n")
    try:
        said = guest.run(given, SCRIPT)
    except UnavailableError as error:
        pytest.skip(f"no Debian guest here: {error}")
    assert "Result=success" in said, said
    assert "User=farm" in said
    assert "report:  runs/nightly-nightly-" in said
    assert "nights: 1\n" in said
    assert "nights by timer: 2\n" in said
    assert re.search(r"LastTriggerUSec=\w+ \d{4}-\d\d-\d\d 02:00:0", said)
    assert "s3cret" not in said
