"""What became of the outputs of a run, as the terminal tells it."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import islice

from farm.model.outputs import OutputCheck, OutputVerdict
from farm.model.run import Results
from farm.report.parts.outputs import VERDICTS, counted

MOST_SHOWN = 20
TOLD = (OutputVerdict.FINDING, OutputVerdict.NOT_COMPARABLE)
"""Wrong outputs are told as the failures of their cells."""


def outputs_lines(results: Results) -> list[str]:
    """Of a run whose wrong outputs are told as failures."""
    return checks_lines(results.outputs, told=TOLD)


def checks_lines(
    checks: Sequence[OutputCheck], *, told: Container[OutputVerdict] = (OutputVerdict.WRONG, *TOLD)
) -> list[str]:
    """Sentences, none where there are no checks: how many there are of each kind, and what is odd."""
    if not checks:
        return []
    numbers = (f"{number} {VERDICTS[verdict].word}" for verdict, number in counted(checks) if number)
    odd = [one for one in checks if one.verdict in told]
    lines = [f"outputs: {', '.join(numbers)}", *map(_line, islice(odd, MOST_SHOWN))]
    more = len(odd) - MOST_SHOWN
    return [*lines, f"and {more} more: the report has them"] if more > 0 else lines


def _line(check: OutputCheck) -> str:
    return f"{check.cell}: {VERDICTS[check.verdict].word}: {check.sentence}"
