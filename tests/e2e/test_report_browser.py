"""Reports in a real browser, opened as files, as a person opens them."""

import json
import re
from dataclasses import replace

import pytest

from farm.report.compose import compose
from farm.report.render import render
from farm.report.write import write_report
from farm.store.runs import RunDirectory
from tests.data.results import make
from tests.e2e.chromium import chromium, program

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(program() is None, reason="needs Chromium"),
]

HIDDEN = "getComputedStyle(document.querySelector('{}')).display === 'none'"
SHOWN_CELLS = (
    "[...document.querySelectorAll('.matrix td[data-status]')].filter(td => td.checkVisibility()).length"
)


@pytest.fixture(scope="module")
def tab():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")

    def path_of(name):
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(render(compose(make.EXAMPLES[name]())), "utf-8")
        return path

    return path_of


READY = "new Promise(done => { const look = () => farm.live ? done(1) : setTimeout(look, 5); look(); })"
ROWS = """[...document.querySelectorAll('.grid-body > .grid-row')].sort((a, b) => a.ariaRowIndex - b.ariaRowIndex)
    .map(row => [...row.children].map(cell => cell.textContent.trim()).join('|'))"""
OUTPUT = "document.querySelector('.actions output').textContent"


def opened(tab, page, address="", **how):
    """The report with its table; `address` is the state of its view."""
    tab.open("about:blank")
    tab.open(page.as_uri() + address, **how)
    tab.js(READY)


def choose(tab, **values):
    """Fields of the table's tools, by name."""
    tab.js(f"""(() => {{
        const form = document.querySelector(".tools");
        for (const [name, value] of Object.entries({json.dumps(values)})) {{
            if (typeof value === "boolean") form.elements[name].checked = value; else form.elements[name].value = value;
        }}
        form.dispatchEvent(new Event("input"));
    }})()""")


@pytest.mark.parametrize("name", make.EXAMPLES)
def test_a_report_asks_for_nothing_but_itself_and_the_console_is_quiet(tab, report, name):
    tab.open(report(name))
    assert tab.fetched() == [report(name).as_uri()]
    assert tab.complaints() == []
    assert tab.js("getComputedStyle(document.body).maxWidth") != "none"  # our style was let in by the policy


def test_what_a_device_wrote_is_shown_and_never_run(tab, report):
    tab.open(report("hostile"))
    assert tab.js("document.querySelector('h1').textContent") == "<script>alert(1)</script>"
    assert (
        tab.js("document.querySelectorAll('main script, img, iframe, object, embed, main style').length") == 0
    )
    assert tab.js("document.querySelectorAll('.tensor-map th, .tensors td, .context td').length") > 100
    tab.js("document.querySelectorAll('a').forEach(a => { if (a.protocol !== 'file:') throw a.href })")


def test_pages_of_cells_have_the_style_beside_them_fetch_nothing_else_and_show_text_only(
    tab, tmp_path, monkeypatch
):
    monkeypatch.setattr("farm.report.compose.MOST_INSIDE", 1)
    write_report(RunDirectory(tmp_path), make.hostile())
    folder = tmp_path / "cells"
    for number in (1, 4, 16):
        page = folder / f"cell-{number}.html"
        tab.open(page, width=390)
        assert sorted(tab.fetched()) == [page.as_uri(), (folder / "pages.css").as_uri()]
        assert tab.complaints() == []
        assert tab.js("getComputedStyle(document.body).maxWidth") != "none"
        assert (
            tab.js("document.querySelectorAll('script, img, iframe, object, style, main svg svg svg').length")
            == 0
        )
        assert tab.js("document.querySelectorAll('.tensors, .context').length") >= 1
        assert tab.js("document.documentElement.scrollWidth") <= 390


