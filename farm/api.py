"""farm from Python: what the commands do, for scripts and notebooks. docs/api.md has examples.

Every call raises farm.errors.RequestError where what is asked for is wrong, before any device is touched, and
RunError where farm cannot go on. What fails on a device is a failed cell of the results.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from farm.compare.outcome import exit_code
from farm.compare.runs import TwoRuns, compare_runs
from farm.errors import RequestError
from farm.export.table import COLUMNS, Value
from farm.export.table import records as rows
from farm.model.comparison import Comparing
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Plan
from farm.model.request import Request
from farm.model.run import Results
from farm.options import from_mapping, words
from farm.plan.builds import may_run_wheel
from farm.plan.prepare import Prepared, prepare
from farm.plan.request import Arguments, read_request
from farm.report.write import write_report
from farm.run.bench import bench as measure
from farm.run.context import Around, settings_of
from farm.run.devices.quarantined import without_quarantined
from farm.run.events import Event
from farm.run.measure.against import against
from farm.runtime.files import wheel_files
from farm.store.cache.products import product_store
from farm.store.resume.asked import VERSION, Asked, keep_asked
from farm.store.runs import RunDirectory, find_run, new_run_id
from farm.suggest import nearest

__all__ = ["Run", "bench", "bench_async", "compare", "frame", "plan", "records", "request", "results"]

RUNS = Path("runs")


@dataclass(frozen=True)
class Run:
    """A run that ended. `exit_code` is that of `farm bench`: 1 is a confirmed regression or wrong outputs."""

    id: str
    path: Path
    report: Path
    results: Results
    exit_code: int


def request(**given: Any) -> Request:
    """What to run; names and values are those of the options of `farm bench`: `devices="arm-*"`,
    `models=["a.mge"]`, `rounds=10`, `baseline="tag:release-1"`. `variants` and `options` may be mappings:
    `variants={"plain": "", "nchw44": {"enable-nchw44": True}}`, `options={"iter": 50}`.
    """
    known = {row.name for row in fields(Arguments)}
    for name in given:
        if name not in known:
            raise RequestError(f"a request has no {name!r}{nearest(name, known)}", hint="see docs/api.md")
    try:
        read = {name: _READERS.get(name, _as_it_is)(one) for name, one in given.items() if one is not None}
    except (TypeError, ValueError, AttributeError) as error:
        raise RequestError(f"a request cannot be read: {error}", hint="see docs/api.md") from error
    return read_request(Arguments(**read))


def plan(asked: Request, *, runs_dir: Path | str = RUNS) -> Plan:
    """What would be run. Touches no device and fetches nothing."""
    return _planned(prepare(asked, _quiet, fetch=False), asked, Path(runs_dir))


def bench(asked: Request, **more: Any) -> Run:
    """As `bench_async`, where no event loop runs."""
    return asyncio.run(bench_async(asked, **more))


async def bench_async(
    asked: Request,
    *,
    runs_dir: Path | str = RUNS,
    run_id: str | None = None,
    deadlines: Deadlines | None = None,
    told: Callable[[Event], None] | None = None,
) -> Run:
    """Measure, and write results and report. `told` gets every event as it happens. When it is cancelled,
    devices are left as they were found, and what was measured is on disk.
    """
    folder = Path(runs_dir)
    prepared = await asyncio.to_thread(prepare, asked, _quiet, fetch=True)
    made = await asyncio.to_thread(_planned, prepared, asked, folder)
    name = run_id or new_run_id()
    directory = await asyncio.to_thread(RunDirectory.create, folder, name)
    around = Around(prepared.inventory, prepared.runtime, deadlines or Deadlines())
    await asyncio.to_thread(_keep, directory, asked, around.deadlines)
    settings = await asyncio.to_thread(settings_of, directory.run_id, around, ("farm.api",))
    wheel = None
    if prepared.runtime is not None and may_run_wheel(made):
        wheel = await asyncio.to_thread(wheel_files, prepared.runtime, _quiet)
    found = await measure(made, directory, wheel, settings, told or _deaf)
    report = await asyncio.to_thread(write_report, directory, found)
    return Run(directory.run_id, directory.path, report, found, int(exit_code(found)))


def _keep(directory: RunDirectory, asked: Request, deadlines: Deadlines) -> None:
    """For `farm runs resume`; a run whose request cannot be written cannot be resumed, and that is all."""
    with contextlib.suppress(OSError):
        keep_asked(directory.path, Asked(VERSION, Path.cwd(), asked, deadlines))


def results(run: str = "latest", *, runs_dir: Path | str = RUNS) -> Results:
    """Of a run by its id, its folder, `tag:NAME` or `latest`."""
    return find_run(Path(runs_dir), run).results()


def compare(
    baseline: str, run: str = "latest", *, minimum_effect: float = 0.03, runs_dir: Path | str = RUNS
) -> TwoRuns:
    """Two runs, cell by cell, as `farm compare` does it: times of two nights are never called slower."""
    old, new = (results(name, runs_dir=runs_dir) for name in (baseline, run))
    return compare_runs(old, new, Comparing(minimum_effect))


def records(found: Results) -> list[dict[str, Value]]:
    """The run as a table: a mapping for each round, with the columns of `farm export --format csv`."""
    return [{column.name: column.value(row) for column in COLUMNS} for row in rows(found)]


def frame(found: Results, library: str = "pandas") -> Any:
    """The same as a `pandas` or `polars` DataFrame, where that is installed."""
    if library not in ("pandas", "polars"):
        raise RequestError(f"no frame of {library!r}", hint='"pandas" or "polars"')
    try:
        module = __import__(library)
    except ImportError as error:
        raise RequestError(f"{library} is not installed", hint=f"pip install {library}") from error
    more = {"infer_schema_length": None} if library == "polars" else {}
    return module.DataFrame(records(found), **more)


def _planned(prepared: Prepared, asked: Request, runs_dir: Path) -> Plan:
    """Without devices in quarantine, and with the duels that a baseline asks for."""
    return against(without_quarantined(prepared.plan, runs_dir), asked, runs_dir, product_store())


def _as_it_is(value: Any) -> Any:
    return value


def _many(value: Any) -> tuple[str, ...]:
    return (str(value),) if isinstance(value, str | Path) else tuple(map(str, value))


def _joined(value: Any) -> str:
    return ",".join(_many(value))


def _variants(value: Mapping[str, Any] | Sequence[str]) -> tuple[str, ...]:
    if not isinstance(value, Mapping):
        return _many(value)
    texts = {
        name: one if isinstance(one, str) else shlex.join(words(from_mapping(one or {})))
        for name, one in value.items()
    }
    return tuple(f"{name}={text}" for name, text in texts.items())


_READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("models", "inputs", "sweeps", "goldens", "tolerances", "builds"), _many),
    **dict.fromkeys(("inventory", "suite", "builds_file"), Path),
    **dict.fromkeys(("rounds", "budget", "profile_rounds", "precision", "minimum_effect"), str),
    "variants": _variants,
    "options": from_mapping,
    **dict.fromkeys(("ab", "devices"), _joined),
}


def _quiet(*_: object) -> None:
    """Progress that nobody wants to see."""


def _deaf(_event: Event) -> None:
    """Events that nobody wants to hear."""
