"""The outputs of two runs that are on disk, for `farm compare`."""

from __future__ import annotations

from farm.cli.terminal.loop import run
from farm.compare.runs import TwoRuns
from farm.model.comparison import Change
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import RoundKind
from farm.model.outputs import OutputCheck
from farm.model.run import CellResult, Results
from farm.store.runs import RunDirectory

SAME = frozenset({Change.BUILD, Change.NOTHING})
"""What must not change an output."""


def outputs_of_both(old: RunDirectory, new: RunDirectory, compared: TwoRuns) -> tuple[OutputCheck, ...]:
    """One for each comparison whose cells had their outputs checked in both runs."""
    before, after = old.results(), new.results()
    olds, news = _checked(before), _checked(after)
    pairs = [
        (news[one.candidate], olds[one.baseline])
        for one in compared.comparisons
        if one.candidate in news and one.baseline in olds
    ]
    if not pairs:
        return ()
    from farm.run.outputs.between import compare_with_run  # what two runs without checks do not need

    return run(
        compare_with_run(
            (after, new.path),
            (before, old.path),
            pairs,
            is_strict=compared.change in SAME,
            stated=after.checking.tolerances,
            deadlines=Deadlines(),
        )
    )


def _checked(results: Results) -> dict[str, CellResult]:
    return {
        cell.id: cell for cell in results.cells if any(one.kind is RoundKind.CHECK for one in cell.rounds)
    }
