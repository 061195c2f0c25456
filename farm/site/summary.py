"""What a site keeps of a run: enough for every page, so that no run is read twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

from pydantic import TypeAdapter, ValidationError

from farm.compare.outcome import canaries, counts, decision, exit_code, wrong_outputs
from farm.export.cells import named, safe
from farm.model.matrix import column
from farm.model.run import Results

VERSION = 1
"""Of `summary.json` and `site.json`. A summary of another version is made again from its run."""

UNREADABLE = "unreadable"
"""The status of a run whose results cannot be read."""

DIGITS = 12
"""Of a digest, to see that something else was measured."""


@dataclass(frozen=True)
class Point:
    """A cell of a run. The median with its 95 % interval in ms, None where it was not measured; digests
    are the first digits.
    """

    device: str
    model: str
    column: str
    status: str
    median_ms: float | None = None
    low_ms: float | None = None
    high_ms: float | None = None
    rounds: int = 0
    model_sha256: str = ""
    runtime_digest: str = ""


@dataclass(frozen=True)
class Head:
    """A run as the index shows it. `key` is the name of its folder in the site, `stamp` tells whether the run
    changed since; `started_s` is in seconds since 1970. `schema_version` is that of its file, `problem` says
    why it cannot be read, `notes` what the reader should know.
    """

    key: str
    stamp: str
    run_id: str
    status: str
    started_s: float
    started_at: str = ""
    ended_at: str | None = None
    schema_version: int | None = None
    farm_version: str = ""
    problem: str | None = None
    notes: tuple[str, ...] = ()
    decision: str | None = None
    exit_code: int | None = None
    verdicts: dict[str, int] | None = None
    canaries: int = 0
    canaries_changed: int = 0
    wrong_outputs: int = 0
    cells: dict[str, int] | None = None
    devices: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    report_sha256: str | None = None
    report_bytes: int = 0


@dataclass(frozen=True)
class Summary:
    """`summary.json`, beside the report of a run."""

    version: int
    head: Head
    points: tuple[Point, ...] = ()


_SUMMARY: TypeAdapter[Summary] = TypeAdapter(Summary)
_HEAD: TypeAdapter[Head] = TypeAdapter(Head)


def to_json(summary: Summary) -> bytes:
    return _SUMMARY.dump_json(summary, indent=1) + b"\n"


def from_json(data: bytes) -> Summary | None:
    """None where it is no summary, or of another version."""
    try:
        read = _SUMMARY.validate_json(data)
    except ValidationError:
        return None
    return replace(read, head=_shared(read.head)) if read.version == VERSION else None


def _shared(head: Head) -> Head:
    """With names that are in memory once: thousands of runs have the same devices."""
    return replace(
        head,
        devices=tuple(map(intern, head.devices)),
        models=tuple(map(intern, head.models)),
        variants=tuple(map(intern, head.variants)),
        builds=tuple(map(intern, head.builds)),
    )


def head_json(head: Head) -> dict[str, Any]:
    """For `site.json`: names of a run in its own file may be very many."""
    value: dict[str, Any] = _HEAD.dump_python(head, mode="json")
    del value["stamp"]
    for name in ("devices", "models", "variants", "builds"):
        value[name], value[f"{name}_count"] = value[name][:MOST_NAMES], len(value[name])
    return value


MOST_NAMES = 50


def summary_of(results: Results, *, key: str, stamp: str, started_s: float) -> Summary:
    """All names are made safe here: they come from devices and users."""
    seen = canaries(results.comparisons)
    decided = decision(results)
    head = Head(
        key=key,
        stamp=stamp,
        run_id=safe(results.run_id),
        status=str(results.status),
        started_s=started_s,
        started_at=safe(results.started_at),
        ended_at=None if results.ended_at is None else safe(results.ended_at),
        farm_version=safe(results.farm_version),
        notes=tuple(f"not all is here: {safe(loss)}" for loss in results.losses[:MOST_NOTES]),
        decision=None if decided is None else str(decided),
        exit_code=int(exit_code(results)),
        verdicts={str(verdict): number for verdict, number in counts(results.comparisons).items()},
        canaries=seen.total,
        canaries_changed=seen.changed,
        wrong_outputs=wrong_outputs(results),
        cells={str(status): number for status, number in Counter(c.status for c in results.cells).items()},
        devices=_names([*(one.name for one in results.devices), *(cell.device for cell in results.cells)]),
        models=_names([*(one.name for one in results.models), *(cell.model for cell in results.cells)]),
        variants=_names([*(one.name for one in results.variants), *(cell.variant for cell in results.cells)]),
        builds=_names(cell.build for cell in results.cells),
    )
    return Summary(VERSION, head, tuple(_points(results)))


MOST_NOTES = 5


def _names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(intern(safe(name)) for name in dict.fromkeys(names)))


def _points(results: Results) -> Iterable[Point]:
    for one in named(results):
        summary = one.cell.summary
        yield Point(
            device=one.device,
            model=one.model,
            column=column(one.variant, one.build),
            status=str(one.cell.status),
            median_ms=summary.median_ms if summary else None,
            low_ms=summary.median_low_ms if summary else None,
            high_ms=summary.median_high_ms if summary else None,
            rounds=summary.rounds if summary else 0,
            model_sha256=safe(one.cell.model_sha256 or "")[:DIGITS],
            runtime_digest=safe(one.cell.runtime_digest or "")[:DIGITS],
        )
