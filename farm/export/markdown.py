"""Markdown, as GitHub shows it, for a comment or the summary of a step: only what is worth a look."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from farm.compare.outcome import canaries, counts, decision, ranked
from farm.compare.words import SYMBOLS, change_of, interval, pairs_of
from farm.export.outcomes import Item, items
from farm.model.comparison import Comparison, Verdict
from farm.model.run import Results
from farm.visible import cleaned, one_line

MOST_ROWS = 200
"""Of a table: GitHub takes a megabyte, and nobody reads more."""

LONGEST = 600

_SPECIAL = re.compile(r"([\\`*_\[\]|~#])")
_MARKUP = re.compile(r"[^\w ]")
_COLUMNS = ("", "verdict", "cell", "baseline, ms", "now, ms", "change", "95 % interval", "measured")


def markdown(results: Results) -> str:
    """Decision, counts, a table of what is not unchanged with the sentence of each, and what failed."""
    return "\n".join(_lines(cleaned(results))) + "\n"


def _lines(results: Results) -> Iterator[str]:
    yield f"## farm: {escaped(results.run_id)}"
    yield ""
    decided = decision(results)
    if decided is not None:
        told = ", ".join(f"{number} {verdict}" for verdict, number in counts(results.comparisons).items())
        yield f"**{decided}**: {told}"
        yield ""
    ended = Counter(cell.status for cell in results.cells)
    yield f"{len(results.cells)} cells: " + ", ".join(
        f"{number} {status}" for status, number in ended.items()
    )
    seen = canaries(results.comparisons)
    if seen.total:
        doubt = ": too many to trust this run" if seen.is_out_of_bounds else ""
        yield f"Canaries: {seen.changed} of {seen.total} cells differed from themselves{doubt}."
    yield from _table([one for one in ranked(results.comparisons) if one.verdict is not Verdict.UNCHANGED])
    yield from _failed([item for item in items(results) if _is_told(item)])


def _table(shown: Sequence[Comparison]) -> Iterator[str]:
    if not shown:
        return
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|{'---|' * len(_COLUMNS)}"
    for one in shown[:MOST_ROWS]:
        yield f"| {' | '.join(_row(one))} |"
    if len(shown) > MOST_ROWS:
        yield ""
        yield f"And {len(shown) - MOST_ROWS} more in the report."
    yield ""
    for one in shown[:MOST_ROWS]:
        yield f"- {code(one.candidate)}: {escaped(one.sentence)}"


def _row(one: Comparison) -> tuple[str, ...]:
    effect = one.effect
    return (
        escaped(SYMBOLS[one.verdict]),
        f"**{one.verdict}**" if one.verdict is Verdict.SLOWER else one.verdict,
        code(one.candidate),
        *("" if value is None else f"{value:.4g}" for value in (one.baseline_ms, one.candidate_ms)),
        change_of(effect) if effect else "",
        (interval(effect) if effect else None) or "",
        pairs_of(effect, fresh=one.confirm is not None) if effect else "",
    )


def _is_told(item: Item) -> bool:
    return item.kind in ("failed", "wrong-outputs", "unknown-outputs")


def _failed(failed: Sequence[Item]) -> Iterator[str]:
    if not failed:
        return
    yield ""
    yield "Failed:"
    yield ""
    for item in failed[:MOST_ROWS]:
        yield f"- {code(item.name)}: {escaped(item.text or item.kind)}"
    if len(failed) > MOST_ROWS:
        yield f"- and {len(failed) - MOST_ROWS} more in the report"


def escaped(text: str) -> str:
    """As text: no markup, no HTML, nobody is mentioned."""
    plain = one_line(text, LONGEST).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", plain).replace("@", "@<!-- -->")


def code(text: str) -> str:
    """As code. A bar ends a cell of a table even within code, and a backtick the code: such a text, and an
    empty one, is HTML with all that could be markup as entities.
    """
    plain = one_line(text, LONGEST)
    if plain and not set(plain) & set("|`"):
        return f"`{plain}`"
    return f"<code>{_MARKUP.sub(lambda found: f'&#{ord(found[0])};', plain)}</code>"
