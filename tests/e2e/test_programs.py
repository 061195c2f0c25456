"""Programs that a device cannot run, and those that lack a flag: the same command, the same answer."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import LOOKALIKE, ROOT, Lab, Outcome
from tests.elves import AARCH64, X86_64, elf, program
from tests.forked import Forks
from tests.servers import LoopbackFarm, known_hosts, sshd

pytestmark = pytest.mark.sshd

FOREIGN, TITLE = (AARCH64, "64-bit ARM") if platform.machine() == "x86_64" else (X86_64, "x86-64")
OTHER_BOARD = "aarch64" if platform.machine() == "x86_64" else "x86_64"


@pytest.fixture
def one(tmp_path: Path, forks: Forks) -> Iterator[Lab]:
    """A lab of one device, `one`, whose `uname` can be replaced."""
    tools = tmp_path / "tools"
    tools.mkdir()
    with sshd(tmp_path / "device", rc=f"PATH={tools}:$PATH; export FARM_KERNEL=/dev/null") as server:
        yield Lab(
            tmp_path, LoopbackFarm({"one": server}, known_hosts(tmp_path / "known_hosts", server)), forks
        )


def bench(lab: Lab, *words: str) -> Outcome:
    return lab.farm("bench", "--model", "bundled:tiny", "--rounds", "1", "--iter", "2", "--json", *words)


def native(lab: Lab, path: Path, **change: object) -> None:
    lab.write({"kind": "native", "program": str(path)} | change)


def store(lab: Lab) -> list[str]:
    """What farm keeps on the device beside its agent: files that were pushed, and jobs."""
    folder = lab.servers.servers["one"].home / ".cache" / "farm"
    kept = (path for name in ("cas", "incoming", "trees", "spool") for path in (folder / name).rglob("*"))
    return [str(path) for path in kept if path.is_file() or path.is_symlink()]


def failed(outcome: Outcome) -> dict[str, object]:
    """The one cell, which failed as the user's fault before anything was pushed or run: exit code 3."""
    assert outcome.code == 3, outcome.stderr
    (cell,) = outcome.results["cells"]
    assert (cell["status"], cell["stage"], cell["fault"]) == ("failed", "deploy", "user"), outcome.stderr
    assert cell["rounds"] == []
    assert cell["hint"]
    assert outcome.results["devices"][0]["pushed_files"] == 0
    return dict(cell)


@pytest.mark.parametrize("on_device", [False, True])
def test_a_program_of_another_architecture_is_refused_before_anything_is_pushed_or_run(
    one: Lab, tmp_path: Path, on_device: bool
) -> None:
    path = program(tmp_path / "load and\nrun\u202e", elf(FOREIGN))
    native(one, path, on_device=on_device)
    cell = failed(bench(one))
    assert cell["cause"] == "wrong-architecture"
    assert TITLE in str(cell["error"])
    assert platform.machine() in str(cell["error"])
    assert "farm devices check one" in str(cell["hint"])
    assert store(one) == []
    assert not list(tmp_path.rglob("ran-by-a-shell"))


def test_what_the_inventory_says_is_enough_to_refuse_a_program(one: Lab, tmp_path: Path) -> None:
    """The same mistake as above, and no device is touched: exit code 2, the first time and the second."""
    path = program(tmp_path / "load_and_run", elf(FOREIGN))
    one.write({"kind": "native", "program": str(path)}, one={"arch": platform.machine()})
    one.servers.servers["one"].kill()
    for _ in range(2):
        outcome = bench(one)
        assert outcome.code == 2, outcome.stderr
        assert TITLE in outcome.stderr
        assert "lab.yaml:" in outcome.stderr
    assert not (tmp_path / "runs").exists()


def test_a_program_whose_loader_is_missing_is_told_by_the_loaders_name(one: Lab, tmp_path: Path) -> None:
    ours = {"x86_64": X86_64, "aarch64": AARCH64}[platform.machine()]
    path = program(tmp_path / "p", elf(ours, interpreter="/lib/ld-none.so.9"))
    native(one, path)
    cell = failed(bench(one))
    assert cell["cause"] == "loader-missing"
    assert "/lib/ld-none.so.9" in str(cell["error"])
    assert "-static" in str(cell["hint"])
    assert store(one) == []


