"""`farm serve` beside real runs on simulated devices: who holds what, the actions, its end."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import pytest

from farm.sim.fleet import Fleet, fleet
from farm.sim.properties import Ending, Heat, Program, Properties
from tests.e2e.conftest import Farm, until
from tests.e2e.served import TOKEN, Served, served, token_file

pytestmark = pytest.mark.sshd

HANGING = Properties(Program(ending=Ending.HANG), heat=Heat())
FORM = {"Content_Type": "application/x-www-form-urlencoded"}
FAST = ("--deadline", "serve-fleet=0.5")


def post(one: Served, path: str, token: str | None = TOKEN, **fields: str):
    body = urlencode(fields | ({"token": token} if token else {}))
    return one.ask(path, "POST", body, **FORM)


def first_event(one: Served, path: str) -> dict:
    """What a page is told first."""
    with socket.create_connection(("127.0.0.1", one.port), timeout=60) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        with connection.makefile("rb") as stream:
            while not (line := stream.readline()).startswith(b"data: "):
                assert line
            return json.loads(line.removeprefix(b"data: "))


def holds(running: Fleet, name: str) -> Callable[[], object]:
    lease = running.devices[name].home / ".cache/farm/lease"
    return lambda: [*lease.glob("beat.*")]


def bench(farm: Farm, running: Fleet, *words: str):
    given = ("--model", "bundled:tiny", "--rounds", "9", *words)
    return farm.start("bench", "--inventory", str(running.inventory), *given)


async def test_the_fleet_shows_who_holds_each_device_its_heat_and_what_a_check_found(
    farm: Farm, devices: Path
) -> None:
    kinds = {
        "free": Properties(heat=Heat()),
        "held": HANGING,
        "late": Properties(tools=(("date", "echo 1000000000"),)),
    }
    async with fleet(kinds, devices) as running:

        def look() -> None:
            other = bench(farm, running, "--devices", "held", "--runs-dir", "elsewhere")
            until(holds(running, "held"), "the lease")
            try:
                with served(farm, "--inventory", str(running.inventory), *FAST) as one:
                    until(
                        lambda: "is behind" in (text := one.ask("/fleet").text) or "clock" in text, "a check"
                    )
                    until(lambda: " run " in one.ask("/fleet").text, "the holder")
                    until(lambda: "nothing found" in one.ask("/fleet").text, "the check of another device")
                    rows = first_event(one, "/events/fleet")["fleet"]["set"]
                    free, held, late = rows["d0"], rows["d1"], rows["d2"]
                    assert "free<span" in free
                    assert "&deg;C" in free
                    assert "nothing found" in free
                    assert " pid " in held
                    assert "not checked yet" in held  # its probe would start processes
                    assert "warning" in late
            finally:
                other.kill()
                other.communicate()

        await asyncio.to_thread(look)


async def test_a_device_that_a_run_of_this_machine_measures_is_not_connected_to(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"one": HANGING}, devices) as running:

        def look() -> None:
            run = bench(farm, running, "--run-id", "r")
            until(holds(running, "one"), "the lease")
            try:
                with served(farm, "--inventory", str(running.inventory), *FAST) as one:
                    before = logins(running)
                    for _ in range(5):
                        row = first_event(one, "/events/fleet")["fleet"]["set"]["d0"]
                        assert 'run <a href="/runs/r">r</a>' in row
                        until(lambda: one.ask("/fleet").status == 200, "another look")
                    assert logins(running) == before
            finally:
                run.kill()
                run.communicate()

        await asyncio.to_thread(look)


def logins(running: Fleet) -> int:
    """Connections to the devices now."""
    return sum(device.connections for device in running.devices.values())


async def test_a_lease_is_ended_in_two_steps_and_only_the_one_that_was_shown(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"one": HANGING}, devices) as running:

        def look() -> None:
            run = bench(farm, running, "--runs-dir", "elsewhere")
            until(holds(running, "one"), "the lease")
            token = str(token_file(farm.folder))
            try:
                with served(farm, "--inventory", str(running.inventory), "--token-file", token) as one:
                    asked = post(one, "/fleet/release", device="one")
                    assert (asked.status, " pid " in asked.text) == (200, True)
                    epoch = asked.text.partition('name="epoch" value="')[2].partition('"')[0]
                    assert TOKEN not in asked.text
                    other = post(one, "/fleet/release", device="one", epoch=str(int(epoch) + 1))
                    assert (other.status, "nothing was ended" in other.text) == (409, True)
                    assert run.returncode is None
                    done = post(one, "/fleet/release", device="one", epoch=epoch)
                    assert (done.status, "is broken" in done.text) == (200, True)
                    assert farm.end(run).code == 4
                    assert post(one, "/fleet/release", device="none").status == 400
            finally:
                run.kill()
                run.communicate()

        await asyncio.to_thread(look)


async def test_a_run_is_cancelled_as_by_ctrl_c_with_the_token_and_not_without(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"one": HANGING}, devices) as running:

        def look() -> None:
            run = bench(farm, running, "--run-id", "r")
            until(holds(running, "one"), "the lease")
            token = str(token_file(farm.folder))
            with served(farm, "--inventory", str(running.inventory), "--token-file", token) as one:
                for wrong in (None, "", TOKEN[:-1], TOKEN + "x", "\udcff"[:0] + "é" * 26):
                    assert post(one, "/runs/r/cancel", token=wrong).status == 403
                assert one.ask(f"/runs/r/cancel?token={TOKEN}", "POST", "", **FORM).status == 403
                body = urlencode({"token": TOKEN})
                for header in ({"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}):
                    assert one.ask("/runs/r/cancel", "POST", body, **FORM, **header).status == 403
                assert one.ask("/runs/r/cancel").status == 405
                assert post(one, "/runs/none/cancel").status == 404
                assert run.returncode is None
                done = one.ask("/runs/r/cancel", "POST", "", Authorization=f"Bearer {TOKEN}")
                assert (done.status, "SIGINT" in done.text) == (200, True)
                assert farm.end(run).code == 130
                again = post(one, "/runs/r/cancel")
                assert (again.status, "no process of this user" in again.text) == (409, True)
                said = farm.interrupt(one.process, signal.SIGTERM)
            assert TOKEN not in said.stdout + said.stderr

        await asyncio.to_thread(look)


async def test_ctrl_c_ends_it_with_open_pages_and_open_connections_and_leaves_nothing(
    farm: Farm, devices: Path
) -> None:
    async with fleet({"one": Properties()}, devices) as running:

        def look() -> None:
            with served(farm, "--inventory", str(running.inventory), *FAST) as one:
                until(lambda: "free<span" in one.ask("/fleet").text, "the device")
                page = socket.create_connection(("127.0.0.1", one.port), timeout=60)
                with page:
                    page.sendall(b"GET /events/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert page.recv(100)
                    # Two for a moment, where one that took too long is let go.
                    until(lambda: logins(running) == 1, "one connection")
                    ended = farm.interrupt(one.process, signal.SIGINT)
            assert ended.code == 130
            assert "Traceback" not in ended.stderr
            until(lambda: logins(running) == 0, "the end of the agent")

        await asyncio.to_thread(look)


async def test_connections_end_when_nobody_looks_any_more(farm: Farm, devices: Path, monkeypatch) -> None:
    monkeypatch.setattr("farm.serve.fleet.STAYS_S", 0.2)
    from farm.inventory import read_devices
    from farm.model.limits.deadlines import Deadlines
    from farm.serve.fleet import Fleet as Looked
    from farm.serve.shelf import Shelf

    async with fleet({"one": Properties()}, devices) as running:
        inventory, chosen = await asyncio.to_thread(read_devices, running.inventory, "*")
        looked = Looked(inventory, chosen, Shelf(farm.folder / "runs"), Deadlines(serve_fleet_s=0.1))
        while (await looked.look())[0].lease is None:
            await asyncio.sleep(0.05)
        assert looked._watching is not None
        await looked._watching
        assert await asyncio.to_thread(logins, running) == 0
        while (await looked.look())[0].health is None:  # and begin again
            await asyncio.sleep(0.05)
        await looked.close()
