"""The order of a device's rounds."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from farm.model.artifact import Artifact
from farm.model.comparison import Change, Duel, Phase
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model, RoundKind
from farm.model.options import Variant
from farm.options import parse
from farm.plan.schedule import Block, blocks, schedule
from tests.unit.plans import plan_of

DEVICE = Device("d", Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL))
MODEL = Model("m", Artifact("m.mge", "0" * 64, 10, Path("m.mge")))
NAMES = ("a", "b", "c", "d", "e")


def cells_of(names: tuple[str, ...] = NAMES, rounds: int = 4, options: str = "") -> tuple[Cell, ...]:
    variants = [Variant(name, parse(options.split())) for name in names]
    return plan_of([DEVICE], [MODEL], variants, rounds=rounds).cells


def duel(baseline: str, candidate: str) -> Duel:
    return Duel(f"d/m/{baseline}", f"d/m/{candidate}", Change.VARIANT)


def names(block: Block) -> str:
    return "".join(cell.variant.name for cell, _ in block)


def test_the_rounds_of_a_pair_are_neighbours_in_every_block() -> None:
    duels = (duel("a", "d"), duel("e", "b"))
    found = schedule(cells_of(rounds=30), 7, duels).blocks
    assert len(found) == 30
    for block in found:
        text = names(block)
        assert sorted(text) == sorted("abcde")
        assert "ad" in text or "da" in text
        assert "be" in text or "eb" in text


def test_who_comes_first_in_a_pair_is_drawn_from_the_seed() -> None:
    def order(seed: int) -> list[str]:
        return [
            names(block) for block in schedule(cells_of(("a", "b"), rounds=40), seed, [duel("a", "b")]).blocks
        ]

    assert order(3) == order(3)
    assert order(3) != order(4)
    assert 10 < Counter(order(3))["ab"] < 30


def test_what_is_compared_with_two_stands_between_them() -> None:
    duels = (duel("a", "b"), duel("a", "c"))
    found = {names(block) for block in schedule(cells_of(("a", "b", "c"), rounds=40), 1, duels).blocks}
    assert found == {"bac", "cab"}


def test_with_many_candidates_each_is_before_the_baseline_half_of_the_time() -> None:
    duels = tuple(duel("a", name) for name in "bcde")
    found = [names(block) for block in schedule(cells_of(rounds=200), 1, duels).blocks]
    for name in "bcde":
        assert 60 < sum(text.index(name) < text.index("a") for text in found) < 140


def test_a_chain_of_duels_is_one_unit_and_its_ends_do_not_hang() -> None:
    duels = (duel("a", "b"), duel("b", "c"), duel("c", "a"))
    for block in schedule(cells_of(rounds=20), 5, duels).blocks:
        assert sorted(names(block)) == sorted("abcde")
        assert max(map(names(block).index, "abc")) - min(map(names(block).index, "abc")) == 2


def test_fresh_rounds_have_their_own_phase_order_and_number() -> None:
    cells = cells_of(("a", "b", "c"))
    found = blocks(cells, {"d/m/a": 3, "d/m/b": 3}, [duel("a", "b")], Phase.CONFIRM, 1)
    assert [sorted(names(block)) for block in found] == [["a", "b"]] * 3
    assert {(one.phase, one.kind, one.attempt) for block in found for _, one in block} == {
        (Phase.CONFIRM, RoundKind.TIMED, 0)
    }
    assert [{one.index for _, one in block} for block in found] == [{0}, {1}, {2}]


def test_setup_comes_first_and_what_would_disturb_a_time_last() -> None:
    made = schedule(cells_of(("p", "q"), rounds=2, options="--profile p.json"), 1)
    assert [one.kind for _, one in made.steps] == [RoundKind.TIMED] * 4 + [RoundKind.PROFILE] * 6
    assert made.first == ()


def test_profiles_come_in_blocks_so_that_drift_falls_on_all_and_dumps_after_them() -> None:
    made = schedule(cells_of(("p", "q"), rounds=1, options="--profile p.json --bin-out-dump out"), 1)
    assert [(cell.variant.name, one.kind, one.index) for cell, one in made.last] == [
        *((name, RoundKind.PROFILE, index) for index in range(3) for name in "pq"),
        ("p", RoundKind.DUMP, 0),
        ("q", RoundKind.DUMP, 0),
    ]


@pytest.mark.parametrize("later", [("d/m/a",), ()])
def test_cells_of_an_earlier_run_wait_until_they_are_needed(later: tuple[str, ...]) -> None:
    made = schedule(cells_of(("a", "b"), rounds=2), 1, [duel("a", "b")], later=later)
    assert {"".join(sorted(names(block))) for block in made.blocks} == ({"b"} if later else {"ab"})


def test_no_cell_has_no_order() -> None:
    assert schedule((), 1).steps == ()
    assert blocks((), {}, (), Phase.CONFIRM, 1) == ()
