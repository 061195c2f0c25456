"""Which runs on disk are those of a search: its own, that have what a step is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from farm.cli.tune.step import on_disk, require_new
from farm.errors import Fault, RequestError
from farm.model.options import OptionSet
from farm.model.outputs import Check
from farm.model.run import CellStatus, ModelRecord, Results, RunStatus, VariantRecord
from farm.store.runs import RunDirectory
from farm.tune.halving import next_step
from farm.tune.nouns import DEFAULT
from farm.tune.search import request_of
from farm.tune.state import TuneFolder
from tests.unit.tune.made import REQUEST, by_name, of_candidates, some

TUNE = of_candidates(some(3))
ASKED = request_of(TUNE, next_step(TUNE), REQUEST)
VARIANTS = tuple(VariantRecord(one.name, one.options.as_dict(), one.options.digest) for one in ASKED.variants)


def results(**fields) -> Results:
    made = by_name({}).measure(ASKED, "rung-1").results
    return replace(made, **{"variants": VARIANTS, "ended_at": made.started_at, **fields})


def keep(runs_dir: Path, made: Results, run_id: str = "t-rung-1") -> None:
    RunDirectory.create(runs_dir, run_id).write_results(replace(made, run_id=run_id))


def test_a_step_that_was_measured_is_found_and_one_that_was_not_has_the_next_name(tmp_path: Path) -> None:
    assert on_disk(TUNE, tmp_path, ASKED, "rung-1") == ("t-rung-1", None)
    keep(tmp_path, results(status=RunStatus.INTERRUPTED))
    assert on_disk(TUNE, tmp_path, ASKED, "rung-1") == ("t-rung-1-try-2", None)
    keep(tmp_path, results(), "t-rung-1-try-2")
    run_id, found = on_disk(TUNE, tmp_path, ASKED, "rung-1")
    assert (run_id, found and found.run_id) == ("t-rung-1-try-2", "t-rung-1-try-2")


OTHER = OptionSet((("fast-run", True),))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"seed": 7}, "seed 7, not 1"),
        ({"models": (ModelRecord("m", "cd" * 32, 1, ""),)}, "another model"),
        ({"devices": ()}, "another device"),
        ({"variants": VARIANTS[:-1]}, "other options"),
        ({"variants": (VariantRecord(DEFAULT, {}, OTHER.digest), *VARIANTS[1:])}, "other options"),
    ],
)
def test_a_run_of_another_request_is_refused_with_what_differs(tmp_path: Path, fields, why: str) -> None:
    keep(tmp_path, results(**fields))
    with pytest.raises(RequestError) as refused:
        on_disk(TUNE, tmp_path, ASKED, "rung-1")
    assert refused.value.message == f"run t-rung-1 is no run of this search: {why}"


def test_a_run_whose_default_has_no_outputs_to_compare_is_measured_again_where_they_are_asked_for(
    tmp_path: Path,
) -> None:
    played = by_name({})
    played.wrong = frozenset({DEFAULT})
    made = replace(played.measure(ASKED, "rung-1").results, variants=VARIANTS)
    keep(tmp_path, made)
    assert on_disk(TUNE, tmp_path, ASKED, "rung-1") == ("t-rung-1-try-2", None)
    unchecked = replace(ASKED, check=Check.OFF)
    assert on_disk(TUNE, tmp_path, unchecked, "rung-1")[0] == "t-rung-1"


def test_a_run_that_lost_its_device_or_ran_another_program_is_measured_again(tmp_path: Path) -> None:
    made = results()
    cut = replace(made.cells[1], status=CellStatus.FAILED, fault=Fault.NETWORK, error="connection lost")
    keep(tmp_path, replace(made, cells=(made.cells[0], cut, *made.cells[2:])))
    keep(tmp_path, results(cells=tuple(replace(one, runtime_digest="b" * 64) for one in made.cells)),
         "t-rung-1-try-2")  # fmt: skip
    known = replace(TUNE, runtime_digest="a" * 64)
    assert on_disk(known, tmp_path, ASKED, "rung-1") == ("t-rung-1-try-3", None)
    assert on_disk(replace(TUNE, runtime_digest="b" * 64), tmp_path, ASKED, "rung-1")[1] is not None


def test_a_name_under_which_there_are_runs_or_a_search_is_refused(tmp_path: Path) -> None:
    folder = TuneFolder(tmp_path, "t")
    require_new(folder, tmp_path / "none")
    keep(tmp_path, results(), "tt-rung-1")
    require_new(folder, tmp_path)
    keep(tmp_path, results(), "t-confirm")
    with pytest.raises(RequestError, match="and there is a run t-confirm"):
        require_new(folder, tmp_path)
    with folder.alone():
        folder.save(TUNE)
    with pytest.raises(RequestError, match="there is a search t"):
        require_new(folder, tmp_path)
