"""The columns of all cells that a report's table is made of."""

from __future__ import annotations

import gzip
import json
import math
from base64 import b64decode
from dataclasses import replace

import pytest

from farm.model.run import CellStatus
from farm.report import compose as composing
from farm.report.compose import compose
from farm.report.table.packing import digits, packed, texts
from tests.data.results import make


def unpacked(text):
    return json.loads(gzip.decompress(b64decode(text)))


def spread(codes, length):
    return codes if isinstance(codes, list) else [codes] * length


def column(made, length):
    return [made["values"][code] for code in spread(made["codes"], length)]


def rounds_of(data, cell):
    counts = spread(data["counts"], data["cells"])
    start = sum(counts[:cell])
    median = data["median"][cell]
    return [median * (1 + steps * data["step"]) for steps in data["rounds"][start : start + counts[cell]]]


@pytest.fixture(scope="module")
def compared():
    return unpacked(compose(make.compared()).table)


def test_every_cell_is_there_with_its_keys_and_its_rounds_to_three_digits(compared):
    results = make.compared()
    for name in ("device", "model", "variant", "build"):
        key = next(one for one in compared["keys"] if one["name"] == name)
        assert column(key, len(results.cells)) == [getattr(cell, name) for cell in results.cells]
    for place, cell in enumerate(results.cells):
        if cell.summary is None:
            assert compared["median"][place] is None
            continue
        values = [one.value_ms for one in cell.rounds if one.value_ms and one.quality == "ok"]
        found = rounds_of(compared, place)
        assert compared["median"][place] == pytest.approx(cell.summary.median_ms, rel=1e-4)
        assert all(any(math.isclose(value, one, rel_tol=1e-3) for value in found) for one in values[-10:])


def test_comparisons_come_in_the_order_in_which_they_should_be_looked_at_and_without_canaries(compared):
    words = [word for word, _ in compared["verdicts"]]
    duels = compared["duels"]
    shown = [words[code] for code in duels["verdict"]]
    assert shown == ["slower", "faster", "inconclusive", "invalid", "invalid", "unchanged"]
    first = compose(make.compared()).comparisons.rows[0]
    assert f"+{duels['ratio'][0] / 100:.1f} %" == first.change
    assert f"+{duels['low'][0] / 100:.1f} to +{duels['high'][0] / 100:.1f} %" == first.interval


def test_tags_and_options_are_keys(compared):
    results = make.small()
    tagged = replace(results, devices=tuple(replace(one, tags=("arm64", "big")) for one in results.devices))
    keys = {one["name"]: one for one in unpacked(compose(tagged).table)["keys"]}
    assert column(keys["tag"], 2) == ["arm64, big"] * 2
    assert keys["tag"]["isList"]
    assert column(keys["--multithread"], 2) == ["", "4"]


def test_a_command_that_cells_share_is_kept_once_and_exactly():
    results = make.lab()
    exact = replace(results.cells[0], reproduce=f"ssh {'x' * 900}  'two  spaces'")
    data = unpacked(compose(replace(results, cells=(exact, *results.cells[1:]))).table)
    assert exact.reproduce in data["command"]["values"]
    assert len(data["command"]["values"]) < len(results.cells) / 3


def test_a_median_of_nothing_and_times_that_are_no_numbers_are_written_as_valid_json():
    results = make.small()
    first, second = results.cells
    zero = replace(first, summary=replace(first.summary, median_ms=0.0))
    odd = replace(second, summary=replace(second.summary, median_ms=math.inf, p90_ms=math.nan))
    data = unpacked(compose(replace(results, cells=(zero, odd))).table)
    assert data["median"] == [0, None]
    assert data["p90"][1] is None
    assert all(steps is None or isinstance(steps, int) for steps in data["rounds"])


def test_the_same_run_gives_the_same_text_and_hostile_names_are_no_markup():
    table = compose(make.hostile()).table
    assert table == compose(make.hostile()).table
    assert not set(table) & set("<>&\"'")
    assert unpacked(packed(["\ud800"])) == ["\ud800"]


def test_texts_are_kept_once_and_numbers_have_so_many_digits():
    assert texts(["a", None, "a", "b"]) == {"values": ["", "a", "b"], "codes": [1, 0, 1, 2]}
    assert texts(["a", "a"])["codes"] == 1
    assert texts(["two\nlines\u202e"])["values"][1] == "two lines<U+202E>"
    assert [digits(one, 3) for one in (1.23456, 1234.0, math.nan, None)] == [1.23, 1230, None, None]


@pytest.fixture
def few_inside(monkeypatch):
    monkeypatch.setattr(composing, "MOST_INSIDE", 10)


@pytest.mark.usefixtures("few_inside")
def test_a_large_report_is_small_and_has_all_cells():
    results = make.lab()
    view = compose(results)
    assert view.is_large
    assert (view.cells, view.matrices, view.data) == ((), (), None)
    data = unpacked(view.table)
    assert data["cells"] == 120
    assert data["isLarge"]
    order = list(CellStatus)
    assert [order[code] for code in data["status"]] == [cell.status for cell in results.cells]
    assert sum(one.number for one in view.problems) == 38
    assert all(len(one.cells) <= composing.MOST_LINKS for one in view.problems)
