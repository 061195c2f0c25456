"""How much is measured, as people write it."""

from __future__ import annotations

from pathlib import Path

import pytest

from farm.errors import RequestError
from farm.inventory import suite
from farm.inventory.values.sampling import budget_s_of, names_in, precision_of, rounds_of
from farm.model.options import OptionSet
from farm.model.request import Request
from farm.options import parse
from farm.plan.request import Arguments, read_request


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("1000", 1000), (" 12 ", 12), ("auto", None)])
def test_rounds_are_a_number_or_auto(text: str, number: int | None) -> None:
    assert rounds_of(text).number == number


@pytest.mark.parametrize(
    "text", ["0", "1001", "-3", "three", "", "1.5", "\N{SUPERSCRIPT TWO}", "9" * 5000, "Auto "]
)
def test_other_rounds_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="from 1 to 1000, nor auto") as caught:
        rounds_of(text)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400), ("7 m", 420)]
)
def test_a_budget_has_a_unit(text: str, seconds: float) -> None:
    assert budget_s_of(text) == seconds


@pytest.mark.parametrize("text", ["0", "0m", "-1m", "10 min", "1e3", "nan", "inf", "8000h", "", "m"])
def test_other_budgets_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is not a time"):
        budget_s_of(text)


@pytest.mark.parametrize(("text", "share"), [("2%", 0.02), ("0.02", 0.02), ("0.5 %", 0.005), ("50%", 0.5)])
def test_a_precision_is_a_share(text: str, share: float) -> None:
    assert precision_of(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["0", "0%", "0.01%", "60%", "2", "two", "-2%", "nan", ""])
def test_other_precisions_are_refused(text: str) -> None:
    with pytest.raises(RequestError, match="is not a fraction"):
        precision_of(text)


@pytest.mark.parametrize("text", ["", "old", "old,", "old,old", ",new", "a,b,a"])
def test_a_comparison_needs_two_names(text: str) -> None:
    with pytest.raises(RequestError, match="name two or more"):
        names_in(text)


def ask(**arguments: str | bool | Path | OptionSet) -> Request:
    return read_request(Arguments(**arguments))  # type: ignore[arg-type]


def test_what_is_compared_has_more_rounds_by_default() -> None:
    assert ask().rounds == 3
    assert ask(ab="a,b").rounds == ask(baseline="latest").rounds == ask(rounds="auto").rounds == 10
    assert ask(ab="a,b", rounds="5").rounds == 5


def test_auto_has_a_precision_and_a_number_has_none() -> None:
    request = ask(rounds="auto", precision="1%", budget="10m")
    assert (request.is_auto, request.precision, request.budget_s) == (True, 0.01, 600)
    with pytest.raises(RequestError, match="--rounds auto"):
        ask(precision="1%")
    with pytest.raises(RequestError, match="--budget 'soon' is not a time"):
        ask(budget="soon")


def test_a_cell_has_three_profiles_or_as_many_as_asked_for(tmp_path: Path) -> None:
    profile = parse(["--profile", "p.json"])
    assert ask().profile_rounds == ask(options=profile).profile_rounds == 3
    assert ask(options=profile, profile_rounds="1").profile_rounds == 1
    path = write(tmp_path, "models: {tiny: bundled:tiny}\nprofile-rounds: 5\noptions: --profile p.json\n")
    assert ask(suite=path).profile_rounds == 5
    assert ask(suite=path, profile_rounds="7").profile_rounds == 7
    for text in ("0", "101", "auto", "1.5", "9" * 5000):
        with pytest.raises(RequestError, match="from 1 to 100"):
            ask(options=profile, profile_rounds=text)
    with pytest.raises(RequestError, match="profile-rounds"):
        ask(suite=write(tmp_path, "models: {tiny: bundled:tiny}\nprofile-rounds: 0\n"))
    with pytest.raises(RequestError, match="no variant asks for one"):
        ask(profile_rounds="3")


SUITE = """
models: {tiny: bundled:tiny}
variants: {a: , b: --cpu}
rounds: auto
budget: 10m
precision: 1%
ab: [a, b]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "nightly.yaml"
    path.write_text(text)
    return path


def test_a_suite_says_it_too_and_the_command_line_takes_precedence(tmp_path: Path) -> None:
    path = write(tmp_path, SUITE)
    request = ask(suite=path)
    assert (request.is_auto, request.rounds, request.budget_s, request.precision) == (True, 10, 600, 0.01)
    assert (request.ab, request.canary) == (("a", "b"), True)
    request = ask(suite=path, rounds="4", ab="b,a", budget="1h", canary=False)
    assert (request.is_auto, request.rounds, request.budget_s) == (False, 4, 3600)
    assert (request.ab, request.canary) == (("b", "a"), False)
    assert not ask().canary
    assert not ask(suite=write(tmp_path, "models: {tiny: bundled:tiny}\ncanary: false\n")).canary


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rounds: 0", "nightly.yaml:2: rounds: '0' is not a number"),
        ("rounds: [1]", "nightly.yaml:2: rounds: should be one value"),
        ("budget: soon", "nightly.yaml:2: budget: 'soon'"),
        ("precision: 1%", "nightly.yaml:2: precision: needs rounds: auto"),
        ("ab: [a]", "nightly.yaml:2: ab: 'a': name two or more"),
        ("canary: maybe", "nightly.yaml:2"),
    ],
)
def test_a_mistake_in_a_suite_has_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        suite.load(write(tmp_path, f"models: {{tiny: bundled:tiny}}\n{text}\n"))
    assert said in str(caught.value)
