"""Comparisons on a terminal: counts, tables, and what the canaries showed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from farm.cli.terminal.console import plain
from farm.cli.terminal.tables import keep_whole
from farm.compare.outcome import asked, canaries, counts, decision, ranked, wrong_outputs
from farm.compare.words import SYMBOLS, change_of, interval, pairs_of
from farm.model.comparison import Comparison, Verdict
from farm.model.run import Results
from farm.report.numerals import MISSING, decimals_for, in_ms

STYLES = {
    Verdict.SLOWER: "red",
    Verdict.FASTER: "green",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.INVALID: "magenta",
    Verdict.UNCHANGED: "dim",
}

VERDICT, CELL = 1, 2
"""Columns whose words are not broken."""

WORST = 5
"""Comparisons that the end of a bench names."""


def comparisons_table(comparisons: Iterable[Comparison]) -> Table:
    """One row each, in the order given."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("", "verdict", "cell", "baseline, ms", "now, ms", "change", "95 % interval", "measured"):
        table.add_column(column, overflow="fold", justify="right" if "ms" in column else "left")
    for one in comparisons:
        times = [value for value in (one.baseline_ms, one.candidate_ms) if value is not None]
        decimals = decimals_for(times)
        style = STYLES[one.verdict]
        table.add_row(
            Text(SYMBOLS[one.verdict], style),
            Text(one.verdict.value, style),
            plain(one.candidate),
            in_ms(one.baseline_ms, decimals),
            in_ms(one.candidate_ms, decimals),
            change_of(one.effect) if one.effect else MISSING,
            (interval(one.effect) if one.effect else None) or MISSING,
            pairs_of(one.effect, fresh=one.confirm is not None) if one.effect else MISSING,
        )
    keep_whole(table, VERDICT, 4)
    keep_whole(table, CELL, 3)
    return table


def counted(comparisons: Iterable[Comparison]) -> Text:
    """`1 slower, 0 faster, 2 inconclusive, 0 invalid, 77 unchanged`."""
    parts = [
        Text(f"{SYMBOLS[verdict]} {number} {verdict}", STYLES[verdict] if number else "dim")
        for verdict, number in counts(comparisons).items()
    ]
    return Text(", ").join(parts)


def canary_line(comparisons: Sequence[Comparison]) -> str | None:
    """How often a cell differed from itself; None where there was no canary."""
    seen = canaries(comparisons)
    if not seen.total:
        return None
    said = f"canaries: {seen.changed} of {seen.total} cells differed from themselves"
    return f"{said}, which is too often: do not trust this run" if seen.is_out_of_bounds else said


def summary(results: Results) -> Iterator[Text]:
    """What the end of a bench says of its comparisons; nothing where it has none."""
    decided = decision(results)
    if decided is None and not results.comparisons:
        return
    if decided is not None:
        told = counted(results.comparisons) if asked(results.comparisons) else plain("nothing was compared")
        yield plain(f"{decided}: ", "bold").append_text(told)
    if wrong := wrong_outputs(results):
        yield plain(f"wrong outputs: {wrong}", "red")
    shown = [one for one in ranked(results.comparisons) if one.verdict is not Verdict.UNCHANGED]
    for one in shown[:WORST]:
        yield plain(f"{SYMBOLS[one.verdict]} {one.candidate}: {one.sentence}", STYLES[one.verdict])
    if len(shown) > WORST:
        yield plain(f"and {len(shown) - WORST} more in the report")
    if line := canary_line(results.comparisons):
        yield plain(line)
