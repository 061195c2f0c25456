"""Two parsers read YAML files, and what they read is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from farm.errors import RequestError
from farm.inventory import yaml_source
from farm.inventory.yaml_source import Document, Scalar, parse

SCALARS = (
    "yes", "on", "no", "True", "true", "~", "null", "", "0o14", "012", "1e3", "0x1F", "1_000", "1:30", "-0", ".inf", ".nan", "+1", "1.10",
    "2001-01-01", "é", "'a: b'", '"a\\tb"', '"\\u202e"', "a b", "a#b", "a #b", "!!str 5", "!!int '7'", "|\n   two\n   lines\n", ">\n   two\n   lines\n",
    "[a, b]", "{a: 1, b: [2, 3]}", "a:b", "http://x:1/y", "@x", "`x", "%x", "=", "<<", "?", "- x", "&n [1]", "*n", "'it''s'",
)  # fmt: skip


def by_python(text: str) -> Document:
    """By the parser that is written in Python."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml_source, "_composed", lambda text, _: yaml.compose(text))
        return parse(text, "x.yaml", Path("/"))


def told(value: Any) -> Any:
    """With the YAML values of scalars."""
    if isinstance(value, dict):
        return {str(key): told(one) for key, one in value.items()}
    if isinstance(value, list):
        return [told(one) for one in value]
    return (str(value), repr(value.value)) if isinstance(value, Scalar) else value


@given(
    st.lists(
        st.tuples(st.sampled_from(("a", "b", "c", "'q'", "1", "yes", "<<")), st.sampled_from(SCALARS)),
        max_size=4,
    )
)
def test_what_either_parser_accepts_means_the_same(pairs: list[tuple[str, str]]):
    text = "".join(f"{key}: {value}\n" for key, value in pairs)
    try:
        found = parse(text, "x.yaml", Path("/"))
    except RequestError:
        return
    expected = by_python(text)
    assert told(found.data) == told(expected.data)
    assert found.lines == expected.lines
    assert found.mistakes == expected.mistakes


def test_what_only_the_parser_in_python_knows_is_read_too():
    assert told(parse("a: {b: c:d}\n", "x.yaml", Path("/")).data) == {"a": {"b": ("c:d", "'c:d'")}}


def test_libyaml_is_what_reads_them():
    assert YAML(typ="safe", pure=False).Parser.__name__ == "CParser"


def test_a_mistake_has_its_line():
    with pytest.raises(RequestError) as error:
        parse("a: 1\nb: [1\nc: 2\n", "x.yaml", Path("/"))
    assert str(error.value.source).startswith("x.yaml:")
