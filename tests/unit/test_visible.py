import unicodedata
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.model.run import VariantRecord
from farm.visible import cleaned, relative_href, visible

any_text = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize("text", ["ResNet 18 (int8)", "模型", "a\tb\nc", "é", "🚀"])
def test_what_people_write_stays_as_it_is(text):
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "<U+001B>[31mred"),
        ("\u202egnp.exe", "<U+202E>gnp.exe"),
        ("a\u200bb", "a<U+200B>b"),
        ("\ud800", "<U+D800>"),
        ("\u2028", "<U+2028>"),
    ],
    ids=["escape code", "direction override", "zero width", "lone surrogate", "line separator"],
)
def test_characters_that_hide_or_reorder_are_written_out(text, shown):
    assert visible(text) == shown


@given(any_text)
def test_nothing_invisible_is_left_and_all_of_it_can_be_written_as_utf8(text):
    shown = visible(text)
    assert all(c in "\t\n" or unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in shown)
    shown.encode()


def test_an_endless_text_is_cut_and_says_so():
    shown = visible("x" * 1_000_000)
    assert len(shown) < 9000
    assert shown.endswith("(992000 more characters)")


def test_names_and_values_in_nouns_are_made_visible():
    record = VariantRecord("\x07", {"\x07": "\x07", "n": 1}, "")
    assert cleaned(record) == VariantRecord("<U+0007>", {"<U+0007>": "<U+0007>", "n": 1}, "")


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../../x", "//evil.example/x", "\\\\evil\\x", "a\\b"]
)
def test_a_path_that_leads_out_of_the_run_directory_is_no_link(path):
    assert relative_href(path) is None


def test_a_good_path_is_quoted():
    assert relative_href("cells/arm-1/a b/100%?#.txt") == "./cells/arm-1/a%20b/100%25%3F%23.txt"
    assert relative_href("javascript:alert(1)") == "./javascript%3Aalert%281%29"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_whatever_the_path_a_link_stays_in_the_folder_of_the_report(path):
    href = relative_href(path)
    if href is not None:
        whole = urlsplit(urljoin("https://host/run/report.html", href))
        assert (whole.scheme, whole.netloc) == ("https", "host")
        assert whole.path.startswith("/run/")
        assert not whole.query
        assert not whole.fragment