def test_a_program_on_the_device_that_was_cut_short_is_refused(one: Lab, tmp_path: Path) -> None:
    ours = {"x86_64": X86_64, "aarch64": AARCH64}[platform.machine()]
    native(one, program(tmp_path / "p", elf(ours)[:-30]), on_device=True)
    assert failed(bench(one))["cause"] == "program-damaged"


def test_a_script_is_run_and_named_as_such(one: Lab, tmp_path: Path) -> None:
    script = program(tmp_path / "wrapper", f'#!/bin/sh\nexec "{LOOKALIKE}" "$@"\n'.encode())
    native(one, script)
    outcome = bench(one)
    assert outcome.code == 0, outcome.stderr
    (cell,) = outcome.results["cells"]
    assert any("is a script (#!/bin/sh)" in note for note in cell["notes"])


def test_a_script_that_starts_a_program_of_another_architecture_fails_with_that_cause(
    one: Lab, tmp_path: Path
) -> None:
    """As on the device itself: its shell says so, in its own words."""
    path = program(tmp_path / "real", elf(FOREIGN))
    native(one, program(tmp_path / "wrapper", f'#!/bin/sh\nexec "{path}" "$@"\n'.encode()))
    outcome = bench(one)
    assert outcome.code == 3
    assert [cell["cause"] for cell in outcome.results["cells"]] == ["wrong-architecture"], outcome.stderr


def test_the_default_runtime_on_a_board_says_at_once_what_to_do(one: Lab, tmp_path: Path) -> None:
    """Nothing is downloaded, nothing pushed, and no Python asked for."""
    uname = "case $1 in -m) echo aarch64 ;; *) echo Linux board 6.1 aarch64 ;; esac"
    program(tmp_path / "tools" / "uname", f"#!/bin/sh\n{uname}\n".encode())
    (tmp_path / "cache" / "runtimes").unlink()  # as on a new machine
    one.farm.environment |= dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), "http://127.0.0.1:9/")
    one.write({"kind": "wheel"})
    cell = failed(bench(one))
    assert cell["cause"] == "architecture"
    assert "x86-64" in str(cell["error"])
    assert "aarch64" in str(cell["error"])
    assert "runtime: {kind: native, program: " in str(cell["hint"])
    assert "ython" not in f"{cell['error']} {cell['hint']}"
    assert not (tmp_path / "cache" / "runtimes").exists()
    assert store(one) == []


def lacking(lab: Lab, *flags: str) -> None:
    """The device's program replays a run, and has not these flags."""
    folder = lab.folder / "transcripts"
    folder.mkdir()
    data = ROOT / "tests" / "data" / "transcripts"
    (folder / "dup_iter.json").write_bytes((data / "dup_iter.json").read_bytes())
    said = json.loads((data / "help.json").read_text("utf-8"))
    lines = said["stdout"].splitlines(keepends=True)
    without = tuple(f"    -{flag} (" for flag in flags)
    (folder / "help.json").write_text(
        json.dumps(said | {"stdout": "".join(line for line in lines if not line.startswith(without))})
    )
    replay = {"kind": "native", "program": str(ROOT / "tests" / "lookalike" / "replay.py")}
    lab.write(replay, one={"env": {"REPLAY": str(folder)}})


@pytest.mark.parametrize(("variants", "code"), [(("profiled",), 4), (("plain", "profiled"), 0)])
def test_a_flag_that_the_program_lacks_skips_its_cells_whatever_is_cached(
    one: Lab, tmp_path: Path, variants: tuple[str, ...], code: int
) -> None:
    lacking(one, "profile")
    options = {"plain": "", "profiled": "--profile p.json"}
    words = [word for name in variants for word in ("--variant", f"{name}={options[name]}")]
    answers = []
    for _ in range(2):
        outcome = bench(one, *words)
        assert outcome.code == code, outcome.stderr
        cells = {cell["variant"]: cell for cell in outcome.results["cells"]}
        assert "MGB_ENABLE_JSON" in cells["profiled"]["reason"]
        answers.append({name: (cell["status"], cell["reason"]) for name, cell in cells.items()})
        (known,) = (tmp_path / "cache" / "programs").iterdir()  # so the second time nobody asks for them
        # The digest that its flags are kept by belongs to every number, too.
        assert [device["runtime_digest"] for device in outcome.results["devices"]] == [known.stem]
    assert answers[0] == answers[1]
    assert answers[0]["profiled"][0] == "skipped"
