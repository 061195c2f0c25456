"""Where two runs of a graph part."""

from __future__ import annotations

from dataclasses import replace

from farm.analysis.dumps.diverged import sentence
from farm.analysis.dumps.divergence import classified, first_diverging, in_graph_order, largest_drop
from farm.analysis.dumps.matching import matches
from farm.analysis.dumps.memory import memory_timeline
from farm.dumps.static_mem import Chunk, StaticMemory, parse_static_memory
from farm.model.dumps import DumpedTensor, Matched, Side, TensorPair
from farm.model.outputs import TensorDifference, Tolerance


def tensor(
    variable: int | None, *inputs: int, name: str = "", type_: str = "T", **more: object
) -> DumpedTensor:
    made = DumpedTensor(variable, name or f"v{variable}", f"o{variable}", type_, "float32", (2,), inputs)
    return replace(made, **more)  # type: ignore[arg-type]


def pair(one: DumpedTensor, mismatches: int = 0, snr_db: float | None = None) -> TensorPair:
    size = 1.0 if mismatches or snr_db else 0.0
    found = TensorDifference(
        one.name,
        "float32",
        (2,),
        "float32",
        (2,),
        Tolerance("float32", 0, 0),
        2,
        mismatches,
        size,
        snr_db=snr_db,
    )
    return TensorPair(one, one, Matched.ID, 0, found)


def classes(pairs: list[TensorPair], graph: list[DumpedTensor] | None = None) -> list[str | None]:
    found = classified(pairs, graph or [one.candidate for one in pairs])
    return [one.divergence.value if one.divergence else None for one in found]


def test_what_is_read_comes_before_what_reads_it_whatever_the_ids() -> None:
    graph = [tensor(1, 9), tensor(5), tensor(9, 5, 30), tensor(30), tensor(None)]
    assert in_graph_order(graph) == [1, 3, 2, 0, 4]


def test_a_cycle_as_in_a_forged_dump_ends() -> None:
    graph = [tensor(1, 2), tensor(2, 1), tensor(3, 3), tensor(4, 2)]
    assert sorted(in_graph_order(graph)) == [0, 1, 2, 3]
    assert len(classes([pair(one, 1) for one in graph])) == 4


def test_the_first_wrong_operator_introduces_and_the_others_inherit_or_recover() -> None:
    pairs = [
        pair(tensor(1)),
        pair(tensor(2, 1), 1),
        pair(tensor(3, 2), 1),
        pair(tensor(4, 3)),
        pair(tensor(5, 4), 1),
    ]
    assert classes(pairs) == ["agrees", "introduced", "inherited", "recovered", "introduced"]
    found = classified(pairs, [one.candidate for one in pairs])
    assert first_diverging(found) == 1


def test_a_tensor_without_a_partner_hands_on_what_it_read() -> None:
    """2 is fused away on the other side, and 3 cannot be compared."""
    graph = [tensor(1), tensor(2, 1), tensor(3, 2), tensor(4, 3)]
    odd = pair(graph[2])
    odd = replace(odd, difference=replace(odd.difference, problem="shape"))
    assert classes([pair(graph[0], 1), odd, pair(graph[3], 1)], graph) == ["introduced", None, "inherited"]


def test_the_operator_that_reads_a_changed_weight_is_the_first_that_diverges() -> None:
    """The weight is read late: an operator before it, which is good, is not named."""
    pairs = [pair(tensor(1)), pair(tensor(2), 1), pair(tensor(3, 1)), pair(tensor(4, 3, 2), 1)]
    found = classified(pairs, [one.candidate for one in pairs])
    assert first_diverging(found) == 3
    side = Side("b", found, first=3)
    assert sentence(side).startswith("first diverging operator: o4 (T): 1 of 2 values")
    assert "it reads 'v2', which differs itself" in sentence(side)


def test_the_largest_fall_of_the_signal_is_found_where_noise_rises_everywhere() -> None:
    pairs = [
        pair(tensor(1), 0, 90.0),
        pair(tensor(2, 1), 0, 80.0),
        pair(tensor(3, 2), 0, 40.0),
        pair(tensor(4, 3), 0, 39.0),
    ]
    drop = largest_drop(pairs)
    assert drop is not None
    assert (drop.operator, drop.before_db, drop.after_db) == ("o3", 80.0, 40.0)


def test_tensors_are_matched_by_id_then_name_then_place() -> None:
    ours = [
        tensor(1, name="a"),
        tensor(2, name="x"),
        tensor(7, name="p", type_="C"),
        tensor(8, name="q", type_="C"),
        tensor(9, name="r", type_="Z"),
    ]
    theirs = [
        tensor(1, name="a"),
        tensor(5, name="x"),
        tensor(2, name="s", type_="C"),
        tensor(3, name="t", type_="C"),
        tensor(4, name="u", type_="C"),
    ]
    assert matches(ours, theirs) == [
        (0, 0, Matched.ID), (1, 1, Matched.NAME), (2, 2, Matched.PLACE), (3, 3, Matched.PLACE),
    ]  # fmt: skip


def test_one_id_for_two_operators_is_no_match() -> None:
    assert matches([tensor(1, name="a", type_="C")], [tensor(1, name="b", type_="D")]) == []


def test_a_name_that_is_there_twice_says_nothing() -> None:
    ours = [tensor(1, name="a", type_="C"), tensor(2, name="a", type_="D")]
    assert matches(ours, [tensor(9, name="a", type_="D")]) == [(1, 0, Matched.PLACE)]


def test_a_memory_plan_is_a_timeline_with_its_peak_and_who_holds_it() -> None:
    """The second piece is written over the first, the third lies beside it."""
    pieces = (
        Chunk("0", False, 0, 100, 0, 2), Chunk("1", False, 0, 100, 1, 3), Chunk("2", False, 200, 250, 1, 2),
        Chunk("3", True, 300, 900, 0, 3), Chunk("4", False, 0, 10, 2, 2),
    )  # fmt: skip
    found = memory_timeline(StaticMemory(pieces, ((0, "conv"), (1, "relu"), (2, "out"))))
    assert [(one.operator, one.used_bytes) for one in found.steps] == [
        ("conv", 100),
        ("relu", 150),
        ("out", 100),
    ]
    assert (found.peak_bytes, found.peak_step, found.reserved_bytes, found.weight_bytes) == (150, 1, 250, 600)
    assert [(one.name, one.size_bytes) for one in found.holders] == [("relu", 100), ("relu", 50)]


def test_a_plan_of_a_trillion_steps_takes_no_memory() -> None:
    text = '{"opr": {"0": {"name": "a"}}, "chunk": {"0": {"logic_addr_begin": "0", "logic_addr_end": "8", "time_begin": "999999999990", "time_end": "999999999999"}}}'
    found = memory_timeline(parse_static_memory(text))
    assert (found.peak_bytes, found.left_out) == (0, 1)
