"""Searches and transformations become stages; the rounds get their products."""

from __future__ import annotations

import pytest

from farm.errors import RequestError
from farm.options import parse, preparations, recipe


def asked(text: str) -> tuple[list[str], str]:
    todo, rest = preparations(parse(text.split()))
    return [stage.kind for stage in todo], " ".join(f"{name}={value}" for name, value in rest.values)


@pytest.mark.parametrize(
    ("options", "kinds", "rest"),
    [
        ("--iter 20 --cpu", [], "iter=20 cpu=True"),
        ("--fast-run", ["fast-run"], "fast-run-algo-policy=fast-run.cache"),
        ("--full-run --fast-run-algo-policy a/b.bin", ["fast-run"], "fast-run-algo-policy=b.bin"),
        ("--layout-transform cpu", ["layout-transform"], ""),
        (
            "--layout-transform cpu --layout-transform-dump m.mge --fast-run --multithread 2",
            ["layout-transform", "fast-run"],
            "fast-run-algo-policy=fast-run.cache multithread=2",
        ),
        ("--cuda --tensorrt", ["tensorrt"], "cuda=True tensorrt=True tensorrt-cache=tensorrt.cache"),
    ],
)
def test_a_search_is_done_once_and_the_rounds_get_its_product(
    options: str, kinds: list[str], rest: str
) -> None:
    assert asked(options) == (kinds, rest)


def test_a_stage_runs_one_inference_with_the_options_that_it_depends_on() -> None:
    todo, _ = preparations(
        parse(["--fast-run", "--multithread", "2", "--iter", "500", "--profile", "p.json"])
    )
    assert todo[0].options.as_dict() == {
        "iter": 1,
        "fast-run": True,
        "fast-run-algo-policy": "fast-run.cache",
        "multithread": 2,
    }


def test_the_transformation_knows_nothing_of_the_search_that_follows_it() -> None:
    todo, _ = preparations(parse(["--layout-transform", "cpu", "--fast-run", "--reproducible"]))
    assert "fast-run" not in todo[0].options
    assert "layout-transform" not in todo[1].options
    assert todo[0].feeds == "model"


def test_an_unknown_recipe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(RequestError) as caught:
        recipe("x68")
    assert "x86-cpu" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["x86-cpu", "arm-cpu", "nvidia"])
def test_a_recipe_transforms_first_and_searches_then(name: str) -> None:
    assert [stage.kind for stage in preparations(recipe(name))[0]] == ["layout-transform", "fast-run"]
