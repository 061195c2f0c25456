"""The figures of the report in a real browser, on screens of any width."""

from __future__ import annotations

import pytest

from tests.data.figures import gallery
from tests.e2e.chromium import chromium, program

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="needs Chromium"),
]

OUTSIDE = """[...document.querySelectorAll("figure, figure .plot, figure svg[role], .whisker-figure, figure text, figure li")]
    .filter(one => { const box = one.getBoundingClientRect(); return box.left < -1 || box.right > innerWidth + 1; })
    .map(one => one.outerHTML.slice(0, 99))"""

OVERLAPPING = """[...document.querySelectorAll("figure svg[role]")].flatMap(picture => {
    const ticks = [...picture.querySelectorAll("text.tick")].map(one => [one.textContent, one.getBoundingClientRect()]);
    return ticks.flatMap(([a, x], i) => ticks.slice(i + 1).filter(([b, y]) =>
        x.left < y.right - 1 && y.left < x.right - 1 && x.top < y.bottom - 4 && y.top < x.bottom - 4).map(([b]) => a + "|" + b));
})"""

COVERED = """[...document.querySelectorAll("figure .rows")].flatMap(rows => {
    const texts = [...rows.querySelectorAll(".row-texts span")].map(one => [one.textContent, one.getBoundingClientRect()]);
    return [...rows.querySelectorAll("svg rect")].map(one => one.getBoundingClientRect()).flatMap(bar =>
        texts.filter(([_, text]) => text.top < bar.bottom - 1 && bar.top < text.bottom - 1).map(([text]) => text));
})"""

UNSEEN = """[...document.querySelectorAll("figure svg[role], .whisker-figure, .sparkline > svg")]
    .filter(one => one.getBoundingClientRect().width < 150).length"""


@pytest.fixture(scope="module")
def tab():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("figures") / "gallery.html"
    path.write_text(gallery.page(), "utf-8")
    return path


@pytest.mark.parametrize(("width", "dark", "scripts"), [(320, False, True), (1280, True, False)])
def test_figures_fit_their_screen_their_numbers_do_not_overlap_and_the_console_is_quiet(
    tab, page, width, dark, scripts
):
    tab.open(page, width=width, dark=dark, scripts=scripts)
    assert tab.js("document.documentElement.scrollWidth") <= width
    assert tab.js(OUTSIDE) == []
    assert tab.js(OVERLAPPING) == []
    assert tab.js(UNSEEN) == 0
    assert tab.js(COVERED) == []  # bars, by the names that stand over them
    assert tab.complaints() == []
    assert tab.fetched() == [page.as_uri()]
    assert tab.js("typeof window.ran") == "undefined"


def test_text_of_figures_has_enough_contrast_on_light_dark_and_printed_paper(tab, page):
    """At least 4.5 to 1, by the formula of WCAG 2.1 (relative luminance)."""
    contrast = """(() => {
        const light = text => { const rgb = text.match(/[\\d.]+/g).slice(0, 3).map(n => n / 255)
            .map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
            return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]; };
        const paper = light(getComputedStyle(document.documentElement).backgroundColor);
        const ratio = text => { const pair = [light(text), paper].sort((a, b) => b - a);
            return (pair[0] + 0.05) / (pair[1] + 0.05); };
        return Math.min(...[...document.querySelectorAll("figure text")].map(one => ratio(getComputedStyle(one).fill)));
    })()"""
    for dark, media in ((False, "screen"), (True, "screen"), (False, "print")):
        tab.open(page, dark=dark)
        if media == "print":
            tab.call("Emulation.setEmulatedMedia", media="print")
        assert tab.js(contrast) >= 4.5
    tab.call("Emulation.setEmulatedMedia", media="")
