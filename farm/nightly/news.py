"""What of a night is new, and what is remembered of it. Pure."""

from __future__ import annotations

from collections.abc import Collection

from farm.nightly.nouns import Finding, Kind, Night, Open, State

WORDS = {
    Kind.NOT_RUN: "a night ran again",
    Kind.WRONG_OUTPUTS: "outputs are right again",
    Kind.SLOWER: "not slower any more",
    Kind.FEW_MEASURED: "enough cells are measured again",
    Kind.QUARANTINED: "in plans again",
    Kind.DRIFTS: "moves with its class again",
    Kind.NOT_COMPARED: "compared again",
}
OF_THE_NIGHT = frozenset({Kind.NOT_RUN, Kind.FEW_MEASURED, Kind.QUARANTINED, Kind.NOT_COMPARED})
"""They hold of a night as a whole: the next one says whether they still do."""


BAD = frozenset({Kind.SLOWER, Kind.WRONG_OUTPUTS})
"""While one of them is open that nobody accepted, the exit code is 1."""


def news_of(night: Night, before: State) -> tuple[tuple[Finding, ...], State]:
    """What nobody was told yet, and the state after the night. A finding stays open while its cell is not
    measured or not decided: that it is over has to be seen.
    """
    known = {one.finding.key: one for one in before.open}
    now = {one.key: one for one in night.findings}
    new = [one for key, one in now.items() if key not in known]
    accepted = {one.key for one in night.accepted}
    still, over = [], []
    for key, one in known.items():
        if key in now:
            still.append(Open(now[key], one.since))
        elif key in accepted or _is_out_of_plan(one.finding, night):
            continue  # it is neither open nor over
        elif not _is_over(one.finding, night):
            still.append(one)
        elif one.finding.kind is not Kind.FASTER:  # the nights that follow are compared with the faster one
            over.append(_ended(one))
    opened = [Open(one, night.run) for one in new]
    return (*new, *over), State((*still, *opened), before.pending)


def _is_out_of_plan(finding: Finding, night: Night) -> bool:
    """Whether the suite has its cell or its baseline no more: nobody will ever see its end."""
    if not night.wanted or finding.kind in OF_THE_NIGHT:
        return False
    if finding.kind is Kind.DRIFTS:
        return not any(cell.startswith(f"{finding.cell}/") for cell in night.cells)
    has_baseline = not finding.baseline or finding.baseline in night.baselines
    return finding.cell not in night.cells or not has_baseline


def _is_over(finding: Finding, night: Night) -> bool:
    """That a night ran is enough where it is about the night; of a cell the end has to be seen."""
    if finding.kind in OF_THE_NIGHT:
        return bool(night.wanted)
    return finding.key in night.decided


def _ended(one: Open) -> Finding:
    finding = one.finding
    of = f"{finding.cell}: " if finding.cell else ""
    against = f", against {finding.baseline}" if finding.baseline else ""
    text = f"{of}{WORDS[finding.kind]}{against} (held since {one.since})"
    return Finding(Kind.ENDED, finding.cell, finding.baseline, text)


def is_good(night: Night, after: State, lost: Collection[str]) -> bool:
    """Whether the next nights are compared with it. `lost` are cells that the good night before it measured,
    and this one did not: what happens to them meanwhile would never be seen. What is accepted is compared
    with the night before it for as long as it is.
    """
    is_bad = any(one.finding.kind in BAD or one.finding.kind is Kind.FEW_MEASURED for one in after.open)
    return bool(night.measured) and night.is_sound and not (is_bad or night.accepted or lost)
