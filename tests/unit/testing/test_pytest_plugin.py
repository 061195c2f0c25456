"""The pytest plugin in sessions of its own: what is wrong is told before anything is measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import farm.api  # noqa: F401 - once: a session inside this one forgets what it imported
from farm.store.notes.tags import set_tag
from farm.store.runs import RunDirectory

pytest_plugins = ["pytester"]

BODY = "def test_a(assert_not_slower):\n    assert_not_slower({})\n"


def session(pytester: pytest.Pytester, given: str, *words: str) -> pytest.RunResult:
    """A session with one test, `assert_not_slower(given)`."""
    pytester.makepyfile(test_it=BODY.format(given))
    return pytester.runpytest_inprocess("-p", "no:asyncio", "-W", "error", *words)


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ("modles=['a.mge']", ["farm: a request has no 'modles' (did you mean models?)*", "  try: see docs/api.md"]),
        ("models=['none.mge'], baseline='last', undecided='no'", ["undecided='no' should be fail, skip or pass"]),
        ("models=['bundled:tiny'], baseline='nightly-1'", ["farm: no run 'nightly-1' in *", "  try: farm runs list *"]),
        ("models=['bundled:tiny']", ["there is no baseline tag:pytest-test_it.py-test_a-* in *", "  try: pytest --farm-update-baseline 'test_it.py::test_a'"]),
    ],
)  # fmt: skip
def test_what_is_wrong_fails_the_test_and_says_what_to_type(
    pytester: pytest.Pytester, given: str, lines: list[str]
) -> None:
    done = session(pytester, given)
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(lines)
    assert not (pytester.path / "runs").exists()


def test_in_an_event_loop_it_says_where_to_call_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import asyncio\ndef test_a(assert_not_slower):\n"
        "    async def f(): assert_not_slower(models=['bundled:tiny'])\n    asyncio.run(f())\n"
    )
    done = pytester.runpytest_inprocess("-p", "no:asyncio", "-W", "error")
    done.stdout.fnmatch_lines(["*call it in a test that is not async"])


def test_a_tag_that_the_test_did_not_make_is_not_moved(pytester: pytest.Pytester) -> None:
    runs = pytester.path / "runs"
    RunDirectory.create(runs, "shipped")
    set_tag(runs, "release-1", "shipped", "on Friday")
    done = session(pytester, "models=['bundled:tiny'], baseline='tag:release-1'", "--farm-update-baseline")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["farm: tag:release-1 is the run shipped, which was not measured here"])
    by_id = session(pytester, "models=['bundled:tiny'], baseline='shipped'", "--farm-update-baseline")
    by_id.stdout.fnmatch_lines(["farm: the baseline 'shipped' is a run, and cannot be another one"])
    assert [path.name for path in runs.iterdir() if path.name != ".tags"] == ["shipped"]


def test_the_command_line_says_last_where_runs_are_and_what_is_compared(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nfarm_runs_dir = beside")
    given = "models=['bundled:tiny']"
    session(pytester, given).stdout.fnmatch_lines([f"there is no baseline * in {pytester.path}/beside"])
    here = session(pytester, f"{given}, runs_dir='mine', baseline='tag:b'")
    here.stdout.fnmatch_lines([f"there is no baseline tag:b in {pytester.path}/mine"])
    typed = session(
        pytester, f"{given}, runs_dir='mine', baseline='tag:b'", "--farm-runs-dir", "typed", "--farm-baseline", "tag:c"
    )  # fmt: skip
    typed.stdout.fnmatch_lines([f"there is no baseline tag:c in {pytester.path}/typed"])


def test_tests_that_measure_have_a_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=BODY.format("") + "def test_b(): pass\n")
    done = pytester.runpytest_inprocess("-p", "no:asyncio", "--strict-markers", "-m", "not farm")
    done.assert_outcomes(passed=1, deselected=1)


def test_a_session_that_measures_nothing_imports_nothing_of_farm() -> None:
    code = "import sys, farm.testing.pytest_plugin; print(*sorted(name for name in sys.modules if name.startswith('farm')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["farm", "farm.testing", "farm.testing.pytest_plugin"]


def test_this_projects_own_sessions_are_without_it(request: pytest.FixtureRequest) -> None:
    manager = request.config.pluginmanager
    assert not manager.has_plugin("farm")
    assert (Path(__file__).parents[3] / "pyproject.toml").samefile(request.config.inipath)
