"""One cell of a run as the report shows it in full."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from farm.analysis.quality import last_attempts
from farm.analysis.steady import steady
from farm.analysis.summary import first_inference_ms, is_counted, of_deciding_phase, p90
from farm.model.artifact import Produced
from farm.model.comparison import Phase
from farm.model.matrix import RoundKind
from farm.model.options import Value
from farm.model.run import (
    CellResult,
    CellStatus,
    PreparationResult,
    Quality,
    Results,
    RoundResult,
    RoundStatus,
    Summary,
)
from farm.report.figures.rounds import OneRound, rounds_figure
from farm.report.figures.view import RoundsFigure
from farm.report.numerals import MISSING, as_duration, as_ratio, count, in_bytes, in_ms, moment
from farm.report.parts.device_tracks import device_tracks
from farm.report.views.cells import CellDetail, Failure, FileLink, RoundRow
from farm.report.views.common import Fact, Status
from farm.visible import relative_href

STATUSES: Mapping[str, Status] = {
    CellStatus.COMPLETED: Status("completed", "\N{CHECK MARK}", "completed"),
    CellStatus.FAILED: Status("failed", "\N{BALLOT X}", "failed"),
    CellStatus.SKIPPED: Status("skipped", "\N{EN DASH}", "skipped"),
    CellStatus.CANCELLED: Status("cancelled", "\N{BLACK SQUARE}", "cancelled"),
}

QUALITY_WORDS = {
    Quality.OK: "steady",
    Quality.THROTTLED: "throttled",
    Quality.FREQUENCY_DRIFT: "frequency changed",
    Quality.BUSY: "device busy",
    Quality.MIGRATED: "threads moved",
    Quality.NOT_STEADY: "not steady",
    Quality.FEW_ITERATIONS: "too few iterations",
    Quality.NO_TIMES: "no times",
    Quality.BAD_TIMES: "impossible times",
}


SHOWN_WAIT_S = 0.5

LOGS = ("stdout", "stderr")
"""Roles of the files that are linked in the row of their round."""

MOST_FILES = 5
"""Of one role in one folder that have rows of their own: a dump has a file for each tensor."""
SHOWN_AS_TEXT = (".txt", ".json")
"""What browsers surely show as text. They look into any other file, and would run the script of a page that a
device made: such a file has no link.
"""


def anchor(index: int) -> str:
    """The anchor of a cell's detail: a number, so that no name gets into a link."""
    return f"cell-{index + 1}"


def anchors_of(results: Results) -> Mapping[str, str]:
    """By the cell's id."""
    return {cell.id: anchor(index) for index, cell in enumerate(results.cells)}


def values_ms(cell: CellResult) -> tuple[float, ...]:
    """The values of the rounds that the cell's number is of, in the order in which they ran."""
    return tuple(one.value_ms for one in counted(cell) if one.value_ms is not None)


def counted(cell: CellResult) -> list[RoundResult]:
    """The rounds that the cell's number is of, in the order in which they ran."""
    return of_deciding_phase([one for one in last_attempts(cell.rounds) if is_counted(one)])


def quality_warning(cell: CellResult) -> str | None:
    """A warning about the rounds behind a value, None when all of them were steady."""
    rounds = counted(cell)
    doubtful = [r for r in rounds if r.quality != Quality.OK]
    if not doubtful:
        return None
    words = sorted({_word(r.quality) for r in doubtful})
    return f"{', '.join(words)}: {len(doubtful)} of {count(len(rounds), 'round')}"


def _word(quality: Quality) -> str:
    return QUALITY_WORDS.get(quality, quality.replace("-", " "))


def failure_of(cell: CellResult) -> Failure | None:
    if cell.status != CellStatus.FAILED:
        return None
    return Failure(
        stage=cell.stage or MISSING,
        fault=cell.fault or MISSING,
        cause=cell.cause or MISSING,
        message=cell.error or "no message",
        hint=cell.hint,
    )


def compose_cell(
    index: int, cell: CellResult, decimals: int, more: Mapping[str, Any] | None = None
) -> CellDetail:
    return CellDetail(
        anchor=anchor(index),
        device=cell.device,
        model=cell.model,
        variant=cell.column,
        status=STATUSES[cell.status],
        value=f"{in_ms(cell.summary.median_ms, decimals)} ms" if cell.summary else MISSING,
        options=tuple(Fact(f"--{name}", _option(value)) for name, value in cell.options.items()),
        facts=_facts(cell.summary, decimals) if cell.summary else (),
        argv=shlex.join(cell.argv),  # to be read and copied: nothing runs it
        reproduce=cell.reproduce,
        failure=failure_of(cell),
        reason=cell.reason,
        notes=cell.notes,
        preparations=tuple(_preparation(one) for one in cell.preparations),
        rounds=tuple(_round(r, decimals) for r in cell.rounds),
        order=_run_order(cell, decimals),
        files=_files(cell),
        tracks=device_tracks(_timed(cell)),
        more=more or {},
    )


