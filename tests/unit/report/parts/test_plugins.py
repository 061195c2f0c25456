"""Sections of plugins: data that the report's own template shows, and a note in the place of one that fails."""

from __future__ import annotations

import re
import sys
from html import unescape
from pathlib import Path

import pytest

from farm.report.compose import compose
from farm.report.parts import plugins as parts
from farm.report.parts.plugins import plugin_sections
from farm.report.render import render
from tests.data.results import make
from tests.unit.plugins.packages import package

IMPORTS = "from farm.plugins import Section, Table\n"
POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


def shown() -> str:
    results = make.small()
    return render(compose(results, plugin_sections(results)))


def section_of(page: str, number: int = 1) -> str:
    (found,) = re.findall(rf'<section id="plugin-{number}">(.*?)</section>', page, re.DOTALL)
    return found


def test_a_section_stands_in_the_report_and_in_its_table_of_contents(site: Path) -> None:
    code = (
        "def f(results):\n"
        " return Section('Costs', ('In euros.', Table(('cell', 'cost'), [(results.cells[0].id, 1.25), ('sum', None)], 'All')))"
    )
    package(site, "costs", IMPORTS + code, report_sections="x=f")
    page = shown()
    section = section_of(page)
    assert '<a href="#plugin-1">Costs</a>' in page
    assert "<h2>Costs</h2>" in section
    assert "In euros." in section
    assert '<td class="number">1.25</td>' in section
    assert f"<td>{make.small().cells[0].id}</td>" in section
    assert "<h3>All</h3>" in section
    assert "By the plugin x of costs 1.0." in section


def test_nothing_that_a_plugin_writes_is_html_and_the_policy_stays_as_it_is(site: Path) -> None:
    plain = shown()
    code = (
        "from markupsafe import Markup\n"
        "bad = '<script>alert(1)</script><img src=http://x>\\u202e'\n"
        "def f(results): return Section(Markup(bad), (Markup(bad), Table((Markup(bad),), [(Markup(bad),)], Markup(bad))))"
    )
    package(site, "bad", IMPORTS + code, report_sections="x=f")
    page = shown()
    assert "<script>" not in section_of(page)
    assert "<img" not in page
    assert unescape(section_of(page)).count("<script>alert(1)</script><img src=http://x><U+202E>") == 6
    assert "\u202e" not in page
    assert POLICY.findall(page) == POLICY.findall(plain)


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError"),
        ("def f(results): return 1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("def f(results): raise SystemExit(1)", "failed: SystemExit: 1"),
        ("def f(results): raise KeyboardInterrupt", "made no section that can be shown: KeyboardInterrupt"),
        ("def f(results): return 'text'", "made str instead of a farm.plugins.Section"),
        ("def f(results): return Section('t', 5)", "made no section that can be shown: TypeError"),
        ("def f(results): return Section('t', [5])", "made int instead of a paragraph (str) or a farm.plugins.Table"),
        ("def f(results): return Section('t', [Table(('a',), [5])])", "made no section that can be shown: TypeError"),
        ("def f(results): return Section('t', (1 / 0 for _ in [1]))", "made no section that can be shown: ZeroDiv"),
    ],
)  # fmt: skip
def test_one_that_fails_is_a_section_that_says_so(site: Path, code: str, why: str) -> None:
    package(site, "broken", IMPORTS + code, report_sections="x=f")
    package(
        site, "good", IMPORTS + "def f(results): return Section('Good', ['all well'])", report_sections="y=f"
    )
    page = shown()
    assert f"the plugin x of broken 1.0 {why}" in unescape(section_of(page))
    assert '<a href="#plugin-1">x</a><a href="#plugin-2">Good</a>' in page.replace("\n", "")
    assert "all well" in section_of(page, 2)


def test_one_that_does_not_end_is_left_alone(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import threading\nended = threading.Event()\ndef f(results): print('begun'); ended.wait(60)"
    package(site, "hangs", code, report_sections="x=f")
    monkeypatch.setattr(parts, "LIMIT_S", 0.05)
    try:
        assert "the plugin x of hangs 1.0 did not end in 0.05 s" in section_of(shown())
        print("a result")
    finally:
        sys.modules["hangs"].ended.set()
    assert capsys.readouterr() == ("a result\n", "begun\n")


def test_one_that_has_nothing_to_say_is_not_there(site: Path) -> None:
    package(site, "quiet", "def f(results): return None", report_sections="x=f")
    assert "plugin-1" not in shown()


def test_what_no_page_can_hold_is_cut_and_counted(site: Path) -> None:
    code = (
        "def f(results): return Section('t' * 1000, [Table([str(i) for i in range(99)], [[1] * 99] * 1500)]"
        " + ['w' * 100000] + ['p'] * 100)"
    )
    package(site, "large", IMPORTS + code, report_sections="x=f")
    section = section_of(shown())
    assert len(section) < 1_000_000
    assert "And 1000 more rows." in section
    assert "And 52 more paragraphs and tables." in section
    assert section.count('<th scope="col">') == parts.MOST_COLUMNS


def test_rows_have_a_value_for_each_column(site: Path) -> None:
    code = "def f(results): return Section('t', [Table(('a', 'b'), [(1,), (1, True, 3)])])"
    package(site, "ragged", IMPORTS + code, report_sections="x=f")
    rows = re.findall(r"<tr>(<td.*?)</tr>", section_of(shown()))
    assert [row.count("<td") for row in rows] == [2, 2]
    assert "<td>True</td>" in rows[1]
