"""The context of both sides of a comparison, fact by fact. A pure function of the results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from farm.compare.fingerprint import TRAITS, Fingerprint, Side, Trait, fingerprint
from farm.compare.lookup import Lookup
from farm.model.build import BASELINE
from farm.model.comparison import Change, Comparison
from farm.model.run import CellResult, Results


class Relation(StrEnum):
    """What a fact of the two sides has to do with their comparison."""

    COMPARED = "compared"
    """It differs, and that is what the comparison is about."""
    IN_THE_WAY = "in the way"
    """It differs, and must not: nothing can be said of the times."""
    HARMLESS = "harmless"
    """It differs, and has no part in a model's time."""
    UNKNOWN = "unknown"
    """One side does not say it, which is no difference."""
    SAME = "same"


@dataclass(frozen=True)
class Contrast:
    """A fact of both sides; None where a side does not say it."""

    label: str
    baseline: str | None
    candidate: str | None
    relation: Relation


def contrasts(baseline: Fingerprint, candidate: Fingerprint, change: Change) -> tuple[Contrast, ...]:
    """Every fact that a side knows, in the order of TRAITS, by the rules of `differences`."""
    common = baseline.keys() & candidate.keys()
    found = []
    for trait in TRAITS:
        before, after = baseline.get(trait.label), candidate.get(trait.label)
        if (before or after) and trait.unless not in common:
            relation = _relation(trait, before, after, change)
            found.append(Contrast(trait.label, before, after, relation))
    return tuple(found)


def _relation(trait: Trait, before: str | None, after: str | None, change: Change) -> Relation:
    if before is None or after is None:
        return Relation.UNKNOWN
    if before == after:
        return Relation.SAME
    if trait.part_of is change:
        return Relation.COMPARED
    return Relation.HARMLESS if trait.is_harmless else Relation.IN_THE_WAY


def context_of(results: Results, found: Lookup, one: Comparison) -> tuple[Contrast, ...]:
    """The two sides of a comparison of the run; empty where it does not have both. The baseline of another
    run has that run's facts, unless it was measured again in this one.
    """
    candidate, before = found.cells.get(one.candidate), found.earlier.get(one.baseline)
    baseline = found.cells.get(one.baseline)
    if baseline is None and before is not None and candidate is not None:
        baseline = replace(candidate, build=BASELINE, rounds=(), runtime_digest=None)
    if baseline is None or candidate is None:
        return ()
    known = dict(fingerprint(_side(results, baseline)))
    if before is not None and one.confirm is None:
        known |= dict(before.fingerprint)
    return contrasts(known, fingerprint(_side(results, candidate)), one.change)


def _side(results: Results, cell: CellResult) -> Side:
    """With the records of its own device and model alone: a side looks through all that it is given."""
    devices = tuple(one for one in results.devices if one.name == cell.device)
    models = tuple(one for one in results.models if one.name == cell.model)
    return Side(replace(results, devices=devices, models=models), cell)
