"""This machine as a device: its files are those of the plan, whatever happens to them meanwhile."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from farm import agents
from farm.device.disk.room import Room
from farm.device.session import Session
from farm.errors import DeviceError
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.limits.deadlines import Deadlines
from farm.run.push.pusher import Pusher
from farm.store.artifacts import artifact_of
from farm.transport.pool import open_transports
from tests.e2e.conftest import LOOKALIKE, ROOT, Farm

REPLACES_THE_MODEL = """#!/bin/sh
sha256sum <"$1" >digest
echo another >"{original}"
exec "{program}" "$@"
"""


def test_a_model_that_is_replaced_meanwhile_is_not_measured_in_the_place_of_the_planned_one(
    farm: Farm, tmp_path: Path
) -> None:
    original = tmp_path / "model.mge"
    shutil.copy(ROOT / "farm" / "bundled" / "tiny.mge", original)
    planned = hashlib.sha256(original.read_bytes()).hexdigest()
    program = tmp_path / "home" / "program"
    program.write_text(REPLACES_THE_MODEL.format(original=original, program=LOOKALIKE))
    program.chmod(0o755)
    runtime = {"kind": "native", "program": "~/program", "on_device": True}
    (tmp_path / "inventory").mkdir()
    (tmp_path / "inventory" / "lab.yaml").write_text(
        json.dumps({"devices": {"here": {"address": "local", "workdir": "~/work", "runtime": runtime}}})
    )
    outcome = farm(
        "bench", "--model", str(original), "--rounds", "2", "--iter", "10", "--run-id", "one", "--json"
    )
    assert outcome.code == 0, outcome.stderr
    rounds = list((tmp_path / "runs" / "one" / "cells").rglob("digest"))
    assert [file.read_text().split()[0] for file in rounds] == [planned, planned]
    results = json.loads(outcome.stdout)
    assert results["devices"][0]["runtime_digest"] == hashlib.sha256(program.read_bytes()).hexdigest()
    assert original.read_text() == "another\n"


@pytest.mark.parametrize(
    "content", [b"another", b"of another length", None], ids=["changed", "longer", "removed"]
)
async def test_a_file_that_was_changed_after_planning_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "model.mge"
    file.write_bytes(b"planned")
    artifact = artifact_of(file)
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    device = Device("here", Address("local"), Runtime(RuntimeKind.NATIVE), workdir=str(tmp_path / "work"))
    async with open_transports([device], known_hosts=tmp_path / "known_hosts") as transports:
        session = Session(
            device,
            transports.to(device),
            agents.agent_script(),
            holder="a test",
            deadlines=Deadlines(),
            note=lambda _text: None,
        )
        async with session:
            with pytest.raises(DeviceError, match=r"model\.mge was changed or removed") as caught:
                await Pusher(session, Room(session)).push([artifact])
    assert caught.value.cause == "file-changed"
