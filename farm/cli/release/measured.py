"""`farm release --suite`: two or more builds, measured in pairs on all devices and models of a suite."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from farm.cli.bench.bench import Benching, benched
from farm.cli.bench.finish import finish, say_failures, write_report
from farm.compare.outcome import exit_code
from farm.errors import ExitCode, RequestError
from farm.model.run import Results
from farm.plan.request import Arguments, read_request
from farm.store.runs import RunDirectory


def new_name() -> str:
    """Of a run that is made for a release."""
    return f"release-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def measure_builds(asked: Arguments, where: Benching, *, is_quiet: bool) -> ExitCode:
    """Measure every build against the first one; the exit code is that of `farm bench`.

    `is_quiet`: nothing goes to stdout. Raises RequestError where there are no two builds.
    """
    _require_builds(asked.builds)
    results, is_reported = benched(read_request(asked), where, partial(_finished, is_quiet=is_quiet))
    return exit_code(results) or (ExitCode.OK if is_reported else ExitCode.CELLS_FAILED)


def _require_builds(builds: tuple[str, ...]) -> None:
    if len(builds) < 2 or len(set(builds)) < len(builds):
        raise RequestError(
            f"--suite measures two or more different builds, not {' and '.join(builds)}",
            hint="farm release 1.13 1.14 --suite release.yaml   (the oldest first)",
        )
    odd = next((name for name in builds if "," in name), None)
    if odd is not None:
        raise RequestError(f"build {odd!r} has a comma in its name", hint="rename it in the builds file")


def _finished(directory: RunDirectory, results: Results, *, is_quiet: bool) -> bool:
    if not is_quiet:
        return finish(directory, results, json=False)
    say_failures(results)
    return write_report(directory, results) is not None
