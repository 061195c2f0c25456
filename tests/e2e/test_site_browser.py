"""A site in a real browser, opened as files, as a person opens it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.report.compose import compose
from farm.report.render import render
from farm.site.build import build
from farm.store.codec import results_to_json
from tests.data.results import make
from tests.e2e.chromium import chromium, program

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def tab():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site below a folder whose name no address takes as it is."""
    folder = tmp_path_factory.mktemp("site")
    for name in ("hostile", "compared", "small"):
        run = folder / "runs" / name
        run.mkdir(parents=True)
        made = make.EXAMPLES[name]()
        (run / "results.json").write_bytes(results_to_json(made))
        (run / "report.html").write_text(render(compose(made)), "utf-8")
    later = replace(make.small(), run_id="later", started_at="2026-11-24T02:00:00+00:00")
    (folder / "runs" / "later").mkdir()
    (folder / "runs" / "later" / "results.json").write_bytes(results_to_json(later))
    (folder / "runs" / "cut").mkdir()
    (folder / "runs" / "cut" / "results.json").write_text("{")
    out = folder / "a b#c?d" / "public"
    build(out, folder / "runs", (), prune=False, told=lambda *_: None)
    return out


def shown(tab):
    return tab.js("[...document.querySelectorAll('[data-row]')].filter(row => row.checkVisibility()).length")


@pytest.mark.parametrize("page", ["index.html", "trends/shufflenet_v2.html"])
def test_a_page_of_a_site_asks_for_nothing_but_itself_and_fits_a_phone(tab, site, page):
    tab.open(site / page, width=390)
    assert tab.fetched() == [(site / page).as_uri()]
    assert tab.complaints() == []
    assert tab.js("document.documentElement.scrollWidth") <= 390
    assert tab.js("getComputedStyle(document.querySelector('.rows')).borderTopStyle") == "solid"


def test_the_index_finds_runs_and_leads_to_reports_and_trends_and_back(tab, site):
    tab.open(site / "index.html")
    assert shown(tab) == 5
    assert tab.js("document.querySelectorAll('.unreadable').length") == 1
    tab.js("""(() => {
        const form = document.querySelector(".tools");
        form.elements.text.value = "SLOWER arm-1";
        form.dispatchEvent(new Event("input"));
    })()""")
    assert shown(tab) == 1
    assert tab.js("document.querySelector('output').textContent") == "1 of 5"
    tab.open(tab.js("[...document.querySelectorAll('a')].find(a => a.href.includes('runs/compared')).href"))
    assert tab.js("document.querySelector('h1').textContent") == "release-1.14"
    tab.open(site / "index.html")
    tab.open(tab.js("[...document.querySelectorAll('a')].find(a => a.textContent == 'shufflenet_v2').href"))
    assert tab.js("document.querySelectorAll('svg.spark').length") == shown(tab) > 2
    tab.js("document.querySelector('details').open = true")
    tab.open(tab.js("document.querySelector('details a').href"))
    assert "report" in tab.js("document.title")


def test_what_a_device_wrote_is_text_in_a_site(tab, site):
    tab.open(site / "index.html")
    assert "<script>alert(1)</script>" in tab.js("document.body.innerText")
    assert tab.js("document.querySelectorAll('main script, img, iframe, object, main style').length") == 0
    tab.js("document.querySelectorAll('a').forEach(a => { if (a.protocol !== 'file:') throw a.href })")


def test_without_scripts_everything_is_there_but_the_filter(tab, site):
    tab.open(site / "index.html", scripts=False)
    assert "release-1.14" in tab.text()
