"""The pages of cells of a large run, and the sections of other rooms."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from farm.errors import RunError
from farm.report import compose as composing
from farm.report.compose import compose
from farm.report.demand import OnDemand
from farm.report.pages import pages
from farm.report.parts.environment import by_value, compose_environment
from farm.report.render import render
from farm.report.sections import SECTIONS, More, shown_sections
from farm.report.write import write_report
from farm.store.runs import RunDirectory
from tests.data.results import make
from tests.unit.report.test_render import OUR_ELEMENTS, Page


@pytest.fixture
def few_inside(monkeypatch):
    monkeypatch.setattr(composing, "MOST_INSIDE", 1)


def test_a_run_that_fits_into_its_report_has_no_pages():
    assert list(pages(make.compared())) == []


@pytest.mark.usefixtures("few_inside")
def test_every_cell_of_a_large_run_has_a_page_and_the_report_links_only_to_those(tmp_path):
    run = RunDirectory(tmp_path)
    report = write_report(run, make.compared())
    written = {file.name for file in (tmp_path / "cells").iterdir()}
    assert written == {"pages.css", *(f"cell-{number}.html" for number in range(1, 15))}
    linked = re.findall(r'href="\./cells/([^"#]+)(?:#context-\d+)?"', report.read_text("utf-8"))
    assert linked
    assert set(linked) <= written
    page = (tmp_path / "cells" / "cell-2.html").read_text("utf-8")
    assert 'href="../report.html"' in page
    assert "confirm 30" in page


@pytest.mark.usefixtures("few_inside")
def test_pages_of_a_hostile_run_show_text_only():
    (sheet, _), *made = pages(make.hostile())
    for _, html in made:
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e\u200b]", html)
        page = Page(html)
        assert {tag for tag, _ in page.elements} <= OUR_ELEMENTS | {"link"}
        assert [attrs for tag, attrs in page.elements if tag == "link"] == [
            {"rel": "stylesheet", "href": sheet}
        ]
        assert "script" not in {tag for tag, _ in page.elements}
        assert all(
            re.fullmatch(r"(\.\./)?\./[^:\\]+|\.\./report\.html|pages\.css", href)
            for href in page.values("href")
        )


@pytest.mark.usefixtures("few_inside")
def test_a_device_with_the_name_of_a_page_keeps_its_folder(tmp_path):
    (tmp_path / "cells" / "cell-2.html" / "kept").mkdir(parents=True)
    write_report(RunDirectory(tmp_path), make.compared())
    assert (tmp_path / "cells" / "cell-2.html" / "kept").is_dir()
    assert (tmp_path / "cells" / "cell-14.html").is_file()
    assert not list((tmp_path / "cells").glob(".*"))


@pytest.mark.usefixtures("few_inside")
def test_a_device_with_the_name_of_the_style_sheet_keeps_its_folder(tmp_path):
    (tmp_path / "cells" / "pages.css" / "kept").mkdir(parents=True)
    write_report(RunDirectory(tmp_path), make.compared())
    assert (tmp_path / "cells" / "pages.css" / "kept").is_dir()
    assert (tmp_path / "cells" / "cell-14.html").is_file()


@pytest.mark.usefixtures("few_inside")
def test_pages_share_their_style_and_their_policy_lets_nothing_else_in():
    (name, style), *made = pages(make.compared())
    assert (name, "@import" in style, "url(" in style) == ("pages.css", False, False)
    for _, html in made:
        page = Page(html)
        assert page.values("content")[0] == (
            "default-src 'none'; style-src 'self' file:; base-uri 'none'; form-action 'none'"
        )
        assert not page.raw["style"] + page.raw["script"]
        assert "@media" not in html


@pytest.mark.usefixtures("few_inside")
def test_details_of_a_large_run_are_made_one_at_a_time():
    asked = []

    def make_one(cell):
        asked.append(cell)
        return {"elsewhere": cell}

    results = make.compared()
    more = More(cells=OnDemand([cell.id for cell in results.cells], make_one))
    made = pages(results, more)
    assert not asked
    next(made)
    next(made)
    assert asked == [results.cells[0].id]


@pytest.mark.usefixtures("few_inside")
def test_a_page_that_cannot_be_written_is_an_error_of_the_run_and_the_report_is_there(tmp_path):
    (tmp_path / "cells").write_text("a file")
    with pytest.raises(RunError, match="cells"):
        write_report(RunDirectory(tmp_path), make.compared())
    assert (tmp_path / "report.html").is_file()


def test_sections_are_shown_in_their_order_where_they_have_content():
    names = [section.name for section, _ in shown_sections(compose(make.compared()))]
    assert names == ["comparisons", "table", "matrix", "problems", "cells", "environment", "method"]
    assert [one for one in (section.name for section in SECTIONS) if one in names] == names


def test_what_other_rooms_found_comes_into_its_section():
    more = More(run={"operators": ["conv1"]}, cells={make.small().cells[0].id: {"memory": 1}})
    view = compose(make.small(), more)
    assert ("operators", ["conv1"]) in [(section.name, content) for section, content in shown_sections(view)]
    assert [cell.more.get("memory") for cell in view.cells] == [1, None]


def test_the_environment_of_many_devices_is_the_values_of_each_fact():
    few = make.lab().devices
    many = [
        replace(few[0], name=f"arm-{number}", engine=f"MegEngine {number // 10}") for number in range(120)
    ]
    shared = {one.label: one for one in by_value(compose_environment(many)).shared}
    engine = shared["engine"]
    assert next((one.text, one.devices, one.more) for one in engine.values) == ("MegEngine 0", 10, 6)
    assert (len(engine.values), engine.left_out) == (8, 4)
    assert "address" not in shared


@pytest.mark.usefixtures("few_inside")
def test_a_large_report_of_many_devices_says_which_values_they_have(monkeypatch):
    monkeypatch.setattr(composing, "MOST_COLUMNS", 2)
    assert "Values of each fact on 6 devices" in Page(render(compose(make.lab()))).text
