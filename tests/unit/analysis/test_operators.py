"""Operators by type and layer, side by side, as a waterfall and below the ceilings."""

import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.analysis.operators.align import aligned
from farm.analysis.operators.roofline import cache_key, measured, roofline
from farm.analysis.operators.rounds import merged, side
from farm.analysis.operators.views import (
    MAX_GROUPS,
    REST,
    as_layers,
    as_types,
    by_layer,
    by_type,
    layer,
    slowest,
)
from farm.analysis.operators.waterfall import waterfall
from farm.dumps.profile import read_profile
from farm.model.device import Address, Device, Facts, Runtime, RuntimeKind
from farm.model.operators import BarKind, Bound, Ceilings, Matched, Operator, Profile


def op(name, ms, kind="Conv", shapes=((1, 8),), **more):
    return Operator(more.pop("id", name), name, kind, ms, input_shapes=shapes, output_shapes=shapes, **more)


def made(*operators):
    return Profile(tuple(operators), math.fsum(one.device_ms for one in operators), 0.0)


def rounds(*times, name="conv"):
    return [made(op(name, ms), op("rest", 1.0)) for ms in times]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("stages.3.main.0.Convolution", "stages.3"),
        ("data", "(top level)"),
        ("", "(no name)"),
        ("stages.5.Subtensor[2]", "stages.5"),
        ("FUSE_ADD_RELU(stages.12.main.3.bias,stages.12.main.3.Convolution)[1542]", "stages.12"),
        ("ADD(a.b.x,c.d.y)[7]", "a.b"),
        ("FUSE_MUL_ADD3(data,ADD,NEGATE[10])[22]", "(top level)"),
        ("A(B(x.y.z,x.y.w)[3],x.y.q)[4]", "x.y"),
        ("(" * 5000, "(top level)"),
        ("A(" * 300 + "a.b.c" + ")" * 300, "a.b"),
    ],
)
def test_the_layer_of_an_operator_is_what_its_name_begins_with(name, expected):
    assert layer(name) == expected


def test_groups_share_the_whole_time():
    profile = made(
        op("a.b.x", 3.0, computation=10), op("a.b.y", 1.0, kind="Add"), op("a.c.x", 4.0, memory_bytes=8)
    )
    types, layers = by_type(profile), by_layer(profile)
    assert [(one.key, one.count, one.device_ms) for one in types] == [("Conv", 2, 7.0), ("Add", 1, 1.0)]
    assert [(one.key, one.share) for one in layers] == [("a.b", 0.5), ("a.c", 0.5)]
    assert [one.name for one in slowest(profile)] == ["a.c.x", "a.b.x", "a.b.y"]


def test_a_profile_without_time_has_no_shares():
    assert by_type(made(op("a", 0.0)))[0].share == 0


def test_more_groups_than_the_limit_are_one_group():
    groups = by_layer(made(*(op(f"l{number}.{number}.x", 1.0) for number in range(MAX_GROUPS + 5))))
    assert len(groups) == MAX_GROUPS + 1
    assert (groups[0].key, groups[0].count) == (REST, 5)


def test_operators_are_matched_by_name_then_by_type_and_shapes_then_by_order():
    before = made(
        op("same", 1.0),
        op("FUSE(a,b)[15]", 2.0),
        op("old.conv", 3.0, shapes=((9,),)),
        op("p", 4.0, "Pool"),
        op("gone", 1.0, "G"),
    )
    after = made(
        op("q", 8.0, "Pool", shapes=((3,),)),
        op("new.conv", 6.0, shapes=((9,),)),
        op("FUSE(a,b)[99]", 2.0),
        op("same", 2.0),
        op("more", 1.0, "M"),
    )
    found = aligned([side("a", [before]), side("b", [after])])
    assert [(row.operator.name, row.matched, row.ratios[1]) for row in found.rows] == [
        ("same", Matched.NAME, 2.0),
        ("FUSE(a,b)[15]", Matched.NAME, 1.0),
        ("old.conv", Matched.SHAPES, 2.0),
        ("p", Matched.ORDER, 2.0),
        ("gone", Matched.NONE, None),
        ("more", Matched.NONE, None),
    ]
    assert [[one.operator.name for one in side] for side in found.unmatched] == [["gone"], ["more"]]


