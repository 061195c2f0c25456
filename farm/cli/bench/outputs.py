"""What became of the outputs of a run, as the terminal tells it."""

from __future__ import annotations

from itertools import islice

from farm.model.outputs import OutputCheck, OutputVerdict
from farm.model.run import Results
from farm.report.outputs import VERDICTS, counted

MOST_SHOWN = 20
TOLD = (OutputVerdict.FINDING, OutputVerdict.NOT_COMPARABLE)
"""Wrong outputs are told as the failures of their cells."""


def outputs_lines(results: Results) -> list[str]:
    """Sentences, none of a run without checks: how many there are of each kind, and what is odd."""
    if not results.outputs:
        return []
    numbers = (f"{number} {VERDICTS[verdict].word}" for verdict, number in counted(results.outputs) if number)
    odd = [one for one in results.outputs if one.verdict in TOLD]
    lines = [f"outputs: {', '.join(numbers)}", *map(_line, islice(odd, MOST_SHOWN))]
    more = len(odd) - MOST_SHOWN
    return [*lines, f"and {more} more: the report has them"] if more > 0 else lines


def _line(check: OutputCheck) -> str:
    return f"{check.cell}: {VERDICTS[check.verdict].word}: {check.sentence}"
