"""What the macros make of the figures."""

from __future__ import annotations

import re

import pytest

from tests.data.figures import gallery
from tests.unit.report.test_render import OUR_ELEMENTS, Page


@pytest.fixture(scope="module")
def html():
    return gallery.page()


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_every_position_lies_in_its_picture(html):
    percents = re.findall(r' (?:c?[xyr]|[xy][12]|width|height)="(-?[\d.]+)%"', html)
    assert len(percents) > 1000
    assert all(0 <= float(one) <= 100 for one in percents)
    corners = [
        pair for path in re.findall(r' d="([^"]*)"', html) for pair in re.findall(r"(-?\d+),(-?\d+)", path)
    ]
    assert len(corners) > 500
    assert all(0 <= int(x) <= 4000 and 0 <= int(y) <= 1000 for x, y in corners)
    assert not re.search(r"\b(?:nan|inf)\b", re.sub(r"(?s)<style>.*?</style>", "", html))


def test_hostile_names_stay_text_and_no_figure_has_a_script_a_style_or_an_id(page):
    body = [(tag, attrs) for tag, attrs in page.elements if tag not in {"html", "head", "meta", "style"}]
    assert {tag for tag, _ in body} <= OUR_ELEMENTS
    assert not [tag for tag, _ in body if tag == "script"]
    assert not [
        name for _, attrs in body for name in attrs if name.startswith("on") or name in {"style", "id"}
    ]
    assert page.text.count("<script>window.ran") > 3


def test_every_picture_says_what_it_is_to_who_does_not_see_it(html):
    pictures = re.findall(r'<svg [^>]*role="img"[^>]*>(.{20})', html)
    assert len(pictures) == html.count('role="img"') > 20
    assert all(found.startswith("<title>") for found in pictures)