def test_any_number_of_sides_is_aligned():
    sides = [side(name, [made(op("x", ms), *more)]) for name, ms, more in
             [("a", 1.0, ()), ("b", 2.0, (op("extra", 5.0, "E"),)), ("c", 4.0, (op("extra", 10.0, "E"),))]]  # fmt: skip
    found = aligned(sides)
    assert [row.ratios for row in found.rows] == [(None, 2.0, 4.0), (None, None, 2.0)]
    assert found.unmatched == ((), (), ())


def test_operators_of_one_name_are_matched_in_the_order_of_computation():
    one = aligned(
        [side("a", [made(op("x", 1.0), op("x", 2.0))]), side("b", [made(op("x", 10.0), op("x", 20.0))])]
    )
    assert [row.ratios[1] for row in one.rows] == [10.0, 10.0]


def test_no_time_gives_no_ratio():
    found = aligned([side("a", [made(op("x", 0.0))]), side("b", [made(op("x", 1.0))])])
    assert found.rows[0].ratios == (None, None)


def test_a_planted_slow_operator_is_the_top_bar_and_nothing_else_is_marked():
    before, after = side("a", rounds(1.0, 1.1, 1.2)), side("b", rounds(2.9, 2.8, 3.0))
    found = waterfall(aligned([before, after]))
    assert [(bar.name, bar.is_changed) for bar in found.bars] == [("conv", True), ("rest", False)]
    assert found.bars[0].delta_ms == pytest.approx(1.8)
    assert found.is_judged


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1.0, 1.1), (3.0, 3.1, 3.2)),
        ((1.0, 1.1, 2.9), (2.8, 3.0, 3.1)),
        ((1.0, 1.1, 1.2), (1.3, 1.4, 1.5)),
        ((0.005, 0.005, 0.005), (0.006, 0.006, 0.006)),
    ],
    ids=["two", "overlap", "near", "one tick of the clock"],
)
def test_ranges_that_overlap_or_are_near_or_too_few_rounds_are_no_change(before, after):
    found = waterfall(aligned([side("a", rounds(*before)), side("b", rounds(*after))]))
    assert not any(bar.is_changed for bar in found.bars)
    assert found.is_judged == (len(before) >= 3)


def test_a_changed_operator_is_called_so_by_chance_less_often_than_one_in_a_hundred():
    draw = random.Random(1)
    sides = [
        [side(str(at), rounds(*(draw.lognormvariate(0, 0.05) for _ in range(3)))) for at in range(2)]
        for _ in range(3000)
    ]
    changed = sum(aligned(pair).rows[0].is_changed[1] for pair in sides)
    assert changed < 30


def test_several_profiles_are_one_of_medians_and_one_is_itself():
    one = made(op("a", 1.0, host_ms=5.0), op("b", 2.0))
    other = made(op("a", 3.0, host_ms=7.0), op("b", 2.5))
    third = replace(made(op("a", 9.0, host_ms=6.0), op("only here", 4.0)), device_ms=14.0, unlisted=7)
    assert merged([one]) is one
    found = merged([one, other, third])
    assert [(each.name, each.device_ms, each.host_ms) for each in found.operators] == [
        ("a", 3.0, 6.0),
        ("b", 2.25, 0.0),
        ("only here", 4.0, 0.0),
    ]
    assert (found.device_ms, found.unlisted) == (9.25, 7)  # of most rounds nothing is unlisted
    spans = side("x", [one, other, third]).operators
    assert [(each.low_ms, each.high_ms, each.rounds) for each in spans] == [(1, 9, 3), (2, 2.5, 2), (4, 4, 1)]


