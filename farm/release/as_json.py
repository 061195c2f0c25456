"""A release for scripts: one JSON object, in pieces, since it may be large. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from math import isfinite
from typing import Any

from farm.errors import ExitCode
from farm.release.decide import Column, Group, Release
from farm.release.nouns import Compared, Key, RunFacts, Unmeasured, Wrong, version_of
from farm.release.summary import by_kind, summary

VERSION = 1


def pieces(release: Release, exit_code: ExitCode) -> Iterator[str]:
    """The text of the object; a comparison is a line."""
    head = _dump(_head(release, exit_code))
    yield head[:-1] + ',\n"columns": ['
    for place, column in enumerate(release.columns):
        yield (",\n" if place else "\n") + _dump(_column(release, column))[:-1] + ',\n"comparisons": ['
        for number, (key, one) in enumerate(column.ranked()):
            yield (",\n" if number else "\n") + _dump(_compared(release, key, one))
        yield "\n]}"
    yield "\n]}\n"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def _head(release: Release, exit_code: ExitCode) -> dict[str, Any]:
    column = release.last
    return {
        "schema_version": VERSION,
        "kind": "farm-release",
        "decision": str(column.decision),
        "exit_code": int(exit_code),
        "summary": list(summary(release)),
        "by": str(release.versions.by),
        "versions": [{"name": one.name, "members": sorted(one.members)} for one in release.versions.names],
        "runs": [_run(run) for run in release.runs],
        "findings": list(release.findings),
        "wrong_outputs": [_wrong(release, one) for one in release.wrong],
        "not_measured": [_unmeasured(release, one) for one in release.unmeasured],
    }


def _run(run: RunFacts) -> dict[str, Any]:
    return {
        "run": run.run_id,
        "status": run.status,
        "decision": run.decision,
        "started_at": run.started_at,
        "farm_version": run.farm_version,
        "cells": len(run.own()),
        "problem": run.problem,
        "notes": list(run.notes),
    }


def _wrong(release: Release, one: Wrong) -> dict[str, Any]:
    run = release.runs[one.run].run_id
    return {
        **one.named._asdict(),
        "run": run,
        "version": version_of(one.named, release.versions.by, run),
        "against": one.against,
        "sentence": one.sentence,
        "is_unknown": one.is_unknown,
    }


def _unmeasured(release: Release, one: Unmeasured) -> dict[str, Any]:
    return {
        **one.named._asdict(),
        "run": release.runs[one.run].run_id,
        "what": one.what,
        "reason": one.reason,
    }


def _column(release: Release, column: Column) -> dict[str, Any]:
    return {
        "new": column.step.new.name,
        "old": column.step.old.name,
        "decision": str(column.decision),
        "counts": {str(verdict): number for verdict, number in column.counts.items()},
        "wrong_outputs": len(column.wrong),
        "without_partner": column.missing,
        "max_undecided": column.max_undecided,
        "minimum_effect": column.minimum_effect,
        "cells": column.total,
        "compared": column.compared,
        "canaries": column.canaries.total,
        "canaries_changed": column.canaries.changed,
        "classes": [_group(one) for one in by_kind(release, column)],
    }


def _group(one: Group) -> dict[str, Any]:
    counts = {str(verdict): number for verdict, number in one.counts.items()}
    mean = {name: _number(value) for name, value in asdict(one.mean).items()} if one.mean else None
    return {"name": one.name, "cells": one.cells, "counts": counts, "geometric_mean": mean}


def _compared(release: Release, key: Key, one: Compared) -> dict[str, Any]:
    return {
        "device": key.device,
        "model": key.model,
        "column": key.rest,
        "verdict": str(one.verdict),
        "ratio": _number(one.ratio),
        "low": _number(one.low),
        "high": _number(one.high),
        "p": _number(one.p),
        "n": one.n,
        "is_paired": one.is_paired,
        "is_fresh": one.is_fresh,
        "old_ms": _number(one.old_ms),
        "new_ms": _number(one.new_ms),
        "run": release.runs[one.run].run_id,
        "sentence": one.sentence,
        "differences": list(one.differences),
    }


def _number(value: float | None) -> float | None:
    """JSON has no infinity."""
    return value if value is None or isfinite(value) else None
