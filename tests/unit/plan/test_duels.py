"""Which cells of a plan are compared."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from farm.cli.terminal.tables import plan_table
from farm.errors import RequestError
from farm.model.artifact import Artifact
from farm.model.build import Build
from farm.model.comparison import Change
from farm.model.device import Address, Device, Runtime, RuntimeKind
from farm.model.matrix import Cell, Model, Plan
from farm.model.options import Variant
from farm.options import parse
from farm.plan.duels import with_canaries, with_duels
from tests.unit.plans import plan_of

DEVICES = [Device(name, Address("10.0.0.1"), Runtime(RuntimeKind.WHEEL)) for name in ("arm-1", "arm-2")]


def model(name: str, size: int = 10) -> Model:
    return Model(name, Artifact(f"{name}.mge", name.ljust(64, "0"), size, Path(f"{name}.mge")))


def plan(*variants: str, models: tuple[str, ...] = ("m", "n"), builds: tuple[str, ...] = ()) -> Plan:
    columns = [Variant(name, parse([])) for name in variants or ("default",)]
    made = plan_of(DEVICES, [model(name) for name in models], columns)
    if not builds:
        return made
    cells = tuple(replace(cell, build=name) for cell in made.cells for name in builds)
    return replace(made, cells=cells, builds=tuple(map(Build, builds)))


def pairs(made: Plan) -> list[tuple[str, str]]:
    return [(duel.baseline, duel.candidate) for duel in made.duels]


def test_two_variants_meet_in_every_model_of_every_device() -> None:
    made = with_duels(plan("a", "b", "c"), ("a", "b"))
    assert pairs(made) == [
        (f"{device}/{name}/a", f"{device}/{name}/b") for device in ("arm-1", "arm-2") for name in ("m", "n")
    ]
    assert {duel.change for duel in made.duels} == {Change.VARIANT}


def test_models_and_builds_are_compared_in_the_same_way() -> None:
    made = with_duels(plan(), ("m", "n"))
    assert pairs(made)[0] == ("arm-1/m/default", "arm-1/n/default")
    assert {duel.change for duel in made.duels} == {Change.MODEL}
    made = with_duels(plan(builds=("old", "new")), ("old", "new"))
    assert pairs(made)[0] == ("arm-1/m/default@old", "arm-1/m/default@new")
    assert {duel.change for duel in made.duels} == {Change.BUILD}


def test_with_three_names_the_first_is_compared_with_each() -> None:
    made = with_duels(plan("a", "b", "c", models=("m",)), ("b", "a", "c"))
    assert [(b[-1], c[-1]) for b, c in pairs(made) if b.startswith("arm-1")] == [("b", "a"), ("b", "c")]


def test_a_cell_that_is_skipped_has_no_duel() -> None:
    made = plan("a", "b", models=("m",))
    made = with_duels(replace(made, cells=tuple(c for c in made.cells if c.id != "arm-2/m/b")), ("a", "b"))
    assert pairs(made) == [("arm-1/m/a", "arm-1/m/b")]


@pytest.mark.parametrize(
    ("made", "ab", "said"),
    [
        (plan("alpha", "beta"), ("alpha", "betta"), r"named 'betta' \(did you mean beta\?\)"),
        (plan("a", "m"), ("a", "n"), "not all of one kind"),
        (plan("m", "n"), ("m", "n"), "there are variants and models of these names"),
    ],
)
def test_names_that_say_nothing_clear_are_refused(made: Plan, ab: tuple[str, ...], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        with_duels(made, ab)


def test_two_that_never_meet_are_refused_with_the_reason() -> None:
    made = plan("a", "b", models=("m",))
    apart = tuple(c for c in made.cells if c.id in ("arm-1/m/a", "arm-2/m/b"))
    with pytest.raises(RequestError, match="no device runs two of them"):
        with_duels(replace(made, cells=apart), ("a", "b"))


def test_each_device_has_a_canary_of_its_smallest_model() -> None:
    made = plan_of(
        DEVICES, [model("big", 99), model("small", 1)], [Variant("a", parse(["--profile", "p.json"]))]
    )
    made = with_canaries(made)
    assert pairs(made) == [(f"{name}/small/a", f"{name}/small/a@canary") for name in ("arm-1", "arm-2")]
    assert all(duel.is_canary and duel.change is Change.NOTHING for duel in made.duels)
    original, twin = (
        cell for cell in made.cells if cell.device.name == "arm-1" and cell.model.name == "small"
    )
    assert replace(twin, build="inventory", rounds=original.rounds) == original
    assert [one.kind for one in twin.rounds] == ["timed"]
    assert [build.name for build in made.builds] == ["inventory", "canary"]


def test_where_a_canary_has_no_twin_nothing_is_said_to_be_skipped() -> None:
    made = with_canaries(plan("a"))
    table = Console(width=100, file=io.StringIO(), record=True)
    table.print(plan_table(made))
    text = table.export_text()
    assert "skip" not in text
    assert "a@canary" in text


def test_a_canary_avoids_searches_and_keeps_its_build_apart() -> None:
    variants = [Variant("search", parse(["--fast-run"])), Variant("plain", parse([]))]
    made = with_canaries(plan_of(DEVICES[:1], [model("m")], variants))
    assert pairs(made) == [("arm-1/m/plain", "arm-1/m/plain@canary")]
    made = with_canaries(plan(builds=("old", "new")))
    assert pairs(made)[0] == ("arm-1/m/default@old", "arm-1/m/default@canary-old")


def test_a_build_with_the_name_of_a_canary_is_refused() -> None:
    made = plan()
    with pytest.raises(RequestError, match="farm's own") as caught:
        with_canaries(replace(made, builds=(*made.builds, Build("canary"))))
    assert "--no-canary" in (caught.value.hint or "")


def test_without_a_cell_there_is_no_canary() -> None:
    empty: tuple[Cell, ...] = ()
    assert with_canaries(replace(plan(), cells=empty)).duels == ()
