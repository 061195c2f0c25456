"""The report of a release in a real browser, opened as a file, as a person opens it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.release.compose import compose
from farm.release.links import Links
from farm.release.render import render
from farm.report.compose import compose as compose_run
from farm.report.render import render as render_run
from tests.data.results import make
from tests.e2e.chromium import chromium, program
from tests.unit.release.made import compared, keep, lease, release, wrong

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="needs Chromium"),
]


@pytest.fixture(scope="module")
def tab():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    """Three versions in two runs, one with wrong outputs and one with names that are markup."""
    folder = tmp_path_factory.mktemp("release")
    name = "<img src=x onerror=alert(1)>"
    lab = wrong(lease("lab", {"1.13": 1, "1.14": 1, "1.15": 1.1}, ["arm-1", name]), "arm-1/m/fp32@1.15")
    builds = {"old": "1.13", "new": "1.15"}
    other = compared()
    cells = tuple(replace(one, build=builds.get(one.build, one.build)) for one in other.cells)
    renamed = {before.id: after.id for before, after in zip(other.cells, cells, strict=True)}
    comparisons = tuple(
        replace(one, baseline=renamed[one.baseline], candidate=renamed[one.candidate])
        for one in other.comparisons
    )
    results = [lab, replace(other, cells=cells, comparisons=comparisons)]
    for one in results:
        keep(one, folder / "runs")
        (folder / "runs" / one.run_id / "report.html").write_text(render_run(compose_run(one)), "utf-8")
    made = release(*results)
    runs = tuple(replace(run, folder=folder / "runs" / run.run_id, has_report=True) for run in made.runs)
    path = folder / "release.html"
    path.write_text(render(compose(replace(made, runs=runs), Links(runs, path), "Made for a test.")), "utf-8")
    return path


@pytest.mark.parametrize("width", [320, 1280])
def test_a_release_asks_for_nothing_but_itself_and_fits_every_screen(tab, page, width) -> None:
    tab.open(page, width=width)
    assert tab.fetched() == [page.as_uri()]
    assert tab.complaints() == []
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.js("document.querySelectorAll('main img, main script, main style').length") == 0


def test_the_decision_its_reasons_and_the_summary_are_there_without_scripts(tab, page) -> None:
    tab.open(page, scripts=False)
    text = tab.text()
    for said in ("NO-GO", "Wrong outputs", "Confirmed regressions", "Confirmed improvements", "Not decided"):
        assert said in text, said
    order = "[...document.querySelectorAll('main > section')].map(section => section.id)"
    tab.open(page)
    assert tab.js(order)[:3] == ["decision", "wrong", "slower"]
    assert tab.js("document.querySelector('.decision b').textContent") == "NO-GO"
    assert tab.js("document.querySelector('.decision').getBoundingClientRect().bottom") < 300


def test_the_summary_is_copied_as_five_lines_of_plain_text(tab, page) -> None:
    tab.open(page)
    tab.js("navigator.clipboard.writeText = async text => { window.copied = text }")
    tab.js("document.querySelector('.summary button').click()")
    lines = tab.js("window.copied").split("\n")
    assert len(lines) == 5
    assert lines[0].startswith("NO-GO: 1.15 against 1.13: 1 cell with wrong outputs")


def test_a_box_of_the_map_leads_to_its_cell_in_the_report_of_its_run(tab, page) -> None:
    tab.open(page)
    boxes = "[...document.querySelectorAll('.heat-map td a')]"
    assert "slower" in tab.js(f"{boxes}.map(link => link.textContent).join(' ')")
    words = tab.js("[...document.querySelectorAll('.heat-map td')].map(box => box.textContent.trim())")
    assert all(any(sign in word for sign in "\u25b2\u25bc?\u2717=\u00b7") for word in words)
    tab.open(tab.js(f"{boxes}.find(link => link.href.includes('release-1.14')).href"))
    assert tab.js("document.querySelector('h1').textContent") == "release-1.14"
    assert tab.js("document.querySelector(location.hash) !== null")


def test_a_release_prints_and_follows_the_colours_of_the_system(tab, page) -> None:
    background = "getComputedStyle(document.documentElement).backgroundColor"
    tab.open(page, dark=True)
    assert tab.js(background) == "rgb(22, 23, 26)"
    assert tab.pdf().startswith(b"%PDF")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.js(background) == "rgb(255, 255, 255)"
    assert tab.js("getComputedStyle(document.querySelector('.release-head nav')).display") == "none"


def test_nothing_compared_and_hostile_names_are_a_page_all_the_same(tab, tmp_path) -> None:
    made = release(make.hostile(), replace(make.small(), run_id="b"))
    path = tmp_path / "page.html"
    path.write_text(render(compose(made, Links(made.runs, path), "")), "utf-8")
    tab.open(path, width=390)
    assert tab.complaints() == []
    assert "nothing was compared" in tab.js("document.querySelector('.decision').textContent")
    assert tab.js("document.documentElement.scrollWidth") <= 390
