"""Which ceilings a plan measures or has from the inventory, in words and for scripts."""

from __future__ import annotations

from typing import Any

from farm.model.matrix import Plan
from farm.plan.ceilings import NeededCeilings, needed_ceilings

MOST_DEVICES = 5
"""That are named in a line."""


def ceilings_lines(plan: Plan) -> list[str]:
    """A line for all devices of which the same is to be said; none where no cell has a profile."""
    told: dict[str, list[str]] = {}
    for device in plan.devices:
        if needed := needed_ceilings(plan, device):
            told.setdefault(_sentence(plan, needed), []).append(device.name)
    return [f"ceilings of {_named(names)}: {text}" for text, names in told.items()]


def _sentence(plan: Plan, needed: tuple[NeededCeilings, ...]) -> str:
    given = [one for one in needed if one.given is not None]
    others = ", ".join(one.core_set.name for one in needed if one.given is None)
    parts = [
        f"{one.core_set.name} {one.given.gflops:g} GFLOP/s and {one.given.gbps:g} GB/s by the inventory"
        for one in given
        if one.given is not None
    ]
    if others and plan.measures_ceilings:
        parts.append(f"{others} measured after the rounds, unless they were since its start")
    elif others:
        parts.append(f"{others} not measured (--no-ceilings)")
    return "; ".join(parts)


def _named(names: list[str]) -> str:
    more = len(names) - MOST_DEVICES
    return ", ".join(names[:MOST_DEVICES]) + (f" and {more} more" if more > 0 else "")


def ceilings_json(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    """By device, those that its profiled cells need."""
    return {
        device.name: [
            {
                "cores": one.core_set.name,
                "source": "inventory" if one.given else "measured" if plan.measures_ceilings else None,
                "gflops": one.given.gflops if one.given else None,
                "gbps": one.given.gbps if one.given else None,
            }
            for one in needed
        ]
        for device in plan.devices
        if (needed := needed_ceilings(plan, device))
    }
