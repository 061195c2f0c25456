"""Hostile devices beside an honest one: nothing is written elsewhere, nothing of theirs is more than text on the terminal and in
the report, memory stays within a bound, and the honest device loses nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from farm.errors import ExitCode
from tests.e2e.chromium import chromium, program
from tests.forked import Forks
from tests.hostile import checks
from tests.hostile.attack import Attack
from tests.hostile.attacks.table import EVERY, GROUPS
from tests.hostile.bench import Benched, bench
from tests.hostile.device import HONEST

pytestmark = pytest.mark.sshd

MOST_BYTES = 1 << 30
"""Of the controller and its processes, with all of them at once."""
MOST_OF_ONE_BYTES = 640 << 20
"""The same with a single one."""
QUICK = tuple(one for one in EVERY if not one.is_slow)
PAGES_IN_A_BROWSER = 5


@pytest.fixture(
    scope="module",
    params=[pytest.param(3, id="every third"), pytest.param(1, id="all", marks=pytest.mark.long)],
)
def attacks(request: pytest.FixtureRequest) -> tuple[Attack, ...]:
    """But for those that only deadlines end."""
    return QUICK[:: request.param]


@pytest.fixture(scope="module")
def benched(attacks: tuple[Attack, ...], tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Benched:
    """All of them at once."""
    return asyncio.run(bench(attacks, tmp_path_factory.mktemp("hostile"), forks))


def expectations(benched: Benched, attacks: Sequence[Attack]) -> None:
    """Each cell ended as its attack says, and so did farm."""
    cells = checks.cells_of(benched)
    assert set(cells) == {HONEST, *(one.name for one in attacks)}
    failed = {name for name, cell in cells.items() if cell["status"] == "failed"}
    assert [one.name for one in attacks if one.fails not in (None, one.name in failed)] == []
    assert [one.name for one in attacks if cells[one.name]["fault"] == "farm" and not one.says_farm] == []
    assert benched.code == (ExitCode.CELLS_FAILED if failed else ExitCode.OK)
    assert b"traceback" not in benched.said


def test_a_hostile_device_fails_its_own_cells_and_farm_says_so(
    benched: Benched, attacks: tuple[Attack, ...]
) -> None:
    assert len(attacks) >= 40
    expectations(benched, attacks)


def test_no_other_device_loses_anything(benched: Benched) -> None:
    checks.the_honest_device_lost_nothing(benched)


def test_nothing_is_written_but_in_the_run_and_the_caches(benched: Benched) -> None:
    checks.nothing_else_was_written(benched)


def test_what_is_written_is_private(benched: Benched) -> None:
    checks.all_is_private(benched.run)
    for path in (benched.folder / "cache").iterdir():
        if path.name != "runtimes":  # it is everybody's here: see tests/e2e/conftest.py
            checks.all_is_private(path)


def test_a_terminal_gets_text_only(benched: Benched) -> None:
    assert b"<U+001B>" in benched.said  # it was told, in signs
    checks.text_only_came_to_the_terminal(benched.said)


def test_a_report_has_nothing_active_of_a_device(benched: Benched) -> None:
    pages = checks.pages(benched)
    assert any("xsscanary" in page.read_text("utf-8") for page in pages)  # it is there, as text
    for page in pages:
        checks.nothing_of_a_device_is_active(benched, page)


def test_memory_stays_within_a_bound(benched: Benched, attacks: tuple[Attack, ...]) -> None:
    print(f"{len(attacks)} hostile devices at once: {benched.peak_bytes >> 20} MiB")
    assert benched.peak_bytes < MOST_BYTES


@pytest.mark.browser
@pytest.mark.skipif(program() is None, reason="needs Chromium")
def test_a_browser_runs_nothing_and_asks_for_nothing(benched: Benched) -> None:
    with chromium() as tab:
        for page in checks.pages(benched)[:PAGES_IN_A_BROWSER]:
            tab.open(page)
            assert {one for one in tab.fetched() if not one.startswith(("file:", "data:", "blob:"))} == set()
            assert tab.complaints() == []
            assert (
                tab.js("document.querySelectorAll('[onerror],[onload],iframe,base,object,embed').length") == 0
            )


@pytest.mark.long
@pytest.mark.parametrize("attack", EVERY, ids=lambda one: one.name)
async def test_an_attack_alone_costs_nothing_either(attack: Attack, tmp_path: Path, forks: Forks) -> None:
    made = await bench((attack,), tmp_path, forks)
    print(f"{attack.name}: {made.peak_bytes >> 20} MiB")
    expectations(made, (attack,))
    checks.the_honest_device_lost_nothing(made)
    checks.nothing_else_was_written(made)
    checks.all_is_private(made.run)
    checks.text_only_came_to_the_terminal(made.said)
    for page in checks.pages(made):
        checks.nothing_of_a_device_is_active(made, page)
    assert made.peak_bytes < MOST_OF_ONE_BYTES


def test_each_attack_has_a_name_of_its_own_and_says_what_it_does() -> None:
    assert len({one.name for one in EVERY}) == len(EVERY)
    assert all(one.does for one in EVERY)
    assert all(len(group) >= 20 for group in GROUPS.values())


async def test_a_device_that_does_not_lie_is_an_honest_one(tmp_path: Path, forks: Forks) -> None:
    """Else attacks would fail for another reason than theirs."""
    made = await bench((Attack("same", "nothing", fails=False),), tmp_path, forks)
    assert {cell["status"] for cell in checks.cells_of(made).values()} == {"completed"}
    assert made.code == ExitCode.OK


async def test_what_a_device_says_of_a_program_skips_no_cell_of_another(tmp_path: Path, forks: Forks) -> None:
    """The flags of a program are kept by its digest, whoever told them."""
    (lie,) = [one for one in EVERY if one.name == "help-without"]
    made = await bench((lie,), tmp_path, forks, first=lie.name)
    assert checks.cells_of(made)[lie.name]["status"] == "skipped"
    checks.the_honest_device_lost_nothing(made)
