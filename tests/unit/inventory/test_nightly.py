"""The `nightly` of a suite and the file of acknowledgements: what they say, and each mistake with its line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from farm.errors import RequestError
from farm.inventory import acknowledged, suite
from farm.model.comparison import Acknowledgement
from farm.model.request import LAST_GOOD, Nightly, Notice, PluginNotice

ROOT = Path(__file__).parents[3]

WHOLE = """\
nightly:
  baseline: [last-good, tag:release-1.13]
  min-measured: 95%
  wait: 30m
  acknowledged: acknowledged.yaml
  site: public
  notify:
    - {webhook: $FARM_WEBHOOK, key: FARM_WEBHOOK_KEY}
    - {command: [mail, -s, nightly, perf@example.com]}
    - {plugin: chat, options: {token: $TOKEN, to: [a, {n: 1, on: true, x: 1.5}], none: null}}
"""

KNOWN = """\
acknowledged:
  - cells: 'arm-*/shufflenet_v2/*'
    why: padding that the outputs need
    who: lee
    until: 2027-01-31
    at-most: 12%
  - cells: [a/b/c, 'd/*']
    why: 42
    who: kim
    until: '2026-12-01'
"""


@pytest.fixture
def read(tmp_path: Path):
    """The nightly of a suite with this text."""

    def nightly_of(text: str) -> Nightly:
        path = tmp_path / "s.yaml"
        path.write_text("models: {tiny: bundled:tiny}\n" + text)
        return suite.load(path).nightly

    return nightly_of


def test_a_suite_says_how_its_nights_are(read, tmp_path: Path) -> None:
    assert read(WHOLE) == Nightly(
        baselines=(LAST_GOOD, "tag:release-1.13"),
        min_measured=0.95,
        wait_s=1800.0,
        acknowledged=tmp_path / "acknowledged.yaml",
        site=tmp_path / "public",
        notices=(
            Notice("$FARM_WEBHOOK", "FARM_WEBHOOK_KEY"),
            Notice(command=("mail", "-s", "nightly", "perf@example.com")),
            PluginNotice(
                "chat", {"token": "$TOKEN", "to": ["a", {"n": 1, "on": True, "x": 1.5}], "none": None}
            ),
        ),
    )


@pytest.mark.parametrize("text", ["", "nightly:\n", "nightly: {}\n"])
def test_without_a_word_there_are_defaults(read, text: str) -> None:
    assert read(text) == Nightly((LAST_GOOD,), 0.9, 0.0)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("nightly: 3\n", "nightly: should be a mapping"),
        ("nightly: {basline: x}\n", "basline: unknown key (did you mean baseline?)"),
        ("nightly: {baseline: release-1}\n", "should be last-good or tag:NAME"),
        ("nightly: {min-measured: much}\n", "nightly.min-measured: "),
        ("nightly: {min-measured: [1]}\n", "nightly.min-measured: should be one value"),
        ("nightly: {wait: soon}\n", "nightly.wait: "),
        ("nightly: {notify: [{}]}\n", "requires either webhook (a URL), command (a list) or plugin (a name)"),
        ("nightly: {notify: [{webhook: http://x, command: y}]}\n", "requires either webhook"),
        ("nightly: {notify: [{command: y, key: K}]}\n", "a command or a plugin needs none"),
        ("nightly: {notify: [{plugin: p, command: y}]}\n", "requires either webhook"),
        ("nightly: {notify: [{command: y, options: {a: 1}}]}\n", "options are for a plugin"),
        ("nightly: {notify: [{plugin: p, options: 5}]}\n", "options"),
    ],
)
def test_a_mistake_is_told_with_its_line(read, text: str, mistake: str) -> None:
    with pytest.raises(RequestError) as caught:
        read(text)
    assert mistake in str(caught.value)
    assert "s.yaml:2" in str(caught.value)


def load(folder: Path, text: str) -> tuple[Acknowledgement, ...]:
    path = folder / "acknowledged.yaml"
    path.write_text(text)
    return acknowledged.load(path)


def test_acknowledgements_say_what_why_who_and_until_when(tmp_path: Path) -> None:
    assert load(tmp_path, KNOWN) == (
        Acknowledgement(
            ("arm-*/shufflenet_v2/*",), "padding that the outputs need", "lee", "2027-01-31", 0.12
        ),
        Acknowledgement(("a/b/c", "d/*"), "42", "kim", "2026-12-01"),
    )
    assert load(tmp_path, "version: 1\nacknowledged: []\n") == ()
    assert load(tmp_path, "acknowledged:\n") == ()


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("acknowledged: {a: b}\n", "yaml:1: acknowledged"),
        ("acknowledged: []\nmore: 1\n", "more: unknown key"),
        ("version: 2\n", "unsupported version"),
        ("acknowledged:\n  - {cells: a, why: b, who: c}\n", "until"),
        ("acknowledged:\n  - {cells: a, why: b, who: c, until: soon}\n", "should be a day, as 2027-01-31"),
        ("acknowledged:\n  - {cells: a, why: b, who: c, until: 2027-13-01}\n", "month must be in 1..12"),
        ("acknowledged:\n  - {cells: [], why: b, who: c, until: 2027-01-01}\n", "yaml:2: "),
        ("acknowledged:\n  - {cells: a, why: b, who: c, until: 2027-01-01, at-most: 0}\n", "at-most"),
        ("acknowledged:\n  - {cells: a, why: b, who: c, until: 2027-01-01, untill: x}\n", "untill"),
        ("acknowledged:\n  - text\n", "yaml:2: "),
        ("- a\n", "yaml"),
    ],
)
def test_a_mistake_in_acknowledgements_is_told_with_its_line(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(RequestError) as caught:
        load(tmp_path, text)
    assert mistake in str(caught.value)


def test_the_files_fit_their_schemas_for_editors() -> None:
    for name, made, text in (
        ("suite", suite, f"models: {{a: b}}\n{WHOLE}"),
        ("acknowledged", acknowledged, KNOWN),
    ):
        written = json.loads((ROOT / f"docs/schema/{name}.schema.json").read_text("utf-8"))
        assert written == made.schema(), f"farm schema {name} > docs/schema/{name}.schema.json"
        data = YAML(typ="safe", pure=True).load(text.replace("2027-01-31", "'2027-01-31'"))
        jsonschema.validate(data, written)
