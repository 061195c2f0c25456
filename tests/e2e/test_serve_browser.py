"""Live pages in a real browser, beside a real run on simulated devices."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.report.write import write_report
from farm.sim.fleet import fleet
from farm.sim.properties import Heat, Program, Properties
from farm.store.codec import results_to_json
from farm.store.journal import line_of
from farm.store.runs import RunDirectory
from tests.data.results import make
from tests.e2e.chromium import Tab, chromium, program
from tests.e2e.conftest import Farm, until
from tests.e2e.served import served
from tests.forked import Forks
from tests.unit.store.test_journal import events_of, planned

pytestmark = [
    pytest.mark.browser,
    pytest.mark.sshd,
    pytest.mark.skipif(program() is None, reason="needs Chromium"),
]

SLOW = Program(latency_ms=20, pace=1.0)
ROUNDS = "Number(document.querySelector('#cells tr td[data-label=rounds]').textContent.split(' ')[0])"
READY = "document.getElementById('state').textContent === 'live'"


@pytest.fixture
def farm(tmp_path: Path, forks: Forks) -> Farm:
    return Farm(tmp_path, forks)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    folder = tmp_path / "devices"
    folder.mkdir()
    return folder


def picture(tab, name: str) -> None:
    """For a person who looks at them: FARM_PICTURES=FOLDER."""
    folder = os.environ.get("FARM_PICTURES")
    if folder:
        tab.screenshot(Path(folder) / f"{name}.png")


async def test_a_round_of_a_run_that_goes_on_appears_without_a_reload(farm: Farm, devices: Path) -> None:
    kinds = {"arm-1": Properties(SLOW, heat=Heat()), "arm-2": Properties(SLOW)}
    async with fleet(kinds, devices) as running:
        inventory = str(running.inventory)
        words = (
            "--model",
            "bundled:tiny",
            "--rounds",
            "200",
            "--run-id",
            "grows",
            "--variant",
            "mt2=--multithread 2",
        )
        bench = farm.start("bench", "--inventory", inventory, *words)

        def look() -> None:
            with served(farm, "--inventory", inventory) as one, chromium() as tab:
                until((farm.folder / "runs" / "grows" / "journal.jsonl").exists, "the run")
                tab.open(f"{one.address}/")
                until(
                    lambda: tab.js("document.querySelector('#running tr')?.dataset.key") == "grows", "its row"
                )
                until(
                    lambda: "measuring" in tab.js("document.getElementById('running').textContent"), "a round"
                )
                picture(tab, "runs")
                tab.open(f"{one.address}/runs/grows")
                until(lambda: tab.js(READY), "events")
                tab.js("window.isTheSamePage = true")
                before = tab.js(ROUNDS)
                until(lambda: tab.js(ROUNDS) >= before + 2, "two more rounds")
                assert tab.js("window.isTheSamePage")
                assert tab.js("document.querySelector('#cells tr td[data-label=\"median, ms\"]').textContent")
                picture(tab, "run")
                tab.open(f"{one.address}/fleet")
                until(lambda: "grows" in tab.js("document.getElementById('fleet').textContent"), "the fleet")
                picture(tab, "fleet")
                assert tab.complaints() == []

        try:
            await asyncio.to_thread(look)
        finally:
            bench.kill()
            bench.communicate()


@pytest.fixture
def tab() -> Iterator[Tab]:
    with chromium() as opened:
        yield opened


def ended(farm: Farm, name: str, results) -> RunDirectory:
    directory = RunDirectory.create(farm.folder / "runs", name)
    directory.begin(planned(results)).close()
    (directory.path / "results.json").write_bytes(results_to_json(results))
    write_report(directory, results)
    return directory


def test_what_devices_and_users_wrote_is_text_on_live_pages(farm: Farm, tab: Tab) -> None:
    whole = make.hostile()
    file = RunDirectory.create(farm.folder / "runs", "odd").begin(planned(whole))
    for event in events_of(whole):
        file.append(line_of(event))
    ended(farm, "over", whole)
    with served(farm) as one:
        for page in ("/", "/runs/odd", "/runs/over"):
            tab.open(one.address + page)
            until(lambda: tab.js(READY), "events")
            assert tab.complaints() == []
            assert (
                tab.js("document.querySelectorAll('main script, img, iframe, object, main style').length")
                == 0
            )
            assert {address.split("/")[2] for address in tab.fetched()} == {f"127.0.0.1:{one.port}"}
            assert tab.js("typeof window.ran") == "undefined"
        tab.open(f"{one.address}/runs/odd")
        assert "<script>alert(1)</script>" in tab.js("document.getElementById('cells').textContent")
        picture(tab, "hostile")
    file.close()


def test_a_finished_report_opens_with_its_own_script_and_is_no_part_of_the_server(
    farm: Farm, tab: Tab
) -> None:
    ended(farm, "over", make.lab())
    with served(farm) as one:
        tab.open(f"{one.address}/")
        tab.js("document.querySelector('#others td[data-label=report] a').click()")
        until(lambda: "farm.live" and tab.js("typeof farm === 'object' && Boolean(farm.live)"), "its script")
        assert tab.js("origin") == "null"
        assert tab.js("fetch('/').then(() => 'read', () => 'refused')") == "refused"
        assert all(address.startswith(one.address) for address in tab.fetched())
        picture(tab, "report")


def test_pages_of_cells_beside_a_report_have_their_style(
    farm: Farm, tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.report.compose.MOST_INSIDE", 1)
    ended(farm, "over", make.lab())
    with served(farm) as one:
        tab.open(f"{one.address}/runs/over/files/cells/cell-1.html")
        assert tab.complaints() == []
        assert tab.js("getComputedStyle(document.body).maxWidth") != "none"


def test_pages_can_be_read_without_scripts_and_load_themselves_again(farm: Farm, tab: Tab) -> None:
    ended(farm, "over", make.lab())
    with served(farm) as one:
        tab.open(f"{one.address}/", scripts=False)
        text = tab.text()
        assert "over" in text
        assert "2026-11-2" in text
        assert '<noscript><meta http-equiv="refresh"' in one.ask("/").text


@pytest.mark.parametrize("width", [320, 1280])
def test_no_live_page_is_wider_than_its_screen(farm: Farm, tab: Tab, width: int) -> None:
    ended(farm, "over", make.lab())
    with served(farm) as one:
        for page in ("/", "/runs/over", "/fleet", "/runs/none"):
            tab.open(one.address + page, width=width)
            assert tab.js("document.documentElement.scrollWidth") <= width, page
        tab.open(f"{one.address}/", width=width, dark=True)
        picture(tab, f"dark-{width}")


def test_a_page_whose_server_is_gone_says_so_and_comes_back_by_itself(farm: Farm, tab: Tab) -> None:
    ended(farm, "over", make.small())
    with served(farm) as one:
        tab.open(f"{one.address}/")
        until(lambda: tab.js(READY), "events")
    until(lambda: "lost" in tab.js("document.getElementById('state').textContent"), "the loss")
    with served(farm, port=one.port):
        until(lambda: tab.js(READY), "the way back")
