"""Plugins are found in what is installed; one that is broken is named, and costs nobody anything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from farm.errors import RequestError, RunError
from farm.plugins.find import Group, Plugin, nothing_on_stdout, plugin, plugins
from tests.unit.plugins.packages import package

GOOD = "def f(*given): return given\n"


def only(group: Group = Group.EXPORTERS, own: tuple[str, ...] = ()) -> Plugin:
    (found,) = plugins(group, own)
    return found


def test_a_plugin_is_found_by_its_group_and_loaded_when_it_is_called(site: Path) -> None:
    package(site, "lab-plugins", GOOD, exporters="b=f a=f", notifications="chat=f")
    assert [one.label for one in plugins(Group.EXPORTERS)] == ["a of lab-plugins 1.0", "b of lab-plugins 1.0"]
    assert plugins(Group.SECTIONS) == ()
    assert "lab_plugins" not in sys.modules
    assert plugin(Group.NOTIFICATIONS, "chat").call(1, 2) == (1, 2)
    with pytest.raises(
        RequestError, match=r"there is no plugin 'chta' for farm.notifications \(did you mean chat"
    ):
        plugin(Group.NOTIFICATIONS, "chta")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import no_such_module", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(:", "cannot be loaded: SyntaxError: "),
        ("raise SystemExit(1)", "cannot be loaded: SystemExit: 1"),
        ("g = 1", "cannot be loaded: AttributeError: "),
        ("f = 5", "is int, which cannot be called"),
        ("def f(): raise ValueError('no\\x1b[2J numbers')", "failed: ValueError: no<U+001B>[2J numbers"),
        ("def f(): raise SystemExit(1)", "failed: SystemExit: 1"),
        ("def f(): f()", "failed: RecursionError: "),
        ("def f(x): pass", "failed: TypeError: "),
        ("class E(Exception):\n def __str__(self): raise E\ndef f(): raise E", "failed: "),
        ("from farm.errors import RunError\ndef f(): raise RunError('no disk')", "failed: no disk"),
    ],
)  # fmt: skip
def test_one_that_is_broken_is_named_with_its_package(site: Path, code: str, why: str) -> None:
    package(site, "broken", code, exporters="x=f")
    with pytest.raises(RunError) as caught:
        only().call()
    assert str(caught.value).startswith(f"the plugin x of broken 1.0 {why}")
    assert "broken" in caught.value.hint


def test_an_entry_point_that_names_nothing_is_named(site: Path) -> None:
    info = package(site, "odd", GOOD)
    (info / "entry_points.txt").write_text("[farm.exporters]\nx = 5 % of it\n")
    with pytest.raises(RunError, match=r"the plugin x of odd 1.0 cannot be loaded"):
        only().load()


def test_an_interruption_in_a_plugin_is_one(site: Path) -> None:
    package(site, "slow", "def f(): raise KeyboardInterrupt", exporters="x=f")
    with pytest.raises(KeyboardInterrupt):
        only().call()


def test_what_a_plugin_prints_is_no_result(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    package(site, "loud", "print('loading')\ndef f(): print('working'); return 1", exporters="x=f")
    with nothing_on_stdout():
        assert only().call() == 1
    assert capsys.readouterr() == ("", "loading\nworking\n")


def test_of_two_with_one_name_none_is_used_and_farms_own_names_stay_farms(site: Path) -> None:
    package(site, "one", GOOD, exporters="x=f junit=f")
    package(site, "two", GOOD, exporters="x=f")
    assert [one.problem for one in plugins(Group.EXPORTERS, ("junit",))] == [
        "is not used: farm itself has this name",
        "is not used: one and two have the same name",
        "is not used: one and two have the same name",
    ]
    with pytest.raises(
        RunError, match=r"the plugin x of two 1.0 is not used: one and two have the same name"
    ):
        plugins(Group.EXPORTERS)[2].call()


@pytest.mark.parametrize("name", ["[/red]", "a/b", "a\u202eb", "x" * 65])
def test_a_name_that_is_no_plain_word_is_not_used(site: Path, name: str) -> None:
    package(site, "odd", GOOD, exporters=f"{name}=f")
    with pytest.raises(RunError, match=r"odd 1.0 is not used: a name has letters, digits"):
        only().load()


def test_of_a_package_that_is_there_twice_the_one_that_python_finds_counts(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package(site, "twice", GOOD, version="1.0", exporters="x=f old=f")
    package(site, "twice", GOOD, version="1.1", exporters="x=f old=f")  # an update that was killed
    assert {one.name: one.problem for one in plugins(Group.EXPORTERS)} == {"old": None, "x": None}
    first = site / "first"
    first.mkdir()
    package(first, "twice", GOOD, version="2.0", exporters="x=f")
    monkeypatch.syspath_prepend(str(first))
    assert only().version == "2.0"


@pytest.mark.parametrize("damage", ["no-utf-8", "no-pair", "no-metadata", "folder"])
def test_half_a_package_costs_no_other(site: Path, damage: str) -> None:
    package(site, "whole", GOOD, exporters="x=f")
    info = package(site, "half", GOOD, exporters="y=f")
    if damage == "no-utf-8":
        (info / "entry_points.txt").write_bytes(b"[farm.exporters]\ny\xff = half:f\n")
    elif damage == "no-pair":
        (info / "entry_points.txt").write_text("[farm.exporters]\ny\n")
    elif damage == "no-metadata":
        (info / "METADATA").unlink()
    else:
        (info / "entry_points.txt").unlink()
        (info / "entry_points.txt").mkdir()
    assert "x of whole 1.0" in [one.label for one in plugins(Group.EXPORTERS)]


def test_who_needs_no_plugin_does_not_look_for_one() -> None:
    code = "import sys; from farm.cli.main import main\ntry: main()\nfinally: print('farm.plugins' in sys.modules)"
    for words in (["--version"], ["--help"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
        )
        assert done.stdout.endswith("False\n"), words