def _option(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _facts(summary: Summary, decimals: int) -> tuple[Fact, ...]:
    def ms(value: float | None) -> str:
        return MISSING if value is None else f"{in_ms(value, decimals)} ms"

    spread = f"{in_ms(summary.low_ms, decimals)}\N{EN DASH}{in_ms(summary.high_ms, decimals)} ms"
    if summary.median_ms:
        spread += f" ({as_ratio(100 * summary.spread_ms / summary.median_ms)} %)"
    return (
        Fact("median of rounds", ms(summary.median_ms)),
        *_interval(summary, decimals),
        Fact("spread over rounds", spread),
        Fact("rounds", str(summary.rounds)),
        Fact("p90", ms(summary.p90_ms)),
        Fact("min", ms(summary.min_ms)),
        Fact("first inference", ms(summary.first_ms)),
        Fact("load", ms(summary.load_ms)),
    )


def _interval(summary: Summary, decimals: int) -> tuple[Fact, ...]:
    """How far the median is known; nothing where there are too few rounds."""
    if summary.median_low_ms is None or summary.median_high_ms is None:
        return ()
    low, high = in_ms(summary.median_low_ms, decimals), in_ms(summary.median_high_ms, decimals)
    return (Fact("95 % interval of the median", f"{low}\N{EN DASH}{high} ms"),)


def _preparation(one: PreparationResult) -> Fact:
    """How long it took, and whether its product came from the cache."""
    took = MISSING if one.seconds is None else as_duration(one.seconds)
    if one.status is RoundStatus.FAILED:
        return Fact(one.kind, f"failed after {took}")
    made = f"from the cache (run {one.from_run}, took {took})"
    return Fact(one.kind, made if one.from_run else f"done in {took}")


def _round(result: RoundResult, decimals: int) -> RoundRow:
    kept = result.e2e_ms[steady(result.e2e_ms)[0]] if is_counted(result) else ()
    times = (
        result.load_ms,
        first_inference_ms(result),
        result.value_ms,
        p90(kept) if kept else None,
        min(kept, default=None),
    )
    started = moment(result.started_at)
    return RoundRow(
        name=name_of_round(result),
        status=STATUSES[result.status],
        started=f"{started:%H:%M:%S}" if started else MISSING,
        figures=tuple(in_ms(time, decimals) for time in times),
        iterations=_iterations(result, len(kept)),
        quality=_word(result.quality) if is_counted(result) else MISSING,
        is_ok=result.quality == Quality.OK or not is_counted(result),
        error=result.error or result.quality_evidence,
        device=_device(result),
        logs=tuple(_file(one) for one in result.artifacts if one.role in LOGS),
    )


def _device(result: RoundResult) -> str:
    """What the device was like: its hottest sensor, what others used of it, energy, and the wait before."""
    said, told = [], result.telemetry
    if told is not None and told.temperatures:
        hottest = max(told.temperatures, key=lambda zone: zone.max_c)
        said.append(f"{hottest.start_c:.0f} to {hottest.max_c:.0f} C")
    if told is not None and told.others_cores is not None:
        said.append(f"others {told.others_cores:.2f} cores")
    energy = (one.per_inference_mj for one in (told.energy if told is not None else ()))
    said += [f"{millijoules:.3g} mJ" for millijoules in energy if millijoules is not None][:1]
    if result.waited_s is not None and result.waited_s >= SHOWN_WAIT_S:
        said.append(f"waited {result.waited_s:.0f} s")
    return ", ".join(said) or MISSING


def name_of_round(result: RoundResult) -> str:
    """`timed 3`, `confirm 3` of those that decide, `timed 3 again`."""
    kind = result.phase if result.phase is Phase.CONFIRM else result.kind
    return f"{kind} {result.index + 1}{' again' if result.attempt else ''}"


def _iterations(result: RoundResult, kept: int) -> str:
    if not result.e2e_ms:
        return MISSING
    return str(kept) if kept == len(result.e2e_ms) else f"{kept} of {len(result.e2e_ms)}"


def _timed(cell: CellResult) -> list[RoundResult]:
    """The timed rounds of the phase that decided, in run order, with those that failed or were repeated."""
    phases = {one.phase for one in counted(cell)}
    return [one for one in cell.rounds if one.kind is RoundKind.TIMED and one.phase in phases]


def _run_order(cell: CellResult, decimals: int) -> RoundsFigure | None:
    """What shows drift and outliers."""
    summary = cell.summary
    if summary is None:
        return None
    low, high = summary.median_low_ms, summary.median_high_ms
    return rounds_figure(
        [
            OneRound(
                name_of_round(one),
                one.value_ms if is_counted(one) else None,
                one.quality == Quality.OK,
                _word(one.quality),
            )
            for one in _timed(cell)
        ],
        summary.median_ms,
        None if low is None or high is None else (low, high),
        decimals,
    )


def _files(cell: CellResult) -> tuple[FileLink, ...]:
    """All but the logs that the rows of the rounds link; many of a role in one folder are that folder."""
    produced = dict.fromkeys([*cell.artifacts, *(a for r in cell.rounds for a in r.artifacts)])
    linked = {one.path for row in cell.rounds for one in row.artifacts if one.role in LOGS}
    groups: dict[tuple[str, str], list[Produced]] = {}
    for one in produced:
        if one.path not in linked or not relative_href(one.path):
            groups.setdefault((one.role, one.path.rpartition("/")[0]), []).append(one)
    return tuple(
        link
        for (role, folder), files in groups.items()
        for link in ([_folder(role, folder, files)] if len(files) > MOST_FILES else map(_file, files))
    )


def _folder(role: str, folder: str, files: Sequence[Produced]) -> FileLink:
    return FileLink(
        role=role,
        path=f"{folder}/ ({count(len(files), 'file')})",
        href=relative_href(folder),
        size=in_bytes(sum(one.size_bytes for one in files)),
        sha256="",
    )


def _file(artifact: Produced) -> FileLink:
    return FileLink(
        role=artifact.role,
        path=artifact.path,
        href=relative_href(artifact.path) if artifact.path.endswith(SHOWN_AS_TEXT) else None,
        size=in_bytes(artifact.size_bytes),
        sha256=artifact.sha256[:12],
    )
