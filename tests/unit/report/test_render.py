import hashlib
import re
from base64 import b64encode
from dataclasses import replace
from html.parser import HTMLParser
from itertools import product
from typing import Any

import jinja2
import pytest

from farm import resources
from farm.report.compose import compose
from farm.report.render import render
from farm.store.codec import results_from_json
from tests.data.results import make

OUR_ELEMENTS = set(
    re.findall(
        r"\w+",
        """html head meta title style script body header main section article nav form p h1 h2 h3 b em span a code
        pre dl dt dd div ul li label input output table thead tbody tr th td details summary figure figcaption svg
        line circle rect path text g desc ol br""",
    )
)


class Page(HTMLParser):
    """What a browser would make of a report: elements, attributes and the text of scripts and styles."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._inside = None
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._inside = tag if tag in self.raw else None

    def handle_endtag(self, tag):
        self._inside = None

    def handle_data(self, data):
        if self._inside:
            self.raw[self._inside].append(data)
        else:
            self.text += data

    def values(self, attribute):
        return [attrs[attribute] for _, attrs in self.elements if attribute in attrs]


@pytest.fixture(scope="module", params=make.EXAMPLES)
def html(request):
    return render(compose(make.EXAMPLES[request.param]()))


@pytest.fixture(scope="module")
def page(html):
    return Page(html)


def test_nothing_in_a_report_names_an_address_to_fetch(html, page):
    for attribute in (
        "src",
        "srcset",
        "data",
        "action",
        "poster",
        "background",
        "xlink:href",
        "style",
        "ping",
    ):
        assert page.values(attribute) == []
    assert not re.search(r"@import|url\(", "".join(page.raw["style"]))
    assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|import\(|sendBeacon", page.raw["script"][-1])


def test_links_stay_in_the_page_or_in_the_folder_beside_it(page):
    for href in page.values("href"):
        assert re.fullmatch(r"#[a-z]+(-\d+)?|\./[^:\\]+", href), href
        assert "/../" not in href


def test_nothing_that_a_device_wrote_becomes_an_element_or_a_handler(page):
    assert {tag for tag, _ in page.elements} <= OUR_ELEMENTS
    kinds = [attrs.get("type") for tag, attrs in page.elements if tag == "script"]
    assert [kind for kind in kinds if kind != "application/gzip"] == ["application/json", None]
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on")]


def test_the_policy_lets_only_our_style_and_our_script_run(page):
    policy = page.values("content")[0]
    for kind in ("script", "style"):
        digest = b64encode(hashlib.sha256(page.raw[kind][-1].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_ids_are_unique_and_links_within_the_page_lead_somewhere(page):
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in page.values("href") if href.startswith("#")} <= set(ids)


@pytest.mark.parametrize("name", make.EXAMPLES)
def test_the_run_can_be_read_back_from_the_file_alone(name):
    results = make.EXAMPLES[name]()
    embedded = Page(render(compose(results))).raw["script"][0]
    assert "<" not in embedded
    assert results_from_json(embedded.encode(), "embedded") == results


def test_template_code_in_a_name_is_text():
    name = "{{ 7 * 7 }}{% raw %}"
    assert name in Page(render(compose(replace(make.small(), run_id=name)))).text


def test_two_renderings_are_the_same_bytes():
    assert render(compose(make.small())) == render(compose(make.small()))


def test_a_name_that_the_view_does_not_have_is_an_error():
    empty: Any = object()
    view = replace(compose(make.small()), method=empty)
    with pytest.raises(jinja2.UndefinedError):
        render(view)


def test_a_report_says_everything_in_words(page):
    symbols = {status for tag, attrs in page.elements if (status := attrs.get("data-status"))}
    assert all(word in page.text for word in symbols)


def test_a_failed_cell_shows_stage_fault_cause_message_and_the_next_command():
    text = Page(render(compose(make.lab()))).text
    for said in (
        "connect",
        "network",
        "unreachable",
        "did not answer within 10 s",
        "farm devices check arm-3",
    ):
        assert said in text


@pytest.mark.no_cover
def test_many_cells_make_a_file_of_at_most_twelve_kilobytes_each():
    results = make.many(200)
    assert len(render(compose(results)).encode()) < 12_000 * len(results.cells)


def palettes():
    """The colours by scheme: light, dark and print, each as custom property -> red, green, blue."""
    made = []
    for file, start in (
        ("base.css", ":root {\n  color-scheme"),
        ("base.css", "  :root {"),
        ("print.css", "  :root {"),
    ):
        css = (resources.folder("reports") / "css" / file).read_text()
        block = css[css.index(start) :].split("}")[0]
        found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{3,6});", block))
        assert "paper" in found
        made.append({name: _rgb(colour) for name, colour in found.items()})
    return dict(zip(("light", "dark", "print"), made, strict=True))


def _rgb(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(d * 2 for d in colour[1:])
    return [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]


def _luminance(rgb):
    """Relative luminance, WCAG 2.2."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark", "print"])
def test_text_and_marks_have_the_contrast_of_wcag_aa(scheme):
    colours = palettes()[scheme]
    pairs = [
        (*pair, 4.5) for pair in product(("ink", "quiet"), ("paper", "raised", "failed-soft", "differs-soft"))
    ]
    pairs += [("failed", "paper", 4.5), ("failed", "failed-soft", 4.5), ("data", "paper", 4.5)]
    pairs += [("strong-line", "paper", 3.0)]  # the outline of a field, a mark in a figure
    for front, back, least in pairs:
        dark, light = sorted((_luminance(colours[front]), _luminance(colours[back])))
        assert (light + 0.05) / (dark + 0.05) >= least, (front, back)
