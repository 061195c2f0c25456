"""Reports in a real browser, opened as files, as a person opens them."""

import re

import pytest

from farm.report.compose import compose
from farm.report.render import render
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


def type_filter(tab, text="", *, failed=False):
    tab.js(f"""(() => {{
        const form = document.querySelector(".tools");
        form.elements.text.value = {text!r};
        form.elements.failed.checked = {str(failed).lower()};
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
    tab.js("document.querySelectorAll('a').forEach(a => { if (a.protocol !== 'file:') throw a.href })")


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
    assert "only failed" not in text  # tools that would do nothing are not shown


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
    tab.open(report("lab"))
    type_filter(tab, text)
    visible = "[...document.querySelectorAll('details.cell')].filter(box => !box.hidden).length"
    assert tab.js(visible) == shown
    assert tab.js("document.querySelector('.tools output').textContent") == (
        f"{shown} of 120 cells" if text else ""
    )
    assert tab.js(SHOWN_CELLS) >= shown


def test_only_failed_leaves_the_rows_and_columns_that_failed(tab, report):
    tab.open(report("lab"))
    type_filter(tab, failed=True)
    shown = (
        "[...document.querySelectorAll('{}')].filter(e => e.checkVisibility()).map(e => e.textContent.trim())"
    )
    assert set(tab.js(shown.format(".matrix tbody th"))) == {"arm-2", "arm-3"}
    assert tab.js("document.querySelector('.tools output').textContent") == "21 of 120 cells"


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


ROWS = "[...document.querySelectorAll('.verdicts tbody')].filter(body => body.checkVisibility()).length"


def test_what_is_unchanged_is_shown_on_demand(tab, report):
    tab.open(report("compared"))
    assert tab.js(ROWS) == 5
    tab.js("document.querySelector('.show-all input').click()")
    assert tab.js(ROWS) == 6
    tab.js("document.querySelector('.show-all input').click()")
    assert tab.js(ROWS) == 5


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
    assert "show all" not in text


def test_the_decision_and_what_to_look_at_first_are_on_the_first_screen(tab, report):
    for width in (390, 1280):
        tab.open(report("compared"), width=width)
        for part in (".decision", "#comparisons .counts", ".worst li"):
            assert tab.js(f"document.querySelector('{part}').getBoundingClientRect().bottom < innerHeight"), (
                part
            )
