"""What other tools read of a run: each format by that tool's own rules, whatever the names are."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.export.formats import FORMATS
from farm.export.github import github
from farm.export.junit import junit
from farm.export.markdown import MOST_ROWS, markdown
from farm.model.comparison import Change, Comparing, Comparison, Verdict
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import CellStatus
from tests.data.results import make

# Jenkins' junit-10.xsd: attributes and children of each element; children in this order.
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {
        "name", "tests", "failures", "errors", "group", "time", "skipped", "timestamp", "hostname", "id", "package",
        "file", "log", "url", "version",
    },
    "testcase": {"name", "time", "classname", "group", "status", "assertions"},
    "property": {"name", "value"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
}  # fmt: skip
REQUIRED = {
    "testsuite": {"name", "tests", "failures", "errors"},
    "testcase": {"name"},
    "property": {"name", "value"},
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out", "system-err"],
    "properties": ["property"],
    "testcase": ["skipped", "error", "failure", "system-out", "system-err"],
}


def valid(text: str) -> ET.Element:
    root = ET.fromstring(text.encode())
    for element in root.iter():
        assert set(element.attrib) <= ATTRIBUTES.get(element.tag, set()), element.tag
        assert set(element.attrib) >= REQUIRED.get(element.tag, set()), element.tag
        places = [CHILDREN.get(element.tag, []).index(child.tag) for child in element]
        assert places == sorted(places)
    return root


@pytest.fixture(scope="module")
def compared():
    return make.compared()


@pytest.mark.parametrize("name", make.EXAMPLES)
def test_junit_is_valid_and_counts_what_it_has(name):
    root = valid(junit(make.EXAMPLES[name]()))
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests")) == len(cases)
        for count, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.get(count)) == len(suite.findall(f"testcase/{element}"))
    assert int(root.get("tests")) == sum(int(suite.get("tests")) for suite in root)
    assert int(root.get("failures")) == sum(int(suite.get("failures")) for suite in root)


def test_only_a_regression_and_wrong_outputs_fail_a_case_of_junit(compared):
    wrong = OutputCheck("arm-1", "arm-1/m/v", Against.GOLDEN, "g", OutputVerdict.WRONG, "y differs")
    root = valid(junit(replace(compared, outputs=(wrong,))))
    assert [one.get("type") for one in root.iter("failure")] == ["slower", "wrong-outputs"]
    assert [one.get("type") for one in root.iter("error")] == ["inconclusive", "invalid", "invalid", "failed"]


def test_what_is_undecided_is_no_error_of_junit_as_far_as_it_may_be(compared):
    root = valid(junit(replace(compared, comparing=Comparing(max_undecided=3))))
    assert [one.get("type") for one in root.iter("error")] == ["failed"]
    assert len(list(root.iter("skipped"))) == 3


def test_outputs_that_could_not_be_compared_are_in_every_format(compared):
    unknown = OutputCheck(
        "arm-1", "arm-1/m/v", Against.GOLDEN, "g", OutputVerdict.NOT_COMPARABLE, "no outputs"
    )
    made = replace(compared, comparisons=(), outputs=(unknown,))
    assert [one.get("type") for one in valid(junit(made)).iter("error")] == ["unknown-outputs", "failed"]
    assert "::error title=unknown-outputs%3A arm-1/m/v::no outputs\n" in github(made)
    assert "- `arm-1/m/v`: no outputs" in markdown(made)
    allowed = replace(made, comparing=Comparing(max_undecided=1))
    assert [one.get("type") for one in valid(junit(allowed)).iter("error")] == ["failed"]
    assert "::warning title=unknown-outputs" in github(allowed)


def test_canaries_that_are_out_of_bounds_are_an_error_of_junit(compared):
    doubtful = tuple(replace(one, is_canary=True, verdict=Verdict.SLOWER) for one in compared.comparisons)
    root = valid(junit(replace(compared, comparisons=doubtful)))
    assert [one.get("type") for one in root.iter("error")] == ["canaries", "failed"]
    assert list(root.iter("failure")) == []


LINE = re.compile(r"::(error|warning|notice) title=[^\r\n:,]*::[^\r\n]+")


@pytest.mark.parametrize("name", make.EXAMPLES)
def test_each_annotation_is_one_line_that_the_runner_reads(name):
    for line in github(make.EXAMPLES[name]()).split("\n")[:-1]:
        assert LINE.fullmatch(line), line


def test_annotations_are_escaped_as_the_runner_unescapes_them(compared):
    one = replace(
        compared.comparisons[0], candidate="a:b,c%\n::error::x", sentence="5 % slower\r\n::error::gone"
    )
    line = github(replace(compared, comparisons=(one,), cells=()))
    assert line == (
        "::error title=slower%3A a%3Ab%2Cc%25%0A%3A%3Aerror%3A%3Ax::5 %25 slower<U+000D>%0A::error::gone\n"
    )


def test_errors_come_before_warnings_and_these_before_notices(compared):
    kinds = [line.split(" ")[0] for line in github(compared).splitlines()]
    assert kinds == ["::error"] * 5 + ["::notice"]
    allowed = github(replace(compared, comparing=Comparing(max_undecided=3)))
    assert [line.split(" ")[0] for line in allowed.splitlines()] == ["::error"] * 2 + ["::warning"] * 3 + [
        "::notice"
    ]


def test_markdown_has_the_decision_and_only_what_changed(compared):
    text = markdown(compared)
    assert "**NO-GO**: 1 slower, 1 faster, 1 inconclusive, 2 invalid, 1 unchanged" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[1].strip("*") for row in rows] == [
        "slower",
        "faster",
        "inconclusive",
        "invalid",
        "invalid",
    ]
    assert "Canaries: 0 of 2 cells differed from themselves." in text
    assert "segmentation fault" in text


def test_markdown_of_a_run_without_comparisons_has_no_table_and_says_what_failed():
    text = markdown(make.lab())
    assert "|" not in text
    assert "120 cells: " in text
    assert text.count("did not answer within 10 s") == 20
    assert markdown(make.small()).endswith("2 cells: 2 completed\n")


def test_names_are_no_markup_in_markdown_and_mention_nobody():
    def one(name):
        return Comparison("d", name, name, Change.BUILD, Verdict.INVALID, name)

    names = (
        "a|b",
        "a\\|b",
        "",
        "`x`",
        "``",
        "<img src=x>",
        "@admin",
        "[a](http://b)",
        "**b**",
        "x\n# y",
        "\x1b[31m",
    )
    text = markdown(replace(make.empty(), comparisons=tuple(map(one, names))))
    outside = re.sub(r"`[^`]*`|<code>[^<>`|]*</code>", "", text.replace("\\`", ""))
    assert "`" not in outside
    assert "<img" not in outside
    assert "\n# y" not in text
    assert "\x1b" not in text
    assert "@admin" not in outside
    assert "@<!-- -->admin" in outside
    assert "\\[a\\](http" in outside
    for row in (line for line in text.splitlines() if line.startswith("| ")):
        assert len(re.findall(r"(?<!\\)\|", row)) == 9, row


def test_a_long_markdown_table_is_cut_and_says_so(compared):
    many = (compared.comparisons[0],) * (MOST_ROWS + 7)
    text = markdown(replace(compared, comparisons=many))
    assert text.count("**slower**") == MOST_ROWS
    assert "And 7 more in the report." in text


def test_what_xml_cannot_hold_at_all_is_named(compared):
    one = replace(compared.comparisons[0], candidate="a\ufffeb\x00", sentence="\uffff")
    root = valid(junit(replace(compared, comparisons=(one,), cells=())))
    case = root.find(".//testcase")
    assert case.get("name") == "a<U+FFFE>b<U+0000>"
    assert case.find("failure").text == "<U+FFFF>"


NAME = st.text(st.characters(), max_size=20) | st.sampled_from(make.HOSTILE)


@settings(max_examples=40, deadline=None)
@given(NAME, NAME)
def test_no_name_breaks_a_format(name, other):
    made = make.small()
    hostile = replace(
        made,
        run_id=name,
        cells=tuple(replace(cell, device=name, model=other, error=other, hint=name, status=CellStatus.FAILED)
                    for cell in made.cells),
        comparisons=(Comparison(name, other, name, Change.BUILD, Verdict.SLOWER, other),),
    )  # fmt: skip
    valid(junit(hostile))
    assert all(LINE.fullmatch(line) for line in github(hostile).split("\n")[:-1])
    for one in FORMATS:
        if one.is_text:
            one.content(hostile, lambda _: name).decode()
