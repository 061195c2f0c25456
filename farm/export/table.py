"""A run as one table, a row for each round, for CSV and Parquet. To add a column, write a row of COLUMNS."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from farm.analysis.summary import first_inference_ms
from farm.export.cells import Named, named, safe
from farm.model.run import Results, RoundResult
from farm.visible import one_line

Value: TypeAlias = str | int | float | bool | list[float] | None

LONGEST_TEXT = 1000


@dataclass(frozen=True)
class Record:
    """One row: a round of a cell, or a cell that has none. `is_counted`: the cell's median is of it."""

    results: Results
    named: Named
    round: RoundResult | None
    is_counted: bool


@dataclass(frozen=True)
class Column:
    """`kind` is `text`, `number`, `whole`, `flag` or `numbers` (which CSV leaves out)."""

    name: str
    kind: str
    value: Callable[[Record], Value]


def records(results: Results) -> Iterator[Record]:
    for one in named(results):
        counted = {id(round_) for round_ in one.counted}
        for round_ in one.cell.rounds:
            yield Record(results, one, round_, id(round_) in counted)
        if not one.cell.rounds:
            yield Record(results, one, None, is_counted=False)


def of_run(name: str) -> Callable[[Record], Value]:
    return lambda record: _text(getattr(record.results, name))


def of_name(name: str) -> Callable[[Record], Value]:
    return lambda record: str(getattr(record.named, name))


def of_cell(name: str) -> Callable[[Record], Value]:
    return lambda record: _text(getattr(record.named.cell, name))


def of_summary(name: str) -> Callable[[Record], Value]:
    return lambda record: _number(getattr(record.named.cell.summary, name, None))


def of_round(name: str) -> Callable[[Record], Value]:
    return lambda record: _plain(getattr(record.round, name, None))


def _plain(value: object) -> Value:
    if isinstance(value, tuple):
        return [float(one) for one in value]
    return _number(value) if isinstance(value, int | float) else _text(value)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _first_ms(result: RoundResult | None) -> float | None:
    return _number(first_inference_ms(result)) if result else None


def _text(value: object) -> str | None:
    return None if value is None else one_line(str(value), LONGEST_TEXT)


COLUMNS = (
    Column("run_id", "text", lambda record: safe(record.results.run_id)),
    Column("run_started_at", "text", of_run("started_at")),
    Column("farm_version", "text", of_run("farm_version")),
    Column("device", "text", of_name("device")),
    Column("model", "text", of_name("model")),
    Column("variant", "text", of_name("variant")),
    Column("build", "text", of_name("build")),
    Column("cell_status", "text", of_cell("status")),
    Column("cell_error", "text", lambda record: _text(record.named.cell.error or record.named.cell.reason)),
    Column("runtime_digest", "text", of_cell("runtime_digest")),
    Column("model_sha256", "text", of_cell("model_sha256")),
    Column("input_sha256", "text", of_cell("input_sha256")),
    Column("options_sha256", "text", of_cell("options_sha256")),
    Column("cell_rounds", "whole", of_summary("rounds")),
    Column("cell_median_ms", "number", of_summary("median_ms")),
    Column("cell_median_low_ms", "number", of_summary("median_low_ms")),
    Column("cell_median_high_ms", "number", of_summary("median_high_ms")),
    Column("cell_p90_ms", "number", of_summary("p90_ms")),
    Column("cell_min_ms", "number", of_summary("min_ms")),
    Column("kind", "text", of_round("kind")),
    Column("phase", "text", of_round("phase")),
    Column("round", "whole", of_round("index")),
    Column("attempt", "whole", of_round("attempt")),
    Column("status", "text", of_round("status")),
    Column("quality", "text", of_round("quality")),
    Column("is_counted", "flag", lambda record: record.is_counted if record.round else None),
    Column("started_at", "text", of_round("started_at")),
    Column("wall_s", "number", of_round("wall_s")),
    Column("value_ms", "number", of_round("value_ms")),
    Column("load_ms", "number", of_round("load_ms")),
    Column("first_ms", "number", lambda record: _first_ms(record.round)),
    Column("error", "text", of_round("error")),
    Column("warmup_ms", "numbers", of_round("warmup_ms")),
    Column("e2e_ms", "numbers", of_round("e2e_ms")),
    Column("host_ms", "numbers", of_round("host_ms")),
)
