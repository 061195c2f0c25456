"""What a night measures: the suite, against each of its baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from farm.cli.bench.bench import is_wheel_of_any_use, keep, measure
from farm.cli.bench.confirming import Where, confirmed
from farm.cli.bench.finish import finish, say_failures, write_report
from farm.cli.nightly.drifting import with_drifts
from farm.cli.nightly.quarantine import check_quarantined, quarantined
from farm.cli.terminal.console import say
from farm.cli.terminal.progress import Bar
from farm.compare.outcome import is_open, measured_code, unknown_outputs
from farm.compare.runs import compare_runs
from farm.errors import ExitCode, FarmError, RequestError
from farm.model.comparison import Acknowledgement, Comparison
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Plan
from farm.model.request import LAST_GOOD, Nightly, Request
from farm.model.run import CellResult, CellStatus, Results
from farm.nightly.findings import night_of
from farm.nightly.nouns import Finding, Kind, Night
from farm.nightly.state import Nights
from farm.plan.prepare import Prepared, prepare
from farm.run.context import Around
from farm.run.devices.quarantined import without_quarantined
from farm.run.measure.against import against
from farm.store.cache.products import product_store
from farm.store.notes.tags import PREFIX, has_tag
from farm.store.resume.asked import VERSION, Asked
from farm.store.runs import RunDirectory, find_run

THIS_RUN = "this run"


@dataclass(frozen=True)
class Measured:
    """What came of a night: its findings, the exit code of its cells alone, whether more is undecided than
    may be, its report (None: not written), and cells that the last good night had, and this one has not.
    """

    night: Night
    code: ExitCode
    is_open: bool = False
    report: Path | None = None
    lost: frozenset[str] = frozenset()


@dataclass
class _Baselines:
    """The runs that a night is compared with, by the suite's names; `problems` are those that cannot be."""

    runs: dict[str, str] = field(default_factory=dict)
    problems: list[Finding] = field(default_factory=list)

    def drop(self, name: str, error: FarmError) -> None:
        self.runs.pop(name, None)
        text = f"not compared with {name}: {error.message}"
        self.problems.append(Finding(Kind.NOT_COMPARED, "", name, text))
        say(text, "yellow")


@dataclass(frozen=True)
class Tonight:
    """What is asked of a night. `is_quiet`: nothing but JSON goes to stdout."""

    request: Request
    settings: Nightly
    nights: Nights
    runs_dir: Path
    run_id: str | None
    known: Sequence[Acknowledgement]
    deadlines: Deadlines
    is_quiet: bool = False


def measured(tonight: Tonight) -> Measured:
    """Raises FarmError where the night cannot run at all."""
    request, settings, runs_dir = tonight.request, tonight.settings, tonight.runs_dir
    baselines = _baselines(settings, tonight.nights, runs_dir)
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    check_quarantined(prepared.inventory, prepared.plan.devices, runs_dir)
    plan = _planned(prepared, request, baselines, runs_dir)
    first = next(iter(baselines.runs), None)
    name = tonight.run_id or f"nightly-{tonight.nights.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    directory = RunDirectory.create(runs_dir, name)
    deadlines = replace(tonight.deadlines, lease_wait_s=settings.wait_s)
    keep(directory, Asked(VERSION, Path.cwd(), request, deadlines))
    around = Around(prepared.inventory, prepared.runtime, deadlines)
    finished = partial(_finished, directory, is_quiet=tonight.is_quiet)
    results, is_reported = measure(plan, directory, around, finished)
    compared = _compared(results, first)
    for other in [one for one in baselines.runs if one != first]:
        compared[other] = _with(other, directory, results, baselines, Where(request.inventory, runs_dir))
    left_out = quarantined(results, runs_dir, settings.quarantine_days)
    night = night_of(
        results,
        compared,
        tonight.known,
        datetime.now(UTC).date(),
        min_measured=settings.min_measured,
        left_out={one.cell for one in left_out},
    )
    night = with_drifts(night, results, runs_dir, tonight.nights.load()[0])
    most, unknown = results.comparing.max_undecided, unknown_outputs(results)
    if not night.is_sound:
        say("its canaries differed from themselves too often: this night decides nothing", "yellow")
    return Measured(
        replace(
            night,
            findings=(*night.findings, *left_out, *baselines.problems),
            baselines=frozenset((*settings.baselines, THIS_RUN)),
        ),
        measured_code(results),
        not night.is_sound or any(is_open(some, most, unknown) for some in compared.values()),
        directory.report_path if is_reported else None,
        _lost(results, baselines.runs.get(LAST_GOOD), runs_dir),
    )


def _lost(results: Results, good: str | None, runs_dir: Path) -> frozenset[str]:
    """Cells of the suite that the last good night measured, and this one did not."""
    if good is None:
        return frozenset()
    try:
        earlier = find_run(runs_dir, good).results()
    except FarmError as error:  # nothing can be compared with it any more: a new one may take its place
        say(str(error), "yellow")
        return frozenset()
    before = {cell.id for cell in earlier.cells if _is_measured(cell)}
    return frozenset(cell.id for cell in results.cells if cell.id in before and not _is_measured(cell))


def _is_measured(cell: CellResult) -> bool:
    return cell.status is CellStatus.COMPLETED


def _finished(directory: RunDirectory, results: Results, *, is_quiet: bool) -> bool:
    if not is_quiet:
        return finish(directory, results, json=False)
    say_failures(results)
    return write_report(directory, results) is not None


def _baselines(settings: Nightly, nights: Nights, runs_dir: Path) -> _Baselines:
    """Those that are there. Before the first good night there is none, which is no news."""
    found = _Baselines()
    for name in settings.baselines:
        if name == LAST_GOOD and not has_tag(runs_dir, nights.good_tag):
            say("no good night yet: nothing to compare with")
            continue
        wanted = f"{PREFIX}{nights.good_tag}" if name == LAST_GOOD else name
        try:
            found.runs[name] = str(find_run(runs_dir, wanted).run_id)
        except RequestError as error:
            found.drop(name, error)
    return found


def _planned(prepared: Prepared, request: Request, baselines: _Baselines, runs_dir: Path) -> Plan:
    """With the first baseline that shares cells with the suite: it is measured in pairs."""
    plan = without_quarantined(prepared.plan, runs_dir)
    for name, run in list(baselines.runs.items()):
        try:
            return against(plan, replace(request, baseline=run), runs_dir, product_store())
        except RequestError as error:
            baselines.drop(name, error)
    return plan


def _compared(results: Results, first: str | None) -> dict[str, Sequence[Comparison]]:
    """What the run itself compared: with its baseline, and its own cells with each other."""
    own = [one for one in results.comparisons if one.baseline_run is None]
    found = [one for one in results.comparisons if one.baseline_run is not None]
    named: dict[str, Sequence[Comparison]] = {first: found} if first and found else {}
    return named | ({THIS_RUN: own} if own else {})


def _with(
    name: str, new: RunDirectory, results: Results, baselines: _Baselines, where: Where
) -> Sequence[Comparison]:
    """A further baseline: what looks changed is measured again, old and new in one lease."""
    try:
        old = find_run(where.runs_dir, baselines.runs[name])
        compared = compare_runs(old.results(), results, results.comparing)
        by = confirmed(old, new, compared, where)
        return compare_runs(old.results(), results, results.comparing, compared.change, by=by).comparisons
    except FarmError as error:
        baselines.drop(name, error)
        return ()