def test_layers_and_types_are_compared_like_operators_and_never_taken_for_another_one():
    before = [made(op("a.b.x", ms), op("a.b.y", 1.0), op("gone.q.z", 5.0)) for ms in (1.0, 1.1, 1.2)]
    after = [made(op("a.b.x", ms + 8), op("a.b.y", 1.0), op("new.q.z", 5.0)) for ms in (1.0, 1.1, 1.2)]
    sides = [side("a", [as_layers(one) for one in before]), side("b", [as_layers(one) for one in after])]
    found = aligned(sides)
    assert [(row.operator.name, row.is_changed[1]) for row in found.rows] == [
        ("gone.q", False),
        ("a.b", True),
        ("new.q", False),
    ]
    assert [[one.operator.name for one in ones] for ones in found.unmatched] == [["gone.q"], ["new.q"]]
    types = aligned(
        [side("a", [as_types(one) for one in before]), side("b", [as_types(one) for one in after])]
    )
    assert [row.operator.name for row in types.rows] == ["Conv"]


def test_the_range_of_a_ratio_is_what_the_rounds_allow_and_none_where_there_is_no_time():
    found = aligned([side("a", rounds(1.0, 2.0)), side("b", rounds(4.0, 6.0))]).rows[0]
    assert (found.ratio_range(0), found.ratio_range(1)) == (None, (2.0, 6.0))
    assert aligned([side("a", rounds(0.0)), side("b", rounds(1.0))]).rows[0].ratio_range(1) is None


def test_what_operators_do_not_explain_is_unattributed():
    sides = [side("a", rounds(1.0), 3.0), side("b", rounds(2.0), 5.0)]
    found = waterfall(aligned(sides))
    assert (found.before_ms, found.after_ms) == (3.0, 5.0)
    assert (found.bars[-1].kind, found.bars[-1].delta_ms) == (BarKind.UNATTRIBUTED, 1.0)
    assert not waterfall(aligned([sides[0], side("b", rounds(2.0))])).is_end_to_end


operators = st.lists(
    st.tuples(st.sampled_from(["a.x", "a.y", "b.x", "b.x[3]", ""]), st.floats(0, 1e3), st.sampled_from(["C", "D"])),
    max_size=12,
)  # fmt: skip
times = st.none() | st.floats(0, 1e4)


@given(st.lists(operators, min_size=2, max_size=4), times, times, st.integers(0, 5))
def test_bars_add_up_and_each_operator_is_in_one_row(profiles, before_ms, after_ms, top):
    whole = [
        made(*(op(name, ms, kind, id=str(at)) for at, (name, ms, kind) in enumerate(one))) for one in profiles
    ]
    ends = [before_ms, after_ms, None, None]
    sides = [side(str(at), [one], ends[at]) for at, one in enumerate(whole)]
    found = aligned(sides)
    for place, one in enumerate(sides):
        assert sorted(map(repr, one.operators)) == sorted(
            repr(row.sides[place]) for row in found.rows if row.sides[place]
        )
    bars = waterfall(found, top=top)
    assert bars.before_ms + math.fsum(bar.delta_ms for bar in bars.bars) == pytest.approx(
        bars.after_ms, abs=1e-6
    )
    sizes = [abs(bar.delta_ms) for bar in bars.bars if bar.kind not in {BarKind.OTHER, BarKind.UNATTRIBUTED}]
    assert sizes == sorted(sizes, reverse=True)


CEILINGS = Ceilings(gflops=100.0, gbps=10.0)


@pytest.mark.parametrize(
    ("more", "bound", "part"),
    [
        ({"computation": 50_000_000, "memory_bytes": 1_000_000}, Bound.COMPUTE, 0.5),
        ({"computation": 1_000_000, "memory_bytes": 8_000_000}, Bound.MEMORY, 0.8),
        ({"computation": 1_000_000, "memory_bytes": 100_000}, Bound.OVERHEAD, 0.01),
        ({"computation": 200_000_000, "memory_bytes": 1_000_000}, Bound.COMPUTE, 2.0),
        ({"memory_bytes": 8_000_000}, Bound.MEMORY, 0.8),
        ({}, Bound.UNKNOWN, None),
    ],
)
def test_an_operator_is_bound_by_the_ceiling_that_it_is_nearest_to(more, bound, part):
    (position,) = roofline([op("x", 1.0, **more)], CEILINGS)
    assert position.bound is bound
    assert position.of_ceiling == (None if part is None else pytest.approx(part))


