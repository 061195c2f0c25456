"""Bencher Metric Format: `bencher run --adapter json --file run.json`.

Source: bencher.dev/docs/reference/bencher-metric-format.
"""

from __future__ import annotations

import json
from typing import Any

from farm.export.cells import Named, named
from farm.model.run import Results

NS_IN_MS = 1e6


def bencher(results: Results) -> str:
    """By id of a cell: its median as `latency`, Bencher's own measure, which is in nanoseconds. `lower_value`
    and `upper_value` are the 95 % interval of that median, where the rounds are enough for one.
    """
    found = {one.id: {"latency": _latency(one)} for one in named(results) if one.cell.summary is not None}
    return json.dumps(found, indent=1) + "\n"


def _latency(one: Named) -> dict[str, Any]:
    summary = one.cell.summary
    assert summary is not None, "its caller looked"
    bounds = {"lower_value": summary.median_low_ms, "upper_value": summary.median_high_ms}
    known = {key: value for key, value in bounds.items() if value is not None}
    return {key: value * NS_IN_MS for key, value in ({"value": summary.median_ms} | known).items()}
