"""What is kept of a comparison of dumps in the results of a run."""

from __future__ import annotations

from dataclasses import replace

from farm.analysis.dumps import told as keeping
from farm.analysis.dumps.divergence import classified, first_diverging
from farm.analysis.dumps.told import told
from farm.model.dumps import DumpedTensor, Matched, Side, TensorPair
from farm.model.outputs import Divergence, TensorDifference, Tolerance

EQUAL = TensorDifference(
    "t", "float32", (4,), "float32", (4,), Tolerance("float32", 1e-3, 1e-5), elements=4, max_abs=0.0, cosine=1.0
)  # fmt: skip


def noisy(snr_db: float | None, mismatches: int = 0) -> TensorDifference:
    return replace(EQUAL, max_abs=0.5, at=(1,), snr_db=snr_db, mismatches=mismatches)


def chain(*differences: TensorDifference) -> Side:
    """Operators in a row, each of which reads the one before."""
    tensors = [
        DumpedTensor(i, f"t{i}", f"op{i}", "Elemwise", "float32", (4,), (i - 1,) if i else ())
        for i in range(len(differences))
    ]
    pairs = classified(
        [
            TensorPair(one, one, Matched.ID, i, found)
            for i, (one, found) in enumerate(zip(tensors, differences, strict=True))
        ],
        tensors,
    )
    return Side("c", pairs, first=first_diverging(pairs))


def test_tensors_that_are_the_same_bit_for_bit_are_counted_and_the_others_kept_in_the_order_of_the_graph() -> (
    None
):
    every = told(chain(EQUAL, noisy(80.0), noisy(20.0, 3), noisy(10.0, 4), EQUAL, EQUAL))
    assert [one.operator for one in every.tensors] == ["op1", "op2", "op3", "op4"]
    assert [one.divergence for one in every.tensors] == [
        Divergence.AGREES, Divergence.INTRODUCED, Divergence.INHERITED, Divergence.RECOVERED,
    ]  # fmt: skip
    assert (every.first, every.operator, every.left_out) == (1, "op2", 0)
    assert (every.introduced, every.inherited, every.recovered) == (1, 1, 1)
    assert (every.compared, every.beyond) == (6, 2)


def test_of_very_many_the_first_that_diverges_and_the_worst_are_kept_with_all_their_numbers() -> None:
    agreeing = [noisy(70.0 + i / 1000) for i in range(500)]
    side = chain(*agreeing, noisy(30.0, 1), *(noisy(5.0 + i / 100, 2) for i in range(200)))
    every = told(side)
    assert len(every.tensors) == keeping.MOST_TENSORS
    assert every.left_out == 701 - keeping.MOST_TENSORS
    assert every.first is not None
    assert every.tensors[every.first].operator == "op500"
    assert every.tensors[every.first].difference is not None
    whole = [one.operator for one in every.tensors if one.difference]
    assert whole == ["op500", *(f"op{501 + i}" for i in range(keeping.MOST_WORST))]


def test_a_difference_without_a_ratio_is_the_worst_there_is() -> None:
    every = told(chain(EQUAL, noisy(30.0, 1), *(noisy(9.0, 1) for _ in range(80)), noisy(None, 4)))
    assert every.tensors[-1].operator == "op82"
    assert every.tensors[-1].difference is not None


def test_what_cannot_be_compared_is_kept_with_its_reason_and_has_no_numbers() -> None:
    every = told(chain(EQUAL, replace(EQUAL, elements=0, problem="shape (4) instead of (5)")))
    (one,) = every.tensors
    assert (one.problem, one.divergence, one.difference) == ("shape (4) instead of (5)", None, None)
    assert (every.compared, every.first) == (1, None)


def test_an_operator_that_options_renamed_is_kept_under_both_names() -> None:
    side = chain(noisy(10.0, 1))
    other = replace(side.pairs[0].reference, operator="before")
    every = told(replace(side, pairs=(replace(side.pairs[0], reference=other),)))
    assert (every.tensors[0].operator, every.tensors[0].reference) == ("op0", "before (Elemwise)")


def test_tensors_without_a_partner_are_named_up_to_an_end() -> None:
    alone = tuple(DumpedTensor(i, f"t{i}", f"op{i}", "Reorder", "float32", (4,)) for i in range(30))
    few = told(replace(chain(EQUAL), only_candidate=alone[:2]))
    assert (few.only_candidate, few.names_all_unmatched) == (("op0 (Reorder)", "op1 (Reorder)"), True)
    many = told(replace(chain(EQUAL), only_candidate=alone[:2], only_reference=alone))
    assert (len(many.only_reference), many.unmatched) == (keeping.MOST_UNMATCHED, 32)
    assert not many.names_all_unmatched