def test_a_time_of_few_microseconds_says_nothing_of_a_rate():
    (position,) = roofline([op("x", 0.001, computation=10**9, memory_bytes=10**9)], CEILINGS)
    assert position.bound is Bound.UNKNOWN


def test_the_roof_is_the_lower_of_both_ceilings():
    low, high = roofline(
        [op("x", 1.0, computation=10, memory_bytes=10), op("y", 1.0, computation=1000, memory_bytes=10)],
        CEILINGS,
    )
    assert (low.attainable_gflops, high.attainable_gflops) == (10.0, 100.0)


def test_ceilings_are_the_best_of_the_measured_rounds():
    products = [made(op("x", ms, "MatrixMul", computation=2 * 1024**3)) for ms in (50.0, 40.0)]
    moves = [
        made(
            op("first", 0.001, "Elemwise", memory_bytes=10**8),
            op("last", 10.0, "Elemwise", memory_bytes=10**8),
        )
    ]
    found = measured(products, moves, device="arm-1", cores="4-7")
    assert found is not None
    assert found.gflops == pytest.approx(2 * 1024**3 / 40e6)
    assert found.gbps == pytest.approx(10.0)
    assert (found.source, found.device, found.cores) == ("measured", "arm-1", "4-7")
    assert found.rounds_gflops == pytest.approx([2 * 1024**3 / 50e6, 2 * 1024**3 / 40e6])
    assert measured(products, []) is None
    assert measured([made(op("x", 0.0, "MatrixMul", computation=1))], moves) is None


def test_ceilings_are_kept_by_all_that_they_depend_on():
    device = Device("a", Address("a"), Runtime(RuntimeKind.WHEEL))
    known = Facts(boot_id="1", governors=((0, "performance"), (1, "performance")), core_ids=(0, 1))
    usual: dict[str, Any] = {
        "device": device, "facts": known, "options": ("--multithread=2",), "program": "p", "models": ("m",)
    }  # fmt: skip
    others: list[dict[str, Any]] = [
        {"device": replace(device, name="b")},
        {"device": replace(device, environment=(("OMP_NUM_THREADS", "1"),))},
        {"facts": replace(known, boot_id="2")},
        {"facts": replace(known, governors=((0, "powersave"), (1, "performance")))},
        {"facts": replace(known, frequency_limits_khz=((0, 1_000_000),))},
        {"facts": replace(known, turbo=False)},
        {"facts": replace(known, core_ids=(0,))},
        {"options": ("--multithread=1",)},
        {"program": "q"},
        {"models": ("n",)},
    ]
    keys = {cache_key(**usual), *(cache_key(**usual | other) for other in others)}
    assert len(keys) == 1 + len(others)
    turned = replace(known, governors=known.governors[::-1], load_average_1m=3.0)
    assert cache_key(**usual) == cache_key(**usual | {"facts": turned})


def test_ceilings_of_a_device_that_hides_its_start_or_of_an_unknown_program_are_not_kept():
    device = Device("a", Address("a"), Runtime(RuntimeKind.WHEEL))
    usual: dict[str, Any] = {"device": device, "options": (), "models": ()}
    assert cache_key(**usual, facts=Facts(), program="p") is None
    assert cache_key(**usual, facts=Facts(boot_id="1"), program=None) is None


def test_a_real_profile_compared_with_itself_has_no_difference():
    with (Path(__file__).parents[1] / "dumps" / "data" / "profile.json").open("rb") as file:
        profile = read_profile(file)
    found = aligned([side("a", [profile] * 3), side("b", [profile] * 3)])
    assert {row.matched for row in found.rows} == {Matched.NAME}
    assert waterfall(found).delta_ms == 0
    assert not any(bar.is_changed for bar in waterfall(found).bars)
