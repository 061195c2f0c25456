"""What holds of a night. Pure: results and comparisons in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from fnmatch import fnmatchcase

from farm.compare.outcome import CHANGED, UNDECIDED, asked, canaries
from farm.model.comparison import Acknowledgement, Comparison, Verdict
from farm.model.outputs import OutputVerdict
from farm.model.run import CellStatus, Results
from farm.nightly.nouns import Finding, Kind, Night

KINDS = {Verdict.SLOWER: Kind.SLOWER, Verdict.FASTER: Kind.FASTER}


def night_of(
    results: Results,
    compared: Mapping[str, Sequence[Comparison]],
    known: Sequence[Acknowledgement],
    today: date,
    *,
    min_measured: float,
    left_out: Collection[str] = (),
) -> Night:
    """`compared` are the comparisons with each baseline, by the name that the suite has for it; `left_out`
    are devices in quarantine: their cells are wanted all the same.
    """
    findings: list[Finding] = []
    agreed: list[Finding] = []
    decided: set[tuple[Kind, str, str]] = set()
    # Where what is equal differs too often, nothing that a night seems to show is shown.
    is_sound = not canaries(results.comparisons).is_out_of_bounds
    for baseline, comparisons in compared.items() if is_sound else ():
        for one in asked(comparisons):
            if one.verdict not in UNDECIDED:
                decided |= {(kind, one.candidate, baseline) for kind in KINDS.values()}
            if one.verdict not in CHANGED:
                continue
            accepted = _accepted(one, known, today)
            is_accepted = isinstance(accepted, Acknowledgement)
            text = f"{one.candidate}: {one.sentence}, against {baseline}{_behind(accepted)}"
            found = Finding(KINDS[one.verdict], one.candidate, baseline, text)
            (agreed if is_accepted else findings).append(found)
    for check in results.outputs:
        if check.verdict is not OutputVerdict.NOT_COMPARABLE:
            decided.add((Kind.WRONG_OUTPUTS, check.cell, ""))
        if check.verdict is OutputVerdict.WRONG:
            text = f"{check.cell}: wrong outputs: {check.sentence}"
            findings.append(Finding(Kind.WRONG_OUTPUTS, check.cell, "", text))
    wanted, measured = _measured(results, left_out)
    if measured < min_measured * wanted:
        text = f"{measured} of {wanted} cells measured, {min_measured:.0%} are asked for{_why(results)}"
        findings.append(Finding(Kind.FEW_MEASURED, "", "", text))
    order = list(Kind)
    findings.sort(key=lambda one: order.index(one.kind))
    return Night(
        results.run_id,
        tuple(findings),
        frozenset(decided),
        tuple(agreed),
        measured,
        wanted,
        frozenset(cell.id for cell in results.cells),
        frozenset(compared),
        is_sound,
    )


def _accepted(one: Comparison, known: Sequence[Acknowledgement], today: date) -> Acknowledgement | str:
    """The acknowledgement of a regression, or else why those there are do not hold, to be put behind it."""
    why = ""
    if one.verdict is not Verdict.SLOWER or one.effect is None:
        return why
    for each in known:
        if not any(fnmatchcase(one.candidate, glob) for glob in each.cells):
            continue
        if today > date.fromisoformat(each.until):
            why = f" (accepted by {each.who} until {each.until}, which is over)"
        elif each.at_most is not None and one.effect.ratio - 1 > each.at_most:
            why = f" (accepted by {each.who} is {each.at_most:.1%} at most)"
        else:
            return each
    return why


def _behind(accepted: Acknowledgement | str) -> str:
    if isinstance(accepted, str):
        return accepted
    return f" (accepted by {accepted.who} until {accepted.until}: {accepted.why})"


def _measured(results: Results, left_out: Collection[str]) -> tuple[int, int]:
    """How many cells a night wanted, and how many it measured; what was skipped by a rule is not wanted."""
    cells = [
        cell for cell in results.cells if cell.status is not CellStatus.SKIPPED or cell.device in left_out
    ]
    return len(cells), sum(cell.status is CellStatus.COMPLETED for cell in cells)


def _why(results: Results) -> str:
    """The devices that failed, the first few."""
    failed = [f"{one.name} ({one.error})" for one in results.devices if one.error]
    return f": {_few(failed)}" if failed else ""


def _few(names: Iterable[str], most: int = 3) -> str:
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