def test_the_row_of_a_comparison_opens_the_context_of_its_cell(tab, report):
    tab.open(report("compared"))
    tab.js("document.querySelector('.all-comparisons').open = true")
    link = tab.js("document.querySelector('.said a[href^=\"#context-\"]').getAttribute('href')")
    tab.js(f"document.querySelector('.said a[href=\"{link}\"]').click()")
    tab.js("new Promise(done => setTimeout(done, 50))")
    assert tab.js(f"document.querySelector('{link}').closest('details').open")


def test_even_a_forgotten_escape_would_not_run(tab, report, tmp_path):
    attacks = (
        "<script>window.ran = 1</script><img src=x onerror='window.ran = 2'><p id=p style='display:none'>"
    )
    broken = tmp_path / "broken.html"
    broken.write_text(report("small").read_text("utf-8").replace("<main>", f"<main>{attacks}"), "utf-8")
    tab.open(broken)
    assert tab.js("typeof window.ran") == "undefined"
    assert not tab.js(HIDDEN.format("#p"))
    assert tab.fetched() == [broken.as_uri()]
    assert tab.complaints() != []


@pytest.mark.parametrize("name", make.EXAMPLES)
@pytest.mark.parametrize("width", [320, 390, 1280])
def test_no_report_is_wider_than_its_screen_and_wide_tables_scroll_inside(tab, report, name, width):
    tab.open(report(name), width=width)
    tab.js("document.querySelectorAll('details').forEach(box => { box.open = true })")
    assert tab.js("document.documentElement.scrollWidth") <= width


def test_a_report_can_be_read_without_scripts(tab, report):
    tab.open(report("lab"), scripts=False)
    text = tab.text()
    for said in ("82", "11.95", "0.70", "did not answer within 10 s", "6.1.75-rk3588", "seed 1978226013"):
        assert said in re.sub(r"[\s\u202f]+", " ", text), said
    assert "only what changed" not in text  # tools that would do nothing are not shown


def test_a_box_of_the_matrix_opens_its_cell(tab, report):
    tab.open(report("lab"))
    anchor = tab.js("document.querySelectorAll('.matrix td a.value')[7].getAttribute('href')")
    tab.js("document.querySelectorAll('.matrix td a.value')[7].click()")
    tab.js("new Promise(done => setTimeout(done, 50))")
    box = f"document.querySelector('{anchor}').closest('details')"
    assert tab.js(f"{box}.open")
    assert tab.js(f"document.querySelector('{anchor}').getBoundingClientRect().top < innerHeight")
    assert tab.js("document.querySelectorAll('details.cell[open]').length") == 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [("arm-1", 20), ("TINY", 30), ("arm-1 fp32", 4), ("tiny nchw44 gpu", 2), ("nothing", 0), ("", 120)],
)
def test_the_filter_keeps_cells_that_have_every_word(tab, report, text, shown):
    opened(tab, report("lab"))
    choose(tab, q=text)
    visible = "[...document.querySelectorAll('details.cell')].filter(box => !box.hidden).length"
    assert tab.js(visible) == shown
    assert tab.js(OUTPUT) == f"{shown} of 120 cells"
    assert tab.js(SHOWN_CELLS) >= shown


def test_only_failed_leaves_the_rows_and_columns_that_failed(tab, report):
    opened(tab, report("lab"))
    choose(tab, f="failed")
    shown = (
        "[...document.querySelectorAll('{}')].filter(e => e.checkVisibility()).map(e => e.textContent.trim())"
    )
    assert set(tab.js(shown.format(".matrix tbody th"))) == {"arm-2", "arm-3"}
    assert tab.js(OUTPUT) == "21 of 120 cells"


