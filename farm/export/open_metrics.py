"""OpenMetrics text, for Prometheus: node_exporter's textfile collector, a push gateway, or any web server.

Source: the OpenMetrics specification, version 1.0. There are gauges alone, without `# UNIT` and
`info`, so that readers of the older text format of Prometheus take it as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from farm.compare.outcome import asked, canaries, counts, decision, exit_code
from farm.export.cells import Named, named, safe
from farm.model.run import CellStatus, Results

S_IN_MS = 1e-3

Point: TypeAlias = tuple[Mapping[str, str], float | None]


def open_metrics(results: Results) -> str:
    """The last value of each cell and comparison, and what the run came to. Times are in seconds."""
    lines = (*_run(results), *_cells(list(named(results))), *_comparisons(results), "# EOF")
    return "".join(f"{line}\n" for line in lines)


def _run(results: Results) -> Iterator[str]:
    info = {"run": safe(results.run_id), "farm_version": safe(results.farm_version), "status": results.status}
    yield from _gauge("farm_run_info", "The run that this is of.", [(info, 1.0)])
    yield from _gauge("farm_run_start_timestamp_seconds", "When it began.", [({}, _unix(results.started_at))])
    yield from _gauge("farm_run_end_timestamp_seconds", "When it ended.", [({}, _unix(results.ended_at))])
    code = float(exit_code(results))
    yield from _gauge("farm_run_exit_code", "Exit code of the run, as of farm bench.", [({}, code)])
    decided = decision(results)
    if decided is not None:
        point = ({"decision": str(decided)}, 1.0)
        yield from _gauge("farm_run_decision", "What the comparisons of the run decide.", [point])
    ended = [cell.status for cell in results.cells]
    points = [({"status": str(status)}, float(ended.count(status))) for status in CellStatus]
    yield from _gauge("farm_cells", "Cells of the run by status.", points)
    seen = canaries(results.comparisons)
    yield from _gauge("farm_canaries", "Cells that were compared with themselves.", [({}, float(seen.total))])
    yield from _gauge("farm_canaries_changed", "Of these, how many differed.", [({}, float(seen.changed))])


def _cells(cells: list[Named]) -> Iterator[str]:
    def of(name: str) -> list[Point]:
        found = ((_labels(one), getattr(one.cell.summary, name, None)) for one in cells)
        return [(labels, None if value is None else value * S_IN_MS) for labels, value in found]

    done = [(_labels(one), float(one.cell.status is CellStatus.COMPLETED)) for one in cells]
    yield from _gauge("farm_cell_completed", "Whether the cell was measured.", done)
    rounds = [(_labels(one), float(len(one.counted))) for one in cells]
    yield from _gauge("farm_cell_rounds", "Rounds that the median is of.", rounds)
    yield from _gauge("farm_cell_median_seconds", "Median of the rounds' values.", of("median_ms"))
    yield from _gauge("farm_cell_median_low_seconds", "Its 95 % interval.", of("median_low_ms"))
    yield from _gauge("farm_cell_median_high_seconds", "Its 95 % interval.", of("median_high_ms"))
    yield from _gauge("farm_cell_p90_seconds", "90th percentile of the iterations.", of("p90_ms"))
    yield from _gauge("farm_cell_min_seconds", "Fastest iteration.", of("min_ms"))
    yield from _gauge("farm_cell_load_seconds", "Median time to load the model.", of("load_ms"))
    yield from _gauge("farm_cell_first_seconds", "Median time of the first inference.", of("first_ms"))


def _comparisons(results: Results) -> Iterator[str]:
    every = asked(results.comparisons)
    verdicts = [({"verdict": str(verdict)}, float(number)) for verdict, number in counts(every).items()]
    yield from _gauge("farm_comparisons", "Comparisons by verdict.", verdicts)
    points: dict[str, list[Point]] = {"ratio": [], "ratio_low": [], "ratio_high": []}
    for one in every:
        labels = {
            "device": safe(one.device),
            "baseline": safe(one.baseline),
            "candidate": safe(one.candidate),
            "baseline_run": safe(one.baseline_run or ""),
            "verdict": str(one.verdict),
        }
        if one.effect:
            for name, value in zip(points, (one.effect.ratio, one.effect.low, one.effect.high), strict=True):
                points[name].append((labels, value))
    yield from _gauge("farm_comparison_ratio", "Time of candidate over baseline.", points["ratio"])
    yield from _gauge("farm_comparison_ratio_low", "Its 95 % interval.", points["ratio_low"])
    yield from _gauge("farm_comparison_ratio_high", "Its 95 % interval.", points["ratio_high"])


def _labels(one: Named) -> dict[str, str]:
    return {"device": one.device, "model": one.model, "variant": one.variant, "build": one.build}


def _gauge(name: str, text: str, points: Iterable[Point]) -> Iterator[str]:
    """A family, without points that have no finite value, and none twice: one refuses the whole text."""
    lines: list[str] = []
    met: set[str] = set()
    for labels, value in points:
        shown = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
        if value is not None and math.isfinite(value) and shown not in met:
            met.add(shown)
            lines.append(f"{name}{{{shown}}} {value!r}" if shown else f"{name} {value!r}")
    if lines:
        yield f"# HELP {name} {text}"
        yield f"# TYPE {name} gauge"
        yield from lines


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _unix(text: str | None) -> float | None:
    """Seconds since 1970 of a time as results.json has it; None where it is none."""
    try:
        read = datetime.fromisoformat(text or "")
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
