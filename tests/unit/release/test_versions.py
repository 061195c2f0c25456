"""Which versions a release report shows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.errors import RequestError
from farm.model.comparison import Change, Duel, Verdict
from farm.release.nouns import By, Compared
from farm.release.versions import MOST_VERSIONS, Versions, choose
from tests.unit.release.made import facts, judged, lease, night


def chosen(*results, asked=(), aliases=None) -> Versions:
    return choose(facts(*results), asked, aliases or {})


def shown(found: Versions) -> list[tuple[str, str]]:
    return [(step.old.name, step.new.name) for step in found.steps]


def test_builds_that_a_run_compares_are_its_versions_in_the_order_of_the_comparison() -> None:
    found = chosen(lease("a", {"1.13": 1, "1.14": 1, "1.15": 1}))
    assert found.by is By.BUILD
    assert shown(found) == [("1.13", "1.14"), ("1.13", "1.15")]


def test_a_baseline_comes_before_what_was_compared_with_it_whatever_the_order_of_the_runs() -> None:
    later, earlier = lease("b", {"1.14": 1, "1.15": 1}), lease("a", {"1.13": 1, "1.14": 1})
    assert shown(chosen(later, earlier)) == [("1.13", "1.14"), ("1.14", "1.15")]


def test_a_version_that_was_not_compared_with_the_first_one_is_shown_against_the_nearest_before_it() -> None:
    found = chosen(lease("a", {"1": 1, "2": 1, "3": 1}, chain=True), asked=("1", "2", "3"))
    assert shown(found) == [("1", "2"), ("2", "3")]
    assert all(step.is_held for step in found.steps)


def test_variants_are_versions_where_they_are_compared() -> None:
    made = night("a")
    plain = made.cells[0]
    fast = replace(plain, variant="fast")
    found = chosen(
        judged(replace(made, cells=(plain, fast), duels=(Duel(plain.id, fast.id, Change.VARIANT),)))
    )
    assert found.by is By.VARIANT
    assert shown(found) == [("fp32", "fast")]


def test_runs_without_comparisons_are_the_versions_in_the_order_in_which_they_began() -> None:
    found = chosen(night("late", hour=3), night("early", hour=1))
    assert found.by is By.RUN
    assert shown(found) == [("early", "late")]
    assert not found.steps[0].is_held


def test_a_baseline_that_is_not_among_the_runs_is_a_version_all_the_same() -> None:
    made = lease("b", {"x": 1, "y": 1})
    since = judged(replace(made, duels=tuple(replace(duel, since="a") for duel in made.duels)))
    assert shown(chosen(since)) == [("a", "b")]


def test_several_runs_may_be_one_version_and_a_name_may_have_a_plus() -> None:
    found = chosen(night("a"), night("b"), night("c"), asked=("old=a+b", "new=c"))
    assert [sorted(one.members) for one in found.names] == [["a", "b"], ["c"]]
    assert shown(chosen(lease("a", {"1+x": 1, "2": 1}), asked=("1+x", "2"))) == [("1+x", "2")]


def test_a_run_may_be_called_what_the_user_called_it_on_the_command_line() -> None:
    found = chosen(night("a"), night("b"), asked=("a", "latest"), aliases={"latest": "b", "a": "a"})
    assert [sorted(one.members) for one in found.names] == [["a"], ["b"]]


@pytest.mark.parametrize(
    ("asked", "says", "hint"),
    [
        (("old", "1.14"), "no version 'old' in these runs", "builds: 1.13, 1.14"),
        (("1.113", "1.14"), "did you mean 1.13?", "runs: a"),
        (("1.13",), "does not name two or more", "OLD,NEW"),
        (("1.13", "1.13"), "does not name two or more", "OLD,NEW"),
        (("", ""), "does not name two or more", "OLD,NEW"),
        (("1.13", "fp32"), "not versions of one kind", "variants: fp32"),
        (("x=1.13", "y="), "no version ''", "builds"),
    ],
)
def test_versions_that_are_not_there_are_refused_with_those_that_are(asked, says, hint) -> None:
    with pytest.raises(RequestError) as refused:
        chosen(lease("a", {"1.13": 1, "1.14": 1}), asked=asked)
    assert says in str(refused.value)
    assert hint in refused.value.hint


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        ([("x", "y"), ("y", "x")], "in both directions"),
        ([("x", "y"), ("v", "w")], "nothing in common"),
        ([], "run a compared nothing"),
        ([("0", str(n)) for n in range(1, MOST_VERSIONS + 1)], "too many"),
    ],
)
def test_what_has_no_clear_order_is_refused_with_what_to_type(edges, says) -> None:
    [run] = facts(night("a"))
    name = run.cells[0]
    compared = tuple(Compared(name, name, By.BUILD, old, new, Verdict.UNCHANGED, 0, 0) for old, new in edges)
    with pytest.raises(RequestError) as refused:
        choose([replace(run, compared=compared)], (), {})
    assert says in str(refused.value)
    assert "--versions" in refused.value.hint or "farm bench" in refused.value.hint
