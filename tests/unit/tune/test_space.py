"""What is tried: only what the rules allow, each option set once, and of each value something."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import RequestError
from farm.model.device import CoreCluster, Facts, Gpu, RuntimeKind
from farm.options import check, parse
from farm.options.catalogue.layout import LAYOUTS
from farm.tune.nouns import DEFAULT, FITTING
from farm.tune.space import Axis, Target, axis_of_text, combinations, default_axes, problem, sample
from tests.unit.tune.made import FACTS, device, target

X86 = Facts(architecture="x86_64", core_ids=(0, 1), clusters=(CoreCluster((0, 1)),))


def axes(*texts: str) -> list[Axis]:
    return [axis_of_text(text) for text in texts]


def space(*texts: str, base: str = "", **fields):
    return combinations(axes(*texts), target(parse(base.split()), **fields))


def names(*texts: str, **fields) -> list[str]:
    return [one.name for one in space(*texts, **fields).candidates]


def test_axes_are_combined_and_the_default_comes_first() -> None:
    assert names("threads=2,default", "fast-run=default,true") == [
        DEFAULT, "threads=2", "threads=2, fast-run", "fast-run",
    ]  # fmt: skip


def test_the_default_is_tried_also_where_no_axis_has_it() -> None:
    assert names("threads=2,4") == [DEFAULT, "threads=2", "threads=4"]


def test_given_options_are_part_of_all() -> None:
    found = space("threads=2", "layout=nchw44", base="--iter 50 --fast-run")
    assert all(one.options["iter"] == 50 and one.options["fast-run"] is True for one in found.candidates)


def test_what_the_rules_refuse_is_not_tried() -> None:
    found = space("threads=default,cpu-default,2", "cores=default,big", "record=default,2")
    named = [one.name for one in found.candidates]
    assert "cores=big" not in named
    assert "threads=cpu-default, cores=big" not in named
    assert "threads=2, cores=big" in named
    assert not any("record=2" in name for name in named)
    assert found.invalid == 12 - len(named)


def test_what_hides_its_outputs_is_tried_where_nobody_checks_them() -> None:
    assert "record=2" in names("record=default,2", checks=False)


def test_more_threads_than_the_cores_have_are_not_tried() -> None:
    assert names("threads=4,8,16", "cores=big") == [DEFAULT, "threads=4, cores=big"]


def test_axes_that_contradict_each_other_are_no_combination() -> None:
    assert names("threads=2,4", "multithread=2,4") == [
        DEFAULT,
        "threads=2, multithread=2",
        "threads=4, multithread=4",
    ]


def test_an_option_set_is_tried_once_whatever_it_is_called() -> None:
    assert names("threads=default,cpu-default", "cpu-default=default,true") == [
        DEFAULT, "cpu-default",
    ]  # fmt: skip


def test_recipes_and_fitting_are_candidates_by_themselves() -> None:
    found = space(
        "threads=default,2",
        "layout=default,transform-cpu",
        "fast-run=default,true",
        "recipe=arm-cpu",
        "fitting=true",
    )
    whole = [one for one in found.candidates if one.is_whole]
    assert [one.name for one in whole] == ["recipe arm-cpu", FITTING]
    assert whole[0].options == {"layout-transform": "cpu", "fast-run": True}
    assert "layout=transform-cpu" in whole[0].values  # so it is left out with that
    assert len(found.candidates) == 9
    assert names("recipe=arm-cpu", base="--layout-transform cpu --fast-run") == [DEFAULT]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("layout=nchw4x", "'nchw4x' is not one of default, nchw4"),
        ("threads=two", "'two' is not one of default, cpu"),
        ("treads=2", "unknown option --treads"),
        ("threads=", "has no values"),
        ("threads=2,,4", "has no values"),
        ("=2", "unknown option"),
        ("iter=10,20", "it says how much is measured"),
        ("batch-size=1,2", "it says what is computed"),
        ("profile=a.json", "it has no part in a timed round"),
        ("fast-run=maybe", "fast-run"),
        ("threads=0", "multithread"),
        ("recipe=arm", "'arm' is not one of default, x86-cpu"),
    ],
)
def test_what_an_axis_cannot_mean_is_refused(text: str, why: str) -> None:
    with pytest.raises(RequestError) as refused:
        axis_of_text(text)
    assert why in refused.value.message


def test_given_options_that_are_invalid_themselves_are_refused() -> None:
    with pytest.raises(RequestError, match="the options without any of the space: --multithread and"):
        space("fast-run=default,true", base="--multithread 2 --multithread-default 2")


def test_too_many_combinations_are_refused_before_they_are_made() -> None:
    sizes = ",".join(map(str, range(1, 200)))
    with pytest.raises(RequestError, match="7,880,599 combinations"):
        space(f"workspace-limit={sizes}", f"threads={sizes}", f"fast-run-shared-batch-size={sizes}")


def test_a_long_name_is_cut_and_stays_one_of_its_own() -> None:
    flags = [
        LAYOUTS[0].name,
        "enable-fuse-preprocess", "weight-preprocess", "const-shape", "fake-first", "no-sanity-check",
        "disable-mem-opt", "reproducible", "binary-equal-between-batch",
    ]  # fmt: skip
    found = names(*(f"{flag}=default,true" for flag in flags))
    assert len(set(found)) == len(found)
    assert max(map(len, found)) <= 120


# --------------------------------------------------------------------------- the default space


def of(
    facts: Facts, base: str = "", kind: RuntimeKind = RuntimeKind.NATIVE, **fields
) -> dict[str, tuple[str, ...]]:
    made = Target(device(kind, **fields), facts, "mdl", parse(base.split()))
    return {axis.name: axis.words for axis in default_axes(made)}


def test_the_default_space_is_that_of_the_device() -> None:
    big_little = of(FACTS, cores=(("fast", (6, 7)),))
    assert big_little["threads"] == (DEFAULT, "cpu-default", "2", "4", "8")
    assert big_little["cores"] == (DEFAULT, "big", "little", "fast")
    assert big_little["layout"] == (DEFAULT, "nchw44", "nhwcd4", "nchw44-dot", "transform-cpu")
    assert big_little["recipe"] == ("arm-cpu",)
    x86 = of(X86)
    assert x86["threads"] == (DEFAULT, "cpu-default", "2")
    assert x86["cores"] == (DEFAULT, "all")
    assert x86["layout"] == (DEFAULT, "nchw88", "transform-cpu")
    three = Facts(clusters=(CoreCluster((0,)), CoreCluster((1,)), CoreCluster((2,))), core_ids=(0, 1, 2))
    assert of(three)["cores"] == (DEFAULT, "big", "mid", "little")
    assert of(three)["threads"] == (DEFAULT, "cpu-default", "2", "3")


def test_on_a_gpu_threads_are_no_choice_and_the_layouts_are_its_own() -> None:
    gpu = of(Facts(architecture="x86_64", core_ids=(0, 1), gpus=(Gpu("T4"),)), "--cuda")
    assert set(gpu) == {"layout", "fast-run", "weight-preprocess", "record", "recipe", FITTING}
    assert gpu["layout"] == (DEFAULT, "nchw4", "chwn4", "nchw32", "nchw64", "transform-cuda")
    assert gpu["recipe"] == ("nvidia",)
    assert "nchw4" not in of(Facts(architecture="x86_64", core_ids=(0, 1), gpus=(Gpu("T4"),)))["layout"]


def test_what_is_given_is_decided() -> None:
    assert "threads" not in of(FACTS, "--multithread 4")
    assert "layout" not in of(FACTS, "--enable-nchw44")
    assert "fast-run" not in of(FACTS, "--fast-run")


@pytest.mark.parametrize("facts", [Facts(), X86, FACTS])
@pytest.mark.parametrize("kind", list(RuntimeKind))
def test_every_combination_of_the_default_space_is_valid_and_some_are(
    facts: Facts, kind: RuntimeKind
) -> None:
    made = Target(device(kind), facts, "mdl")
    found = combinations(default_axes(made), made)
    assert len(found.candidates) > 10
    assert len({str(one.options) for one in found.candidates}) == len(found.candidates)
    for one in found.candidates:
        options = parse([f"--{name}={value}" for name, value in one.options.items()])
        assert problem(options, made) is None
        assert not check(options, runtime=kind, model_kind="mdl").refusals


# --------------------------------------------------------------------------- the sample

BIG = space(
    "threads=default,2,4,8",
    "cores=default,big,little",
    "layout=default,nchw44",
    "fast-run=default,true",
    "recipe=arm-cpu",
)


@given(st.integers(1, 60), st.integers(0, 20))
def test_a_sample_has_the_default_the_recipes_and_of_each_value_something(number: int, seed: int) -> None:
    found = sample(BIG.candidates, number, seed)
    assert (
        len(found) == min(number, len(BIG.candidates)) == len(set(found_names := [one.name for one in found]))
    )
    assert found[0].name == DEFAULT
    if number >= 2:
        assert "recipe arm-cpu" in found_names
    if number >= 8:
        values = set(itertools.chain.from_iterable(one.values for one in BIG.candidates))
        assert values == set(itertools.chain.from_iterable(one.values for one in found))


def test_a_sample_depends_on_its_seed_and_on_nothing_else() -> None:
    assert sample(BIG.candidates, 12, 1) == sample(BIG.candidates, 12, 1)
    assert sample(BIG.candidates, 12, 1) != sample(BIG.candidates, 12, 2)
