"""The comparisons of a run in its report."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from farm.model.comparison import Comparing, Verdict
from farm.report.compose import compose
from farm.report.figures import pairs
from farm.report.parts import comparisons as shown_comparisons
from farm.report.render import render
from tests.data.results import make
from tests.unit.compare.made import duel


@pytest.fixture(scope="module")
def results():
    return make.compared()


@pytest.fixture(scope="module")
def shown(results):
    return compose(results).comparisons


@pytest.fixture(scope="module")
def html(results):
    return render(compose(results))


def test_the_first_thing_is_the_decision_with_its_counts(shown, html):
    assert (shown.decision.key, shown.decision.symbol) == ("no-go", "NO-GO")
    assert [(one.status.word, one.cells) for one in shown.counts] == [
        ("slower", 1),
        ("faster", 1),
        ("inconclusive", 1),
        ("invalid", 2),
        ("unchanged", 1),
    ]
    assert html.index("NO-GO") < html.index('id="matrix"')


def test_a_decision_may_be_go_or_not_decided(results):
    unchanged = tuple(one for one in results.comparisons if one.verdict is Verdict.UNCHANGED)
    go = compose(replace(results, comparisons=unchanged))
    assert go.comparisons.decision.symbol == "GO"
    assert go.comparisons.worst == ()
    assert "Nothing changed by 3 % or more." in render(go)
    calm = tuple(one for one in results.comparisons if one.verdict is not Verdict.SLOWER)
    assert compose(replace(results, comparisons=calm)).comparisons.decision.symbol == "NOT DECIDED"


def test_what_to_look_at_first_is_what_changed_most_with_its_interval_and_sentence(shown):
    assert [row.status.word for row in shown.worst] == [
        "slower",
        "faster",
        "inconclusive",
        "invalid",
        "invalid",
    ]
    worst = shown.worst[0]
    assert worst.candidate == "arm-1/tiny/fp32@new"
    assert worst.change.startswith("+5.")
    assert re.fullmatch(r"\+\d\.\d to \+\d\.\d %", worst.interval)
    assert worst.measured == "30 fresh pairs"
    assert " % slower than old (95 %: " in worst.sentence


def test_what_is_unchanged_is_there_and_comes_last(shown, html):
    assert [row.is_hidden for row in shown.rows] == [False] * 5 + [True]
    assert shown.hidden == 1
    assert "1 unchanged come last" in html


def test_a_row_links_to_both_of_its_cells(shown, html):
    for row in shown.rows:
        for link in row.links:
            assert f'id="{link}"' in html


def test_the_pairs_of_a_cell_are_drawn_in_run_order_with_what_does_not_count(shown):
    plot = shown.worst[0].plot
    assert len(plot.points) == 30
    assert [x for x, _ in plot.points] == sorted(x for x, _ in plot.points)
    assert plot.band[0] < plot.none < plot.band[1] < max(y for _, y in plot.points) == 1.0
    assert plot.text.startswith("30 pairs in the order in which they ran, from +")


def test_a_plot_of_very_many_pairs_draws_some_of_them_and_of_very_many_rows_the_first_are_shown(monkeypatch):
    monkeypatch.setattr(pairs, "MOST_POINTS", 20)
    monkeypatch.setattr(shown_comparisons, "MOST_ROWS", 20)
    many = duel(1.0, screen=41)
    from farm.compare.duels import comparisons

    done = replace(many, comparisons=comparisons(many))
    assert len(compose(done).comparisons.rows[0].plot.points) <= 20
    view = compose(replace(done, comparisons=done.comparisons * 25))
    assert (len(view.comparisons.rows), view.comparisons.total) == (20, 25)
    assert "The first 20 of 25 comparisons" in render(view)


def test_canaries_are_counted_and_too_many_false_changes_are_a_warning(results, shown):
    assert shown.canaries == "0 of 2 canary cells (A/A) differed from themselves"
    assert not shown.is_doubtful
    doubtful = tuple(
        replace(one, verdict=Verdict.SLOWER) if one.is_canary else one for one in results.comparisons * 3
    )
    view = compose(replace(results, comparisons=doubtful))
    assert view.comparisons.is_doubtful
    assert "do not trust this run" in render(view)


def test_notes_and_differences_stand_with_their_comparison(results):
    one = replace(results.comparisons[0], differences=("farm: 1 and 2",), notes=("the device drifted",))
    html = render(compose(replace(results, comparisons=(one,))))
    assert "farm: 1 and 2" in html
    assert "the device drifted" in html


def test_a_minimum_effect_of_another_size_is_named(results):
    html = render(compose(replace(results, comparing=Comparing(0.015))))
    assert "less than 1.5 % does not count" in html


@pytest.mark.parametrize("name", ["small", "lab", "empty"])
def test_a_report_without_comparisons_has_no_word_of_them(name):
    view = compose(make.EXAMPLES[name]())
    assert view.comparisons is None
    html = render(view)
    assert 'id="comparisons"' not in html
    assert "this report gives no statistical verdict" in html


def test_a_run_with_canaries_only_says_what_they_showed_and_decides_nothing(results):
    only = tuple(one for one in results.comparisons if one.is_canary)
    view = compose(replace(results, comparisons=only))
    assert (view.comparisons.decision, view.comparisons.rows) == (None, ())
    html = render(view)
    assert "0 of 2 canary cells (A/A) differed from themselves" in html
    assert "Nothing changed" not in html
    false = tuple(replace(one, verdict=Verdict.FASTER) for one in only * 3)
    assert compose(replace(results, comparisons=false)).comparisons.decision.symbol == "NOT DECIDED"


def test_a_build_is_a_column_of_its_own(results):
    assert results.columns == ("fp32@old", "fp32@new", "fp32@canary")
    assert make.small().columns == ("fp32", "4 threads")
    matrix = compose(results).matrices[0]
    assert [box is None for box in matrix.rows[0].boxes] == [False, False, True]  # tiny has no canary


def test_a_cell_that_was_confirmed_shows_the_fresh_rounds_which_its_number_is_of(results):
    view = compose(results)
    box = view.matrices[0].rows[0].boxes[0]
    assert (box.times.rounds, len(box.times.strip.rounds)) == ("30 rounds", 30)
    detail = next(cell for cell in view.cells if cell.anchor == box.anchor)
    assert [one.name for one in detail.rounds][9:11] == ["timed 10", "confirm 1"]
    assert len(detail.rounds) == 40


def test_without_rounds_or_cells_a_comparison_is_shown_as_it_is(results):
    bare = compose(replace(results, cells=()))
    assert [row.links for row in bare.comparisons.rows] == [(None, None)] * 6
    assert bare.comparisons.rows[0].plot is None
    assert "NO-GO" in render(bare)
