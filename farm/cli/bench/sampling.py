"""What a plan compares, how much it measures, and how long that takes, in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

from farm.model.comparison import Change, Duel
from farm.model.matrix import Plan
from farm.plan.duels import NAME_OF
from farm.plan.estimate import Expected, Span
from farm.visible import visible

PAIRS_SHOWN = 20


def comparisons_of(plan: Plan) -> list[str]:
    """Sentences on what is compared with what, and with how many rounds."""
    told = _pairs(plan)
    canaries = [visible(" ".join(duel.baseline.split("/"))) for duel in plan.duels if duel.is_canary]
    if canaries:
        named = ", ".join(canaries[:3]) + (f" and {len(canaries) - 3} more" if len(canaries) > 3 else "")
        told.append(f"canary: measured twice and compared with itself: {named}")
    return [*told, _amount(plan)] if plan.duels or plan.sampled.is_auto or plan.sampled.budget_s else told


def _pairs(plan: Plan) -> list[str]:
    """`compares nchw44 with plain: 4 pairs of cells`."""
    cells = {cell.id: cell for cell in plan.cells}
    groups: Counter[tuple[str, str]] = Counter()
    for duel in plan.duels:
        baseline, candidate = cells.get(duel.baseline), cells.get(duel.candidate)
        if duel.is_canary:
            continue
        if duel.since is not None:
            groups["this run", f"run {duel.since}"] += 1
        elif baseline is not None and candidate is not None and duel.change is not Change.NOTHING:
            name_of = NAME_OF[duel.change]
            groups[name_of(candidate), name_of(baseline)] += 1
    told = [
        f"compares {visible(one)} with {visible(other)}: {number} pair{'' if number == 1 else 's'} of cells"
        for (one, other), number in groups.most_common(PAIRS_SHOWN)
    ]
    more = len(groups) - PAIRS_SHOWN
    return [*told, f"and {more} more comparisons: --json shows them"] if more > 0 else told


def _amount(plan: Plan) -> str:
    sampling = plan.sampled
    known = {one.cell for one in plan.earlier}
    least = f"{plan.comparing.minimum_effect:.1%}"
    if sampling.is_auto:
        first = f"a pilot of {sampling.rounds} rounds, then as many fresh ones as its noise asks for"
        told = f"{first} ({sampling.precision:.1%} precision, {least} minimum effect)"
    elif plan.duels and all(cell.id in known for cell in plan.cells):
        told = f"{sampling.fresh_pairs} fresh pairs ({least})"
    elif plan.duels:
        fresh = sampling.fresh_pairs
        told = f"{sampling.rounds} rounds, then {fresh} fresh pairs of what these do not settle ({least})"
    else:
        told = f"{sampling.rounds} rounds"
    limit = Span(sampling.budget_s, sampling.budget_s).bare if sampling.budget_s else None
    return f"measures {told}" + (f"; at most {limit} on each device" if limit else "")


def duel_json(duel: Duel) -> dict[str, Any]:
    return {
        "baseline": duel.baseline,
        "candidate": duel.candidate,
        "change": duel.change.value,
        "is_canary": duel.is_canary,
        "since": duel.since,
    }


def expected_json(found: Expected | None) -> dict[str, Any] | None:
    """In seconds."""
    if found is None:
        return None
    most = found.most
    return {
        "low_s": round(found.screen.low_s, 1),
        "high_s": round(found.screen.high_s, 1),
        "with_confirmation_s": round(most.high_s, 1) if most else None,
        "unknown_cells": found.unknown,
        "runs": found.runs,
    }
