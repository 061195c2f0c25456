"""The outputs of a run in the report and on the terminal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from farm.cli.bench.outputs import MOST_SHOWN, outputs_lines
from farm.model.outputs import (
    Against,
    Check,
    Checking,
    OutputCheck,
    OutputVerdict,
    TensorDifference,
    Tolerance,
)
from farm.model.run import Results
from farm.report.compose import compose
from farm.report.parts import outputs
from farm.report.parts.outputs import VERDICTS, compose_outputs
from farm.report.render import render
from tests.data.results import make
from tests.unit.report.test_render import OUR_ELEMENTS, Page

WORST = TensorDifference(
    "prob", "float32", (1, 10), "float32", (1, 10), Tolerance("float32", 1e-3, 1e-5),
    elements=10, mismatches=3, max_abs=0.0123, at=(0, 4), max_rel=0.5, snr_db=44.56, cosine=0.999999, nans=1, top1=1.0, top5=1.0,
)  # fmt: skip


def check(
    verdict: OutputVerdict, against: Against = Against.GOLDEN, sentence: str = "in words"
) -> OutputCheck:
    cell = make.small().cells[0]
    return OutputCheck(cell.device, cell.id, against, "g.npy", verdict, sentence, (WORST,))


def run_with(*checks: OutputCheck) -> Results:
    return replace(make.small(), checking=Checking(Check.OUTPUTS), outputs=checks)


def test_a_run_without_checks_says_nothing_of_outputs() -> None:
    assert compose_outputs(make.small()) is None
    assert 'id="outputs"' not in render(compose(make.small()))
    assert outputs_lines(make.small()) == []


def test_the_worst_comes_first_and_equal_to_itself_is_only_counted() -> None:
    view = compose_outputs(
        run_with(
            check(OutputVerdict.EQUAL, Against.ITSELF),
            check(OutputVerdict.EQUAL),
            check(OutputVerdict.WRONG),
            check(OutputVerdict.NOT_COMPARABLE, Against.ITSELF),
            check(OutputVerdict.FINDING, Against.VARIANT),
        )
    )
    assert view is not None
    assert [row.verdict.word for row in view.rows] == ["wrong", "finding", "not comparable", "equal"]
    assert {count.status.word: count.cells for count in view.counts} == {
        "wrong": 1, "finding": 1, "not comparable": 1, "within tolerance": 0, "equal": 2,
    }  # fmt: skip
    row = view.rows[0]
    assert (row.snr, row.largest, row.beyond, row.against) == ("44.6", "0.0123", "3 of 10", "golden: g.npy")
    assert row.anchor == "cell-1"
    (tensor,) = row.tensors
    assert "largest difference 0.0123 at (0, 4)" in tensor.text
    assert "NaN 1 against 0" in tensor.text


def test_every_verdict_has_a_symbol_and_a_word() -> None:
    assert set(VERDICTS) == set(OutputVerdict)
    assert len({status.symbol for status in VERDICTS.values()}) == len(VERDICTS)


def test_rows_have_an_end_and_say_how_many_more_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "MOST_ROWS", 2)
    results = run_with(*(check(OutputVerdict.WRONG) for _ in range(5)))
    assert "3 more are in results.json" in Page(render(compose(results))).text


def test_a_hostile_output_stays_text() -> None:
    bad = "<script>alert(1)</script>\x1b[31m"
    evil = replace(WORST, name=bad, problem=bad)
    results = run_with(
        replace(check(OutputVerdict.WRONG, sentence=bad), tensors=(evil,), reference=bad, cell=bad)
    )
    html = render(compose(results))
    page = Page(html)
    assert {name for name, _ in page.elements} <= OUR_ELEMENTS
    assert "<script>alert(1)</script>" in page.text
    assert "\x1b" not in page.text


def test_the_terminal_counts_and_tells_what_is_odd() -> None:
    assert outputs_lines(run_with(check(OutputVerdict.EQUAL), check(OutputVerdict.WRONG))) == [
        "outputs: 1 wrong, 1 equal"
    ]
    many = run_with(*(check(OutputVerdict.FINDING) for _ in range(MOST_SHOWN + 2)))
    lines = outputs_lines(many)
    assert lines[0] == f"outputs: {MOST_SHOWN + 2} finding"
    assert lines[1].endswith(": finding: in words")
    assert lines[-1] == "and 2 more: the report has them"