def test_a_heading_sorts_its_column_and_the_third_press_restores_the_order(tab, report):
    tab.open(report("lab"))
    devices = (
        "[...document.querySelectorAll('.matrix')[1].querySelectorAll('tbody th')].map(th => th.textContent)"
    )
    head = "document.querySelectorAll('.matrix')[1].querySelectorAll('thead th')[1]"
    planned = tab.js(devices)
    orders = []
    for _ in range(3):
        tab.js(f"{head}.querySelector('button').click()")
        orders.append((tab.js(f"{head}.ariaSort"), tab.js(devices)))
    assert orders == [
        ("ascending", ["gpu-1", "arm-1", "arm-2", "phone-1", "arm-4", "arm-3"]),
        ("descending", ["arm-4", "phone-1", "arm-2", "arm-1", "gpu-1", "arm-3"]),  # no time: last both ways
        ("none", planned),
    ]


def test_the_copy_button_copies_the_command_exactly(tab, report):
    tab.open(report("small"))
    tab.js("navigator.clipboard.writeText = async text => { window.copied = text }")
    tab.js("document.querySelector('.head .command button').click()")
    assert tab.js("window.copied") == "farm bench --variant '4 threads=--multithread 4'"
    assert tab.js("document.querySelector('.head .command button').textContent") == "copied"


def test_everything_that_acts_can_be_reached_and_seen_by_keyboard(tab, report):
    tab.open(report("small"))
    reached = []
    for _ in range(60):
        tab.press("Tab")
        reached.append(
            tab.js(
                "(e => e === document.body ? '' : e.className + '|' + e.tagName + '|'"
                " + getComputedStyle(e).outlineStyle)(document.activeElement)"
            )
        )
        if reached[-1] == "":
            break
    tags = {entry.split("|")[1] for entry in reached if entry}
    assert {"A", "INPUT", "BUTTON", "SUMMARY", "DIV"} <= tags
    assert all(entry.endswith(("solid", "auto")) for entry in reached if entry), reached


def test_a_report_follows_the_colours_of_the_system(tab, report):
    background = "getComputedStyle(document.documentElement).backgroundColor"
    tab.open(report("small"))
    light = tab.js(background)
    tab.open(report("small"), dark=True)
    assert (light, tab.js(background)) == ("rgb(252, 251, 248)", "rgb(22, 23, 26)")


