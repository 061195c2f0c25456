"""Three nights with MegEngine's wheel on a device behind a real SSH server: a regression is told by the night that
finds it, once, and is over when that was seen.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.nightly.notify import SIGNATURE
from tests.e2e.conftest import Farm, Outcome
from tests.servers import Server as SshServer
from tests.servers import sshd
from tests.slow_library import build_slow_library
from tests.unit.nightly.test_notify import Server

pytestmark = [
    pytest.mark.long,
    pytest.mark.wheel,
    pytest.mark.sshd,
    pytest.mark.usefixtures("wheel_runtime"),
]

CELL = "arm-1/tiny/default@new"
SLOWER = 2.0
"""Three times as long: on a shared machine rounds differ by a fifth and more, and few have to be enough."""


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SshServer]:
    folder = tmp_path / "device"
    folder.mkdir()
    with sshd(folder) as server:
        yield server


def lay_out(farm: Farm, device: SshServer, webhook: str) -> None:
    """An inventory of one device, a build of the wheel and one library, and a suite with a nightly."""
    inventory = farm.folder / "inventory"
    inventory.mkdir()
    entry = device.inventory_entry() | {"runtime": {"kind": "wheel"}}
    (inventory / "lab.yaml").write_text(json.dumps({"devices": {"arm-1": entry}}))
    name = f"[{device.host}]:{device.port}"
    key = (device.identity.parent / "host_key.pub").read_text()
    (inventory / "known_hosts").write_text(f"{name} {key}")
    build = {"kind": "wheel", "preload": "build.so"}
    suite = {
        "models": {"tiny": "bundled:tiny"},
        "options": {"iter": 500},
        "builds": {"new": build},
        "rounds": 6,
        "canary": False,
        "minimum-effect": "30%",
        "nightly": {"notify": [{"webhook": "$HOOK", "key": "KEY"}], "site": "public"},
    }
    (farm.folder / "lab.yaml").write_text(json.dumps(suite))
    farm.environment |= {"HOOK": webhook, "KEY": "s3cret"}


def put_build(farm: Farm, fraction: float) -> None:
    """The build of the day: each inference takes so much longer."""
    build_slow_library(farm.folder, 0, fraction).rename(farm.folder / "build.so")


def night(farm: Farm, name: str) -> Outcome:
    return farm("nightly", "lab.yaml", "--run-id", name, "--json")


def test_a_planted_regression_is_told_once_by_the_night_that_finds_it(farm: Farm, device: SshServer) -> None:
    farm.may_be_slower = True
    hook = Server(200)
    try:
        lay_out(farm, device, hook.url)
        put_build(farm, 0.0)
        first = night(farm, "one")
        assert first.code == 0, first.stderr
        assert hook.got == []
        put_build(farm, SLOWER)
        second = night(farm, "two")
        assert second.code == 1, second.stderr + second.stdout + farm("runs", "show", "two").stdout
        [(headers, body)] = hook.got
        assert headers[SIGNATURE.title()] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
        message = json.loads(body)
        assert [(one["kind"], one["cell"]) for one in message["news"]] == [("slower", CELL)]
        report = Path(farm.folder, message["report"]).read_text("utf-8")
        assert CELL in report
        assert "NO-GO" in report
        third = night(farm, "three")
        assert third.code == 1, third.stderr
        assert len(hook.got) == 1
        assert [one["since"] for one in json.loads(third.stdout)["still_open"]] == ["two"]
    finally:
        hook.close()
    assert device.sessions() == ()
    assert "s3cret" not in first.stderr + second.stderr + third.stderr
