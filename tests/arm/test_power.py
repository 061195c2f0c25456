"""A power cut in the middle of a run on a real ARM system."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.arm.board import Spec, running
from tests.arm.packages import UnavailableError
from tests.arm.power import VARIANTS, bench

ROUNDS = 2


@pytest.mark.long
def test_a_power_cut_costs_the_round_that_it_broke(tmp_path: Path) -> None:
    def after_two_rounds(folder: Path, is_over: Callable[[], bool]) -> bool:
        if cuts:
            return False
        cuts.append(1)
        while not is_over():
            journal = folder / "runs" / "one" / "journal.jsonl"
            if journal.exists() and journal.read_text("utf-8").count('"event":"round"') >= 2:
                return True
            time.sleep(0.1)
        return False

    cuts: list[int] = []
    try:
        with running(Spec(disk_mib=64), tmp_path / "board") as board:
            outcome = bench(board, tmp_path, "one", ("--rounds", f"{ROUNDS}"), after_two_rounds)
    except UnavailableError as error:
        pytest.skip(str(error))
    assert {part: found for part, found in outcome.failures(ROUNDS).items() if found} == {}, outcome.said
    assert len(outcome.cuts) == 1
    assert len(outcome.results["devices"][0]["restarts"]) == 1
    assert len(outcome.results["cells"]) == len(VARIANTS)
