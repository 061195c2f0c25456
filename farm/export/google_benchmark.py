"""The JSON of google/benchmark, as its compare.py, benchstats and Bencher read it.

Source: docs/user_guide.md ("Output Formats") and src/json_reporter.cc of google/benchmark.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from farm.export.cells import Named, named, safe
from farm.model.run import Results

SCHEMA_VERSION = 1
NS_IN_MS = 1e6


def google_benchmark(results: Results) -> str:
    """A benchmark for each cell, named by its id, with a row for each round that counts and Google's four
    aggregates. Times are in ns, since compare.py shows whole numbers; `cpu_time` is the same time again, as
    farm knows no other. Cells without times are named in the context alone: readers take a failed row for a
    time of 0.
    """
    families = list(named(results))
    benchmarks = [row for family, one in enumerate(families) for row in _rows(one, family)]
    context = _context(results) | {"farm_without_times": [one.id for one in families if not one.counted]}
    return json.dumps({"context": context, "benchmarks": benchmarks}, indent=1) + "\n"


def _context(results: Results) -> dict[str, Any]:
    """Of the machine that ran it: the device where it was one, else nothing that would be wrong for some."""
    only = results.devices[0] if len(results.devices) == 1 else None
    cores = len(only.facts.core_ids) if only and only.facts else 0
    return {
        "date": safe(results.started_at),
        "host_name": safe(only.name) if only else f"{len(results.devices)} devices",
        "executable": "farm bench",
        "num_cpus": cores or 1,
        "mhz_per_cpu": 0,
        "cpu_scaling_enabled": False,
        "caches": [],
        "load_avg": [],
        "library_version": safe(results.farm_version),
        "library_build_type": "release",
        "json_schema_version": SCHEMA_VERSION,
        "farm_run": safe(results.run_id),
    }


def _rows(one: Named, family: int) -> Iterator[dict[str, Any]]:
    common = {"family_index": family, "per_family_instance_index": 0, "run_name": one.id}
    values_ms = one.values_ms
    repetitions = {"repetitions": len(values_ms), "threads": 1}
    for index, (value_ms, result) in enumerate(zip(values_ms, one.counted, strict=True)):
        yield {
            "name": one.id,
            **common,
            "run_type": "iteration",
            "repetition_index": index,
            **repetitions,
            **_times(value_ms * NS_IN_MS, len(result.e2e_ms)),
        }
    if len(values_ms) > 1:
        for name, (unit, value) in _aggregates(values_ms).items():
            yield {
                "name": f"{one.id}_{name}",
                **common,
                "run_type": "aggregate",
                "aggregate_name": name,
                "aggregate_unit": unit,
                **repetitions,
                **_times(value, len(values_ms)),
            }


def _times(value: float, iterations: int) -> dict[str, Any]:
    return {"iterations": iterations, "real_time": value, "cpu_time": value, "time_unit": "ns"}


def _aggregates(values_ms: Sequence[float]) -> dict[str, tuple[str, float]]:
    """By name: the unit, as Google calls it, and the value (a time in ns)."""
    mean, deviation = statistics.fmean(values_ms), statistics.stdev(values_ms)
    return {
        "mean": ("time", mean * NS_IN_MS),
        "median": ("time", statistics.median(values_ms) * NS_IN_MS),
        "stddev": ("time", deviation * NS_IN_MS),
        "cv": ("percentage", deviation / mean if mean else 0.0),
    }
