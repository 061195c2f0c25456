"""The artifact storage in a bucket, of a server that speaks S3 in a process of its own."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from farm.fleet.shelf import LostError, Shelf, ShelfError, shelf_of
from farm.sim.fleet import fleet
from farm.sim.properties import Properties
from tests.fleet.conftest import WHOLE, Lab, rounds_of
from tests.servers import free_port

URL = "s3://farm/night ly"
PATIENCE_S = 60


@dataclass(frozen=True)
class S3:
    """A server with the bucket `farm`."""

    process: subprocess.Popen[bytes]
    port: int

    def ask(self, method: str, path: str, data: bytes | None = None) -> bytes:
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        with urllib.request.urlopen(asked, timeout=PATIENCE_S) as reply:
            return bytes(reply.read())

    @property
    def settings(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1",
        }  # fmt: skip


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    port = free_port()
    with (tmp_path / "s3.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-p", str(port)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    made = S3(process, port)
    try:
        ends = time.monotonic() + PATIENCE_S
        while True:
            try:
                made.ask("PUT", "/farm")
                break
            except OSError:
                assert time.monotonic() < ends, (tmp_path / "s3.log").read_text()
                time.sleep(0.1)
        for name, value in made.settings.items():
            monkeypatch.setenv(name, value)
        yield made
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def shelf(s3: S3) -> Shelf:
    made = shelf_of(URL)
    made.make()
    return made


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def key(sha256: str) -> str:
    return f"/farm/night%20ly/{sha256[:2]}/{sha256}"


@pytest.mark.parametrize("size_bytes", [0, 7, 20_000_000])
def test_a_file_comes_back_as_it_was(shelf: Shelf, tmp_path: Path, size_bytes: int) -> None:
    sha256 = written(tmp_path / "model.mge", random.Random(1).randbytes(size_bytes))
    for _ in range(2):
        shelf.put(tmp_path / "model.mge", sha256)
    shelf.get(sha256, tmp_path / "here" / "model", executable=True)
    assert (tmp_path / "here" / "model").read_bytes() == (tmp_path / "model.mge").read_bytes()
    assert os.access(tmp_path / "here" / "model", os.X_OK)
    assert shelf.put_bytes(b"plan") == hashlib.sha256(b"plan").hexdigest()
    assert shelf.get_bytes(hashlib.sha256(b"plan").hexdigest(), 4) == b"plan"


def test_what_is_missing_changed_or_rotten_is_named_and_leaves_nothing(
    s3: S3, shelf: Shelf, tmp_path: Path
) -> None:
    sha256 = written(tmp_path / "model.mge", b"weights")
    with pytest.raises(LostError, match=f"night ly does not have the file {sha256[:12]}"):
        shelf.get(sha256, tmp_path / "again")
    with pytest.raises(LostError, match="changed while it was read"):
        shelf.put(tmp_path / "model.mge", "0" * 64)
    with pytest.raises(urllib.error.HTTPError):
        s3.ask("GET", key("0" * 64))
    s3.ask("PUT", key(sha256), b"rotten!")
    with pytest.raises(LostError, match="another file"):
        shelf.get(sha256, tmp_path / "again")
    with pytest.raises(LostError, match="another file"):
        shelf.get_bytes(sha256, 3)
    assert [path.name for path in tmp_path.iterdir() if "again" in path.name] == []


def test_a_bucket_that_is_not_there_and_a_server_that_is_gone_may_come_back(s3: S3, tmp_path: Path) -> None:
    sha256 = written(tmp_path / "model.mge", b"weights")
    none = shelf_of("s3://other/x")
    for work in (
        none.make,
        lambda: none.put(tmp_path / "model.mge", sha256),
        lambda: none.get_bytes(sha256, 9),
    ):
        with pytest.raises(ShelfError, match="the artifact storage s3://other/x cannot be used") as away:
            work()
        assert "secret" not in str(away.value)
    s3.process.send_signal(signal.SIGKILL)
    s3.process.wait()
    with pytest.raises(ShelfError, match="cannot be used"):
        shelf_of(URL).put(tmp_path / "model.mge", sha256)


@pytest.mark.sshd
async def test_a_run_goes_through_a_bucket(s3: S3, small: Lab, devices: Path) -> None:
    small.farm.environment |= s3.settings
    async with fleet({"board": Properties()}, devices) as running:
        submitted = await small.submit(running, "one", "--artifacts", URL)
        assert submitted.code == 0, submitted.stderr
        ended = await small.end_by_itself(small.worker(running, "--drain"))
        assert ended.code == 0, ended.stderr
        fetched = await small.fetch("one")
    assert rounds_of(fetched.results) == WHOLE
    assert (small.folder / "runs/one/report.html").is_file()
    assert not (small.folder / "shared").exists()
