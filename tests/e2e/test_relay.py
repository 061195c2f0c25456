"""`farm bench` of boards behind a gateway, over a line whose bytes are counted."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.e2e.conftest import LOOKALIKE, ROOT, Farm, Outcome, until
from tests.proxy import ChaosProxy
from tests.servers import Server, free_port, sshd

pytestmark = pytest.mark.sshd

MODEL_BYTES = (ROOT / "farm" / "bundled" / "shufflenet_v2_x0_5.mge").stat().st_size
BOARDS = ("board-1", "board-2", "board-3")
BENCH = (
    "bench", "-i", "lab.yaml", "--model", "bundled:shufflenet_v2_x0_5", "--rounds", "1", "--iter", "2", "--json",
)  # fmt: skip
COMPLETED = {name: {"completed"} for name in BOARDS}


@dataclass
class Site:
    """A gateway and boards behind it, which is reached through `line` only."""

    farm: Farm
    gateway: Server
    boards: dict[str, Server]

    async def bench(
        self, relay: object, gateway: Mapping[str, object] | None = None, *words: str
    ) -> tuple[Outcome, int]:
        """A bench of all boards, and how many bytes went to the site."""
        async with ChaosProxy(self.gateway.port) as line:
            self._write(line.port, relay, gateway or {})
            outcome = await asyncio.to_thread(self.farm, *BENCH, *(words or ("--devices", "board-*")))
        return outcome, line.bytes_up

    def _write(self, port: int, relay: object, change: Mapping[str, object]) -> None:
        gateway = self.gateway.inventory_entry() | {"port": port} | dict(change)
        jump = f"{getpass.getuser()}@127.0.0.1:{port}"
        boards = {name: one.inventory_entry() | {"proxy_jump": jump} for name, one in self.boards.items()}
        defaults = {"runtime": {"kind": "native", "program": str(LOOKALIKE)}} | (
            {"relay": relay} if relay else {}
        )
        with (self.farm.folder / "lab.yaml").open("w") as stream:
            YAML().dump({"defaults": defaults, "devices": {"gateway": gateway, **boards}}, stream)
        keys = [f"[127.0.0.1]:{port} {' '.join(self.gateway.host_public_key.split()[:2])}"]
        keys += [one.known_hosts_line for one in self.boards.values()]
        (self.farm.folder / "known_hosts").write_text("".join(f"{key}\n" for key in keys))

    @property
    def login(self) -> dict[str, object]:
        """The gateway's own key for the boards."""
        return {"device": "gateway", "identity": str(self.gateway.identity)}

    def stored(self, server: Server) -> set[str]:
        return {path.name for path in (server.home / ".cache" / "farm" / "cas").rglob("*") if path.is_file()}


@pytest.fixture
def site(tmp_path: Path, farm: Farm) -> Iterator[Site]:
    with contextlib.ExitStack() as stack:
        gateway = stack.enter_context(sshd(tmp_path / "gateway"))
        boards = {
            name: stack.enter_context(sshd(tmp_path / name, authorized=gateway.identity, key_type=kind))
            for name, kind in zip(BOARDS, ("ed25519", "ecdsa", "rsa"), strict=True)
        }
        yield Site(farm, gateway, boards)


def test_a_file_crosses_the_line_of_a_site_once(site: Site) -> None:
    direct, direct_bytes = asyncio.run(site.bench(None))
    assert direct.statuses() == COMPLETED, direct.stderr
    assert direct_bytes > 3 * MODEL_BYTES
    for board in site.boards.values():
        for path in (board.home / ".cache" / "farm" / "cas").rglob("*/*"):
            path.unlink()
    outcome, relayed_bytes = asyncio.run(site.bench(site.login))
    assert outcome.statuses() == COMPLETED, outcome.stderr
    assert "come from here" not in outcome.stderr
    assert MODEL_BYTES < relayed_bytes < 1.3 * MODEL_BYTES
    (first, *others) = map(site.stored, site.boards.values())
    assert others == [first, first]
    again, unchanged_bytes = asyncio.run(site.bench(site.login))
    assert again.code == 0
    assert unchanged_bytes < 0.1 * MODEL_BYTES


def test_a_relay_that_is_measured_itself_gets_each_file_once_too(site: Site) -> None:
    outcome, sent_bytes = asyncio.run(site.bench(site.login, None, "--devices", "all"))
    assert outcome.statuses() == {**COMPLETED, "gateway": {"completed"}}, outcome.stderr
    assert "come from here" not in outcome.stderr
    assert MODEL_BYTES < sent_bytes < 1.3 * MODEL_BYTES


def test_a_relay_that_cannot_log_in_is_told_and_costs_no_cell(site: Site) -> None:
    outcome, sent_bytes = asyncio.run(site.bench({"device": "gateway", "identity": "/nowhere/key"}))
    assert outcome.statuses() == COMPLETED, outcome.stderr
    assert sent_bytes > 3 * MODEL_BYTES
    board = site.boards["board-2"]
    login = f"{board.address.user}@127.0.0.1"
    assert (
        f"board-2: gateway could not hand it on: its SSH client ended with 255: {login}: Permission denied "
        f"(publickey).; try there: ssh -i /nowhere/key -p {board.port} {login}; the files come from here\n"
    ) in outcome.stderr


def test_a_relay_that_meets_another_host_key_sends_nothing(site: Site) -> None:
    other = {**site.login, "port": site.boards["board-2"].port}
    outcome, _ = asyncio.run(site.bench(other))
    assert outcome.statuses() == COMPLETED, outcome.stderr
    assert (
        "board-1: gateway could not hand it on: its SSH client ended with 255: Host key ver" in outcome.stderr
    )
    assert "board-2: gateway could not" not in outcome.stderr


def test_a_relay_that_is_away_is_told_and_costs_no_cell(site: Site) -> None:
    outcome, _ = asyncio.run(site.bench(site.login, {"port": free_port()}))
    assert outcome.statuses() == COMPLETED, outcome.stderr
    assert "board-3: the relay gateway cannot be used: " in outcome.stderr


def test_a_relay_that_hands_on_nothing_any_more_is_ended_and_costs_no_cell(site: Site) -> None:
    async def stalled() -> Outcome:
        async with ChaosProxy(site.boards["board-1"].port) as way:
            way.stall()
            words = ("--devices", "board-1", "--deadline", "transfer-stall=4")
            return (await site.bench({**site.login, "port": way.port}, None, *words))[0]

    outcome = asyncio.run(stalled())
    assert outcome.statuses() == {"board-1": {"completed"}}, outcome.stderr
    assert "gateway does not hand it on within 4 s (deadline transfer-stall); the files" in outcome.stderr
    until(lambda: not site.gateway.sessions(), "the end of all on the gateway")


def test_what_a_relay_keeps_damaged_is_not_used(site: Site) -> None:
    outcome, _ = asyncio.run(site.bench(site.login))
    assert outcome.code == 0
    for path in (site.gateway.home / ".cache" / "farm" / "cas").rglob("*/*"):
        if path.stat().st_size == MODEL_BYTES:
            path.chmod(0o644)
            path.write_bytes(bytes(MODEL_BYTES))
    for board in site.boards.values():
        for path in (board.home / ".cache" / "farm" / "cas").rglob("*/*"):
            path.unlink()
    outcome, _ = asyncio.run(site.bench(site.login))
    assert outcome.statuses() == COMPLETED, outcome.stderr
    assert "the relay gateway cannot be used: a file arrived damaged" in outcome.stderr
