"""Summaries -> pages. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from farm.compare.outcome import Decision
from farm.compare.words import SYMBOLS
from farm.files import path_name
from farm.model.comparison import Verdict
from farm.model.run import CellStatus
from farm.report.numerals import count
from farm.report.parts.cell import STATUSES
from farm.site.summary import UNREADABLE, Head
from farm.site.times import started_text, took_text
from farm.site.view import IndexPage, Link, RunRow, Tally

PAGE = 200
"""Runs of a page with older ones. Pages are filled from the oldest run on, so that a new run changes none."""

DECISIONS = {Decision.GO: "go", Decision.NO_GO: "no-go", Decision.UNDECIDED: "undecided"}
MOST_NAMED = 3


def index_pages(heads: Sequence[Head], trends: Sequence[Link]) -> dict[str, IndexPage]:
    """By path in the site; `heads` are from the oldest to the newest."""
    full = max(0, len(heads) // PAGE - 1)
    older = [heads[place * PAGE : (place + 1) * PAGE] for place in range(full)]
    names = [f"older/{number}.html" for number in range(1, full + 1)]
    pages = {"index.html": _page(heads[full * PAGE :], heads, trends, _links(names, older, "./"))}
    for name, part in zip(names, older, strict=True):
        pages[name] = IndexPage(
            root="../",
            title=_span(part),
            facts=(count(len(part), "run"),),
            rows=_rows(part, "../"),
            others=(Link("newer runs", "../index.html"),),
            trends=(),
            is_first=False,
        )
    return pages


def _page(
    newest: Sequence[Head], heads: Sequence[Head], trends: Sequence[Link], others: tuple[Link, ...]
) -> IndexPage:
    broken = sum(head.status == UNREADABLE for head in heads)
    devices = {name for head in heads for name in head.devices}
    facts = [count(len(heads), "run"), count(len(devices), "device"), count(len(trends), "model")]
    if broken:
        facts.append(f"{broken} cannot be read")
    rows = _rows(newest, "./")
    return IndexPage("./", "Runs", tuple(facts), rows, others, tuple(trends), is_first=True)


def _links(names: Sequence[str], parts: Sequence[Sequence[Head]], root: str) -> tuple[Link, ...]:
    pairs = zip(names, parts, strict=True)
    return tuple(Link(_span(part), f"{root}{name}") for name, part in pairs)[::-1]


def _span(part: Sequence[Head]) -> str:
    return f"Runs from {started_text(part[0])[:10]} to {started_text(part[-1])[:10]}"


def _rows(heads: Sequence[Head], root: str) -> tuple[RunRow, ...]:
    return tuple(_row(head, root) for head in reversed(heads))


def _row(head: Head, root: str) -> RunRow:
    verdicts = head.verdicts or {}
    wrong = [Tally("failed", SYMBOLS[Verdict.INVALID], head.wrong_outputs, "wrong outputs")]
    tallies = [Tally(one, symbol, verdicts.get(one, 0), str(one)) for one, symbol in SYMBOLS.items()]
    cells = head.cells or {}
    shown = [STATUSES[status] for status in CellStatus]
    canaries = f"{head.canaries_changed} of {head.canaries} cells differed from themselves"
    return RunRow(
        run_id=head.run_id,
        href=f"{root}runs/{head.key}/report.html" if head.report_sha256 else None,
        summary_href=f"{root}runs/{head.key}/summary.json",
        started=started_text(head),
        took=took_text(head),
        status=head.status,
        decision=head.decision,
        decision_key=DECISIONS.get(Decision(head.decision), "") if head.decision in list(Decision) else "",
        tallies=tuple(one for one in (*wrong, *tallies) if one.number),
        cells=tuple(
            Tally(one.key, one.symbol, number, one.word) for one in shown if (number := cells.get(one.key, 0))
        ),
        devices=_named(head.devices),
        models=_named(head.models),
        builds=_named(head.builds),
        notes=tuple(filter(None, (head.problem, *head.notes, canaries if head.canaries_changed else None))),
    )


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    return f"{shown} and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else shown


def trend_path(model: str) -> str:
    return f"trends/{path_name(model)}.html"
