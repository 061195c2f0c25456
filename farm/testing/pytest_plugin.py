"""The pytest plugin `farm`: `assert_not_slower` in a test of your own. docs/how-to/pytest.md has examples.

pytest imports it in every session, so that nothing else of farm is imported before a test measures.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

import pytest

if TYPE_CHECKING:
    from farm.api import Run
    from farm.errors import FarmError

FIXTURE = "assert_not_slower"
MARKER = "farm"
TOLD = "farm"
"""The property of a test that says what was measured: pytest-xdist and JUnit files carry it along."""

TAG = "tag:"
LONGEST_NODE = 60

Undecided: TypeAlias = Literal["fail", "skip", "pass"]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("farm", "benchmarks of MegEngine models")
    group.addoption(
        "--farm-update-baseline",
        action="store_true",
        help=f"Tests with {FIXTURE} measure, and tag their run as their baseline; nothing is compared.",
    )
    group.addoption(
        "--farm-baseline",
        metavar="RUN",
        help="Compare with this run (its id, its folder, tag:NAME), whatever the tests say.",
    )
    group.addoption(
        "--farm-runs-dir",
        metavar="DIR",
        help="Folder of the runs, whatever the tests and the setting farm_runs_dir say.",
    )
    parser.addini("farm_runs_dir", "folder of farm's runs, beside this file", default="runs")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: measures with farm; set on tests that use {FIXTURE}")


@pytest.hookimpl(tryfirst=True)  # before `-m` is applied
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FIXTURE in getattr(item, "fixturenames", ()):
            item.add_marker(MARKER)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [one for some in terminalreporter.stats.values() for one in some]
    told = [
        f"{one.nodeid}: {text}"
        for one in reports
        if isinstance(one, pytest.TestReport) and one.when == "call"
        for name, text in one.user_properties
        if name == TOLD
    ]
    if told:
        terminalreporter.section("farm")
        for line in told:
            terminalreporter.line(line)


@pytest.fixture
def assert_not_slower(request: pytest.FixtureRequest) -> NotSlower:
    """Measure models, and fail where a cell is slower than in the baseline."""
    return NotSlower(request.node)


class NotSlower:
    """The fixture `assert_not_slower`. What it measured is told at the end of the session."""

    def __init__(self, node: pytest.Item) -> None:
        self._node = node
        self._calls = 0

    def __call__(
        self,
        *,
        baseline: str | None = None,
        undecided: Undecided = "fail",
        runs_dir: Path | str | None = None,
        wait_s: float = 600.0,
        **request: Any,
    ) -> Run:
        """Measure what `request` says (as for farm.api.request), and compare it with a run: `baseline` is its
        id, its folder or tag:NAME; None: the run that --farm-update-baseline tagged for this test. Its bytes
        are measured again in the same lease, where they are kept.

        Fails the test where a cell is slower or failed, outputs are wrong, or there is no baseline; where the
        rounds do not decide it, as `undecided` says. A device in use is waited for, `wait_s` seconds.
        """
        from farm.errors import FarmError
        from farm.model.limits.deadlines import Deadlines

        self._calls += 1
        if undecided not in ("fail", "skip", "pass"):
            pytest.fail(f"undecided={undecided!r} should be fail, skip or pass", pytrace=False)
        if _is_in_a_loop():
            pytest.fail(f"{FIXTURE} has an event loop of its own: call it in a test that is not async")
        config = self._node.config
        own = f"{TAG}{self._own_tag()}"
        more = {"runs_dir": self._folder(runs_dir), "deadlines": Deadlines(lease_wait_s=wait_s)}
        try:
            if config.getoption("--farm-update-baseline"):
                return self._updated(baseline or own, request, more)
            wanted = config.getoption("--farm-baseline") or baseline or own
            return self._compared(wanted, undecided, request, more)
        except FarmError as error:
            wrong = error
        return _fail(wrong)  # outside of the block: without the exceptions that led to it

    def _compared(
        self, baseline: str, undecided: Undecided, request: dict[str, Any], more: dict[str, Any]
    ) -> Run:
        from farm import api
        from farm.store.notes.tags import has_tag
        from farm.store.runs import find_run
        from farm.testing.judging import Outcome, judged

        asked = api.request(baseline=baseline, **request)
        tag = baseline.removeprefix(TAG)
        if tag != baseline and not has_tag(more["runs_dir"], tag):
            pytest.fail(
                f"there is no baseline {baseline} in {more['runs_dir']}\n"
                f"  try: pytest --farm-update-baseline '{self._node.nodeid}'",
                pytrace=False,
            )
        find_run(more["runs_dir"], baseline)  # before a runtime is fetched
        run = api.bench(asked, **more)
        outcome, text = judged(run.results)
        self._tell(f"{outcome} ({baseline})", run)
        text = f"{text}\n  report: {run.report.resolve()}"
        if outcome is Outcome.UNDECIDED and undecided == "skip":
            pytest.skip(text)
        if outcome is not Outcome.NOT_SLOWER and (outcome is not Outcome.UNDECIDED or undecided == "fail"):
            pytest.fail(text, pytrace=False)
        return run

    def _updated(self, baseline: str, request: dict[str, Any], more: dict[str, Any]) -> Run:
        """Measure, and make the run the baseline. A tag that this test did not make is not moved."""
        from farm import api
        from farm.errors import RequestError
        from farm.model.request import DEFAULT_PAIRS
        from farm.store.notes.tags import has_tag, set_tag, tagged
        from farm.testing.judging import unmeasured

        folder, tag = more["runs_dir"], baseline.removeprefix(TAG)
        note = f"pytest {self._key()}"
        asked = api.request(**{"rounds": DEFAULT_PAIRS} | request)
        if tag == baseline:
            raise RequestError(
                f"the baseline {baseline!r} is a run, and cannot be another one",
                hint=f"baseline='{TAG}NAME', or none: then the test has a tag of its own",
            )
        if has_tag(folder, tag) and (other := tagged(folder, tag)).note != note:
            raise RequestError(
                f"{baseline} is the run {other.run}, which was not measured here",
                hint=f"another tag, none, or farm runs tag --remove {tag}; nothing was measured",
            )
        run = api.bench(asked, **more)
        if why := unmeasured(run.results):
            pytest.fail(f"{why}\n  report: {run.report.resolve()}", pytrace=False)
        set_tag(folder, tag, run.id, note, is_moved=True)
        self._tell(f"{baseline} is now the run {run.id}", run)
        return run

    def _tell(self, text: str, run: Run) -> None:
        self._node.user_properties.append((TOLD, f"{text}, report: {run.report.resolve()}"))

    def _folder(self, given: Path | str | None) -> Path:
        config = self._node.config
        if typed := config.getoption("--farm-runs-dir"):
            return Path(config.invocation_params.dir, typed)
        beside = config.inipath.parent if config.inipath else config.rootpath
        return Path(beside, given if given is not None else config.getini("farm_runs_dir"))

    def _key(self) -> str:
        """Of this call in this test: the same from session to session."""
        text = f"{self._node.nodeid} {self._calls}"
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _own_tag(self) -> str:
        plain = re.sub(r"[^A-Za-z0-9._+-]+", "-", self._node.nodeid)[-LONGEST_NODE:]
        return f"pytest-{plain.strip('-')}-{self._key()[:6]}"


def _is_in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _fail(error: FarmError) -> NoReturn:
    hint = f"\n  try: {error.hint}" if error.hint else ""
    pytest.fail(f"farm: {error}{hint}", pytrace=False)
