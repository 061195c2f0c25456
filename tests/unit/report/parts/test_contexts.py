"""In what the two sides of a comparison differ, in the details of a cell."""

from __future__ import annotations

from dataclasses import replace

from farm.compare.context import Relation, contrasts
from farm.compare.duels import comparisons
from farm.model.comparison import Change, Duel, Earlier
from farm.model.run import Results
from farm.report.compose import compose
from farm.report.parts.details.contexts import contexts, with_context
from farm.report.render import render
from farm.report.views.context import Context
from tests.data.results import make
from tests.unit.report.test_render import Page

ONE, OTHER = "local/shufflenet_v2/fp32", "local/shufflenet_v2/4 threads"


def compared(results: Results, *duels: Duel) -> Results:
    results = replace(results, duels=duels)
    return replace(results, comparisons=comparisons(results))


def only(results: Results, cell: str) -> Context:
    (found,) = contexts(results).cells[cell]["context"].comparisons
    shown: Context = found
    return shown


def rows(context: Context) -> list[tuple[str, ...]]:
    return [(one.label, one.baseline, one.candidate, one.mark.word) for one in context.rows]


def test_two_variants_differ_in_their_options_and_all_else_is_named_as_the_same() -> None:
    results = compared(make.small(), Duel(ONE, OTHER, Change.VARIANT))
    found = only(results, OTHER)
    assert rows(found) == [("options", "the program's defaults", "--multithread=4", "this is compared")]
    assert (found.baseline, found.anchor) == (ONE, "cell-1")
    assert "kernel" in found.same
    assert "governor" in found.same
    assert ONE not in contexts(results).cells


def test_the_baseline_of_another_run_has_the_facts_of_that_run() -> None:
    """What is in the way stands first; what one side does not say is told, and no difference."""
    made = make.small()
    told = (("kernel", "6.1.43"), ("farm", "0.0.9"), ("GPU driver", "535.1"))
    earlier = Earlier("local/shufflenet_v2/fp32@baseline", "night-1", (12.0, 12.1), told)
    results = compared(
        replace(made, earlier=(earlier,)), Duel(earlier.cell, ONE, Change.NOTHING, since="night-1")
    )
    found = only(results, ONE)
    assert found.baseline == f"{earlier.cell} of run night-1"
    assert found.anchor is None
    shown = rows(found)
    assert shown[0] == ("kernel", "6.1.43", "6.1.75-rk3588", "must be the same")
    assert ("farm", "0.0.9", "0.1.0", "may differ") in shown
    assert ("GPU driver", "535.1", "\N{EN DASH}", "not known of both") in shown


def test_the_row_of_a_comparison_leads_to_the_context_of_its_cell() -> None:
    results = compared(make.small(), Duel(ONE, OTHER, Change.VARIANT), Duel(ONE, "gone", Change.VARIANT))
    assert with_context(results) == {"cell-2"}
    page = Page(render(compose(results)))
    assert page.values("href").count("#context-2") >= 1
    assert page.values("id").count("context-2") == 1


def test_canaries_have_no_context() -> None:
    results = compared(make.small(), Duel(ONE, OTHER, Change.NOTHING, is_canary=True))
    assert OTHER not in contexts(results).cells
    assert with_context(results) == frozenset()


def test_a_better_fact_that_both_know_stands_for_a_worse_one() -> None:
    known = {"input": "cat.npy", "input's data": "a" * 12}
    labels = [one.label for one in contrasts(known, known | {"input": "dog.npy"}, Change.VARIANT)]
    assert labels == ["input's data"]
    (one,) = contrasts({"input": "cat.npy"}, {"input": "dog.npy"}, Change.VARIANT)
    assert one.relation is Relation.IN_THE_WAY
