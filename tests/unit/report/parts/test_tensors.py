"""The tensors of a run in its report: of each cell, and N cells side by side."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace

import pytest

from farm.model.outputs import (
    Against,
    Check,
    Checking,
    Divergence,
    EveryTensor,
    OutputCheck,
    OutputVerdict,
    TensorDifference,
    TensorNote,
    Tolerance,
)
from farm.model.run import Results
from farm.report import data
from farm.report.compose import compose
from farm.report.parts import tensor_tables
from farm.report.parts.tensor_tables import tensors_of_run
from farm.report.parts.tensors import tensors_of_cells
from farm.report.render import render
from farm.report.views.tensors import Tensors
from farm.store.codec import results_from_json, results_to_json
from tests.data.results import make
from tests.unit.report.test_render import Page

NUMBERS = TensorDifference(
    "y", "float32", (2, 8), "float32", (2, 8), Tolerance("float32", 1e-3, 1e-5),
    elements=16, mismatches=3, max_abs=0.0123, at=(1, 4), max_rel=0.5, snr_db=21.3, cosine=0.998765,
    nans=2, max_ulp=123456,
)  # fmt: skip

AGREE = EveryTensor(compared=9, sentence="all 9 tensors agree")


def note(
    place: int, divergence: Divergence | None, snr_db: float | None = None, mismatches: int = 0
) -> TensorNote:
    return TensorNote(place, f"t{place}", f"op{place}", "Conv", "", divergence, 16, mismatches, snr_db)


PLANTED = EveryTensor(
    compared=9, beyond=2, unmatched=2, operator="op3", operator_type="Conv",
    sentence="first diverging operator: op3 (Conv): 3 of 16 values", introduced=1, inherited=1, recovered=1,
    tensors=(
        note(1, Divergence.AGREES, 90.0),
        replace(note(3, Divergence.INTRODUCED, 21.3, 3), difference=NUMBERS),
        note(4, Divergence.INHERITED, 8.0, 16),
        note(5, Divergence.RECOVERED),
    ),
    first=1, only_candidate=("reorder (Reorder)",), only_reference=("op7 (Conv)",),
)  # fmt: skip


def run_with(*every: EveryTensor, variants: Sequence[str] = ("fp32", "nchw44", "4 threads")) -> Results:
    """A device for each; its second variant has these tensors, its third agrees with the first."""
    names = {f"arm-{number}": 1.0 for number in range(1, len(every) + 1)}
    made = make.run("checked", names, {"net": 11.8}, list(variants), 2)
    checks = [
        OutputCheck(device, f"{device}/net/{variant}", Against.VARIANT, f"{device}/net/{variants[0]}",
                    OutputVerdict.FINDING, "in words", every=found)
        for device, told in zip(names, every, strict=True)
        for variant, found in zip(variants[1:], (told, AGREE), strict=False)
    ]  # fmt: skip
    return replace(made, checking=Checking(Check.ALL), outputs=tuple(checks))


def section(results: Results) -> Tensors:
    found = tensors_of_run(results)
    assert found is not None
    return found


def words(results: Results, cell: str) -> dict[str, str]:
    """Of a column of the first table, by operator."""
    table = section(results).tables[0]
    place = [one.cell for one in table.columns].index(cell)
    return {row.operator: row.boxes[place].mark.word for row in table.rows}


def test_the_details_of_a_cell_name_the_first_operator_that_diverges_with_all_its_numbers() -> None:
    results = run_with(PLANTED)
    (one,) = tensors_of_cells(results)["arm-1/net/nchw44"]["tensors"]
    assert one.against == "variant arm-1/net/fp32"
    assert one.anchor == "cell-1"
    assert [(row.operator, row.is_first, row.mark.word) for row in one.rows] == [
        ("op3 (Conv)", True, "introduced"), ("op5 (Conv)", False, "recovered"),
    ]  # fmt: skip
    first = one.rows[0]
    assert (first.beyond, first.largest, first.relative) == ("3 of 16", "0.0123 at 1, 4", "0.5")
    assert (first.snr, first.cosine, first.ulp) == ("21.3", "0.998765", "123,456")
    assert first.not_finite == "2 NaN, 0 infinite (reference: 0, 0)"
    assert one.left == "and 2 more that are not the same bit for bit"
    assert [fact.text for fact in one.unmatched] == ["reorder (Reorder)", "op7 (Conv)"]
    command = "farm dumps compare checked:arm-1/net/fp32 checked:arm-1/net/nchw44 --all"
    assert one.command == command
    text = Page(render(compose(results))).text
    for said in ("first to diverge", "first diverging operator: op3 (Conv): 3 of 16 values", command):
        assert said in text


def test_the_worst_are_shown_also_where_many_others_introduce_something_before_them() -> None:
    many = tuple(note(place, Divergence.INTRODUCED, 30.0, 1) for place in range(59))
    last = replace(note(60, Divergence.INHERITED, 1.0, 16), difference=NUMBERS)
    results = run_with(replace(PLANTED, tensors=(*many, last), first=0))
    (one,) = tensors_of_cells(results)["arm-1/net/nchw44"]["tensors"]
    assert (one.rows[0].is_first, one.rows[-1].operator) == (True, "op60 (Conv)")


def test_operators_stand_beside_cells_and_the_first_that_diverges_is_marked() -> None:
    other = replace(PLANTED, tensors=(note(4, Divergence.INTRODUCED, 45.0, 1),), first=0)
    found = section(run_with(PLANTED, other, AGREE))
    (table,) = found.tables
    assert found.summary.startswith("4 of 6 comparisons found no difference")
    assert [(one.cell, one.reference) for one in table.columns] == [
        ("arm-1 nchw44", "arm-1 fp32"), ("arm-2 nchw44", "arm-2 fp32"),
    ]  # fmt: skip
    shown = {row.operator: [(box.snr, box.shade, box.is_first) for box in row.boxes] for row in table.rows}
    assert shown == {
        "op1 (Conv)": [("90.0", 0, False), ("", 0, False)],
        "op3 (Conv)": [("21.3", 2, True), ("", 0, False)],
        "op4 (Conv)": [("8.0", 4, False), ("45.0", 1, True)],
        "op5 (Conv)": [("", 0, False), ("", 0, False)],
    }
    assert shlex.split(table.command)[3:] == ["checked:arm-1/net/fp32", "checked:arm-1/net/nchw44", "--all"]


def test_an_operator_that_is_not_listed_is_equal_only_where_that_is_known() -> None:
    whole = replace(PLANTED, tensors=(note(4, Divergence.INTRODUCED, 45.0, 1),), first=0)
    assert words(run_with(PLANTED, whole), "arm-2 nchw44")["op1 (Conv)"] == "equal"
    cut = replace(whole, left_out=5)
    assert words(run_with(PLANTED, cut), "arm-2 nchw44")["op1 (Conv)"] == "not kept"
    unnamed = replace(whole, unmatched=40)
    assert words(run_with(PLANTED, unnamed), "arm-2 nchw44")["op1 (Conv)"] == "equal, or no partner"
    alone = replace(whole, only_reference=("op1 (Conv)",))
    assert words(run_with(PLANTED, alone), "arm-2 nchw44")["op1 (Conv)"] == "no partner"


def test_an_operator_that_options_renamed_stands_in_the_row_of_the_reference() -> None:
    renamed = tuple(
        replace(one, operator=f"new{one.place}", reference=f"op{one.place} (Conv)") for one in PLANTED.tensors
    )
    found = words(run_with(PLANTED, replace(PLANTED, tensors=renamed)), "arm-2 nchw44")
    assert list(found) == [f"op{place} (Conv)" for place in (1, 3, 4, 5)]
    assert found["op3 (Conv)"] == "introduced"


def test_a_table_has_an_end_keeps_what_tells_most_and_says_what_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tensor_tables, "MOST_ROWS", 2)
    monkeypatch.setattr(tensor_tables, "MOST_COLUMNS", 1)
    (table,) = section(run_with(replace(PLANTED, beyond=0, first=None), PLANTED)).tables
    assert [one.cell for one in table.columns] == ["arm-2 nchw44"]
    assert [row.operator for row in table.rows] == ["op3 (Conv)", "op5 (Conv)"]
    assert table.note == "Not shown: 1 cell and 2 operators."


def test_tensors_that_were_not_compared_are_counted_by_their_reason() -> None:
    gone = EveryTensor(problem="its round for every tensor failed: killed")
    results = run_with(gone, gone, PLANTED)
    assert [(one.label, one.text) for one in section(results).problems] == [("2 comparisons", gone.problem)]
    (one,) = tensors_of_cells(results)["arm-1/net/nchw44"]["tensors"]
    assert (one.sentence, one.command, one.counts) == (gone.problem, None, ())
    assert "2 comparisons not made: its round for every tensor failed" in Page(render(compose(results))).text


def test_results_of_a_former_version_which_kept_no_tensors_have_no_table() -> None:
    former = replace(PLANTED, tensors=(), first=None, only_candidate=(), only_reference=())
    results = run_with(former)
    assert section(results).tables == ()
    (one,) = tensors_of_cells(results)["arm-1/net/nchw44"]["tensors"]
    assert (one.sentence, one.rows, one.left) == (PLANTED.sentence, (), None)
    render(compose(results))


def test_a_run_without_such_checks_has_no_such_section() -> None:
    assert tensors_of_run(make.small()) is None
    assert 'id="tensors"' not in render(compose(make.small()))


def test_a_reference_of_another_run_is_named_with_it_and_has_no_link() -> None:
    results = run_with(PLANTED)
    results = replace(results, outputs=(replace(results.outputs[0], baseline_run="old"),))
    (one,) = tensors_of_cells(results)["arm-1/net/nchw44"]["tensors"]
    assert (one.against, one.anchor) == ("variant arm-1/net/fp32 of run old", None)
    assert shlex.split(one.command or "")[3] == "old:arm-1/net/fp32"


def test_what_is_kept_of_tensors_can_be_read_again_and_very_many_are_not_put_into_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    results = run_with(PLANTED)
    assert results_from_json(results_to_json(results), "here") == results
    assert data.embedded_data(results)["outputs"][0]["every"]["tensors"]
    monkeypatch.setattr(data, "MOST_NOTES", 3)
    every = data.embedded_data(results)["outputs"][0]["every"]
    assert (every.get("tensors"), every["beyond"]) == (None, 2)
