"""Profiles and comparisons as JSON for scripts; times in ms, rates in GFLOP/s and GB/s."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from farm.analysis.operators.roofline import roofline
from farm.analysis.operators.rounds import merged, side
from farm.analysis.operators.views import by_layer, by_type, share, slowest
from farm.analysis.operators.waterfall import waterfall
from farm.model.operators import Ceilings, Comparison, Group, Operator, Profile, Timed
from farm.store.profiles import Source


def profile_json(source: Source, ceilings: Ceilings | None, depth: int) -> dict[str, Any]:
    """All profiles of a source: their medians and ranges, and each."""
    return {
        "name": source.name,
        "end_to_end_ms": source.end_to_end_ms,
        "problems": list(source.problems),
        "ceilings": ceilings and asdict(ceilings),
        "median": _profile(merged(source.profiles), ceilings, depth),
        "ranges": [_timed(one) for one in side(source.name, source.profiles).operators],
        "profiles": [_profile(one, ceilings, depth) for one in source.profiles],
    }


def summary_json(cell: str, source: Source) -> dict[str, Any]:
    """A cell in a list of cells: the medians of its profiles, and what is wrong with any."""
    first = merged(source.profiles)
    top = slowest(first)[:1]
    return {
        "cell": cell,
        "rounds": len(source.profiles),
        "operators": len(first.operators) + first.unlisted,
        "device_ms": first.device_ms,
        "end_to_end_ms": source.end_to_end_ms,
        "slowest": (top[0].name or top[0].id) if top else None,
        "problems": [*source.problems, *(text for one in source.profiles for text in one.problems)],
    }


def _profile(profile: Profile, ceilings: Ceilings | None, depth: int) -> dict[str, Any]:
    operators = [_operator(one) | {"share": share(one.device_ms, profile)} for one in profile.operators]
    if ceilings:
        for place, position in enumerate(roofline(profile.operators, ceilings)):
            operators[place] |= {
                "bound": position.bound,
                "of_ceiling": position.of_ceiling,
                "intensity": position.intensity,
                "attainable_gflops": position.attainable_gflops,
            }
    return {
        "device_ms": profile.device_ms,
        "host_ms": profile.host_ms,
        "unlisted": profile.unlisted,
        "problems": list(profile.problems),
        "operators": operators,
        "types": [_group(one) for one in by_type(profile)],
        "layers": [_group(one) for one in by_layer(profile, depth)],
    }


def _operator(one: Operator) -> dict[str, Any]:
    return asdict(one) | {"gflops": one.gflops, "gbps": one.gbps}


def _group(one: Group) -> dict[str, Any]:
    return asdict(one) | {"gflops": one.gflops, "gbps": one.gbps}


def comparison_json(comparison: Comparison, top: int) -> dict[str, Any]:
    """Sides, rows with ratios to the first side, the unmatched, and a waterfall for each further side."""
    names = [one.name for one in comparison.sides]
    return {
        "sides": [
            {
                "name": one.name,
                "rounds": one.rounds,
                "operators_ms": one.operators_ms,
                "end_to_end_ms": one.end_to_end_ms,
            }
            for one in comparison.sides
        ],
        "rows": [
            {
                "name": row.operator.name,
                "type": row.operator.type,
                "matched": row.matched,
                "ratios": list(row.ratios),
                "is_changed": list(row.is_changed),
                "ratio_ranges": [row.ratio_range(place) for place in range(len(row.sides))],
                "sides": [one and _timed(one) for one in row.sides],
            }
            for row in comparison.rows
        ],
        "unmatched": {
            name: [_timed(one) for one in ones]
            for name, ones in zip(names, comparison.unmatched, strict=True)
        },
        "waterfalls": [
            _waterfall(comparison, place, top or len(comparison.rows)) for place in range(1, len(names))
        ],
    }


def _waterfall(comparison: Comparison, place: int, top: int) -> dict[str, Any]:
    found = waterfall(comparison, after=place, top=top)
    return asdict(found) | {"delta_ms": found.delta_ms}


def _timed(one: Timed) -> dict[str, Any]:
    return {
        "id": one.operator.id,
        "name": one.operator.name,
        "median_ms": one.median_ms,
        "low_ms": one.low_ms,
        "high_ms": one.high_ms,
        "rounds": one.rounds,
    }