def test_a_report_prints(tab, report):
    tab.open(report("lab"), dark=True)
    assert tab.pdf().startswith(b"%PDF")
    tab.call("Emulation.setEmulatedMedia", media="print")
    assert tab.js(HIDDEN.format(".tools"))
    assert tab.js(HIDDEN.format("details.cell"))
    assert not tab.js(HIDDEN.format(".matrix"))
    assert tab.js("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"


def test_what_changed_is_shown_first_and_the_rest_on_demand_with_its_number(tab, report):
    opened(tab, report("compared"))
    assert [row.split("|")[0] for row in tab.js(ROWS)] == [
        "\u25b2 slower", "\u25bc faster", "? inconclusive", "\u2717 invalid", "\u2717 failed"
    ]  # fmt: skip
    assert "9 hidden" in tab.js("document.querySelector('.hidden-count').textContent")
    assert not tab.js("document.querySelector('.all-comparisons').checkVisibility()")
    choose(tab, changed=False)
    assert tab.js(OUTPUT) == "14 of 14 cells"


def test_a_heading_sorts_the_table_and_the_third_press_restores_the_order(tab, report):
    opened(tab, report("compared"), "#v=table&all=1")
    head = "[...document.querySelectorAll('[role=columnheader]')].find(head => head.textContent.startsWith('Change'))"
    orders = []
    for _ in range(3):
        tab.js(f"{head}.querySelector('button').click()")
        orders.append((tab.js(f"{head}.ariaSort"), tab.js(ROWS)[0].split("|")[5]))
    assert orders == [("ascending", "-8.8 %"), ("descending", "+7.1 %"), ("none", "+5.8 %")]


def test_another_baseline_turns_verdicts_round_and_what_was_not_compared_has_none(tab, report):
    opened(tab, report("compared"), "#v=table&all=1")
    choose(tab, base="build:new", q="arm-1 tiny")
    assert [row.split("|")[:6] for row in tab.js(ROWS)] == [
        ["\u25bc faster", "arm-1", "tiny", "fp32", "old", "-5.5 %"],
        ["\u25cb baseline", "arm-1", "tiny", "fp32", "new", ""],
    ]
    choose(tab, base="build:canary", q="arm-1 shufflenet build=new")
    assert tab.js(ROWS)[0].startswith("\u00b7 no verdict|")


def test_an_address_restores_the_view_with_its_open_row_and_none_is_written_before_it_changes(tab, report):
    opened(tab, report("lab"))
    assert tab.js("location.hash") == ""
    choose(tab, q="arm-1 tiny", base="variant:nchw44")
    tab.js("document.querySelector('.grid-body .grid-row').click()")
    address, rows = tab.js("location.hash"), tab.js(ROWS)
    opened(tab, report("lab"), address)
    assert (tab.js(ROWS), tab.js("location.hash")) == (rows, address)
    said = tab.js("document.querySelector('.grid-detail').textContent")
    assert "Repeat it by hand" in said
    assert "ssh bench@arm-1.lab 'cd ~/.cache/farm/work && load_and_run tiny.mge --iter=12" in said
    assert tab.complaints() == []


def test_a_heat_map_groups_by_any_two_keys_and_says_where_a_box_is_many_cells(tab, report):
    opened(tab, report("lab"), "#v=heat&rows=model&cols=--multithread")
    assert [row.split("|")[0] for row in tab.js(ROWS)] == [
        "resnet18_int8",
        "shufflenet_v2",
        "tiny",
        "two_inputs",
    ]
    assert "geometric mean" in tab.js("document.querySelector('.note').textContent")
    choose(tab, rows="device, model", cols="variant", q="arm-1 tiny")
    assert [re.sub(r"\s+", " ", box) for box in tab.js(ROWS)[0].split("|")[:3]] == [
        "arm-1, tiny", "0.212 ms \u25cb baseline", "\u00d7 0.71 \u00b7 no verdict"
    ]  # fmt: skip


def test_columns_of_a_heat_map_keep_the_order_of_the_plan_when_cells_are_filtered(tab, report):
    opened(tab, report("lab"), "#v=heat&f=failed&rows=device")
    heads = tab.js(
        "[...document.querySelectorAll('[role=columnheader]')].map(head => head.textContent).slice(1)"
    )
    planned = list(make.VARIANTS)
    assert heads == sorted(heads, key=planned.index)


def test_the_table_can_be_used_by_keyboard_and_is_a_grid_to_screen_readers(tab, report):
    opened(tab, report("lab"))
    tab.js("document.querySelector('.grid').focus()")
    for key in ("ArrowDown", "End", "Home", "ArrowDown", "ArrowRight", "Enter"):
        tab.press(key)
    active = "document.getElementById(document.querySelector('.grid').getAttribute('aria-activedescendant'))"
    assert tab.js(f"{active}.closest('[role=row]').ariaRowIndex") == "3"
    assert tab.js(f"{active}.closest('[role=row]').firstChild.ariaExpanded") == "true"
    assert tab.js("document.querySelector('.grid').getAttribute('aria-rowcount')") == "121"
    assert (
        tab.js("document.querySelectorAll('.grid-body > .grid-row').length") < 60
    )  # the rest is not in the page
    tab.press("Escape")
    assert tab.js("document.querySelector('.grid-detail')") is None


def with_many_rounds(results):
    def longer(rounds):
        repeated = [one for _ in range(20) for one in rounds]
        return tuple(replace(one, index=place) for place, one in enumerate(repeated))

    return replace(results, cells=tuple(replace(one, rounds=longer(one.rounds)) for one in results.cells))


def test_many_rounds_are_a_plot_whose_parts_are_chosen_by_keys_and_few_are_dots(tab, report, tmp_path):
    page = tmp_path / "many.html"
    page.write_text(render(compose(with_many_rounds(make.compared()))), "utf-8")
    opened(tab, page)
    tab.js("document.querySelector('.grid-body .grid-row').click()")
    tab.js(
        "new Promise(done => { const look = () => document.querySelector('.zoom')?.plot ? done(1) : setTimeout(look, 5); look(); })"
    )
    shown = "(({min, max}) => [min, max])(document.querySelector('.zoom').plot.scales.x)"
    low, high = tab.js(shown)
    tab.js("document.querySelector('.zoom').focus()")
    for key in ("+", "ArrowRight"):
        tab.press(key)
    nearer_low, nearer_high = tab.js(shown)
    assert nearer_low > low
    assert round(nearer_high - nearer_low, 6) == round((high - low) / 2, 6)
    tab.press("0")
    assert tab.js(shown) == [low, high]
    assert tab.complaints() == []
    assert "Permission is hereby granted" in page.read_text("utf-8")
    assert "Permission is hereby granted" not in report("compared").read_text("utf-8")


def test_rows_are_copied_as_csv_and_markdown_and_no_spreadsheet_takes_a_name_for_a_formula(tab, tmp_path):
    results = make.small()
    odd = (replace(cell, variant=f"=1+{place}") for place, cell in enumerate(results.cells))
    page = tmp_path / "formulas.html"
    page.write_text(render(compose(replace(results, cells=tuple(odd)))), "utf-8")
    opened(tab, page)
    tab.js("navigator.clipboard.writeText = async text => { window.copied = text }")
    texts = []
    for place in (0, 1):
        tab.js(f"document.querySelectorAll('.actions button')[{place}].click()")
        texts.append(tab.js("window.copied"))
    markdown, csv = texts
    assert csv.startswith("verdict,device,model,")
    assert "shufflenet_v2,'=1+0," in csv
    assert "| shufflenet\\_v2 | =1+0 |" in markdown


def test_a_hostile_table_shows_text_only(tab, report):
    for address in ("#v=table&all=1&open=1", "#v=heat"):
        opened(tab, report("hostile"), address)
        assert (
            tab.js("document.querySelectorAll('.live img, .live script, .live iframe, .live style').length")
            == 0
        )
        assert tab.js(ROWS)
        assert tab.complaints() == []


def test_a_browser_that_cannot_unpack_the_table_says_so_and_shows_the_rest(tab, report, tmp_path):
    broken = tmp_path / "broken.html"
    page = report("compared").read_text("utf-8")
    broken.write_text(page.replace('id="farm-cells">H4sI', 'id="farm-cells">H4sA'), "utf-8")
    tab.open(broken)
    tab.js("new Promise(done => setTimeout(done, 100))")
    assert "cannot show the table" in tab.js("document.querySelector('.without').textContent")
    assert tab.js("document.querySelector('.all-comparisons').checkVisibility()")


def test_a_plain_table_has_all_rows_for_search_and_print(tab, report):
    opened(tab, report("lab"))
    tab.js("document.querySelectorAll('.actions button')[2].click()")
    assert tab.js("document.querySelectorAll('.plain-table tbody tr').length") == 120


def test_comparisons_can_be_read_without_scripts_and_all_of_them_are_there(tab, report):
    tab.open(report("compared"), scripts=False)
    text = re.sub(r"[\s\u202f]+", " ", tab.text())
    for said in (
        "NO-GO",
        "slower",
        "+5.8 %",
        "30 fresh pairs",
        "no change of 3 % or more",
        "5 throttled",
    ):
        assert said in text, said
    assert "plain table" not in text


def test_the_decision_and_what_to_look_at_first_are_on_the_first_screen(tab, report):
    for width in (390, 1280):
        tab.open(report("compared"), width=width)
        for part in (".decision", "#comparisons .counts", ".worst li"):
            assert tab.js(f"document.querySelector('{part}').getBoundingClientRect().bottom < innerHeight"), (
                part
            )
