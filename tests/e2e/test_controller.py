"""What happens to this machine during a run: its process is killed, its disk is full, its caches cannot be written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farm.store.journal import read_journal
from tests.e2e.conftest import LOOKALIKE, Farm, Lab, Outcome, until
from tests.forked import Forks
from tests.servers import LoopbackFarm, known_hosts, sshd

pytestmark = pytest.mark.sshd

TINY = ("--model", "bundled:tiny", "--rounds", "3", "--iter", "10")
HUSH = "hush-hush-4711"


@pytest.fixture
def one(tmp_path: Path, forks: Forks) -> Iterator[Lab]:
    """A lab of one device, `one`."""
    with sshd(tmp_path / "devices" / "one") as server:
        yield Lab(
            tmp_path, LoopbackFarm({"one": server}, known_hosts(tmp_path / "known_hosts", server)), forks
        )


def journalled(run: Path) -> int:
    """How many rounds are on disk."""
    journal = run / "journal.jsonl"
    return sum(event.event == "round" for event in read_journal(journal).events) if journal.exists() else 0


def shown(farm: Farm, run: str) -> dict[str, Any]:
    outcome = farm("runs", "show", run, "--json")
    assert outcome.code == 0, outcome.stderr
    return outcome.results


def test_a_run_whose_controller_is_killed_gives_every_finished_round(one: Lab, tmp_path: Path) -> None:
    place = tmp_path / "meeting"
    place.mkdir()
    one.native(one={"env": {"LOOKALIKE": f"step:{place}"}})
    run = tmp_path / "runs" / "killed"
    process = one.farm.start("bench", "--run-id", "killed", *TINY)
    until(lambda: list(place.glob("here.*")), "the first round")
    (place / "go").touch()
    until(lambda: journalled(run), "a round on disk")
    going_on = shown(one.farm, "killed")
    os.kill(process.pid, signal.SIGKILL)  # its second round waits
    process.communicate()
    assert going_on["status"] == "running"
    rounds = journalled(run)
    assert rounds == 1

    results = shown(one.farm, "killed")
    (cell,) = results["cells"]
    assert len(cell["rounds"]) == rounds
    assert cell["summary"]["rounds"] == rounds
    assert all(len(round_["e2e_ms"]) == 10 for round_ in cell["rounds"])
    assert results["status"] == "interrupted"
    assert "killed" in results["losses"][0]
    rendered = one.farm("report", "killed")
    assert rendered.code == 0, rendered.stderr
    assert (run / "report.html").stat().st_mode & 0o777 == 0o600
    assert f"{cell['summary']['median_ms']:.2f}"[:3] in (run / "report.html").read_text()
    (place / "go").touch()  # for what the killed one left on the device
    one.servers.servers["one"].kill()


FULL = """
mount -t tmpfs -o size=$1 tmpfs runs || exit 99
shift
"$@"
code=$?
cp -a runs kept
umount -l runs
exit $code
"""


def on_a_small_disk(farm: Farm, size: str, *words: str) -> Outcome:
    """`farm` whose runs/ is a disk of this size; in a mount namespace, which ends with it."""
    (farm.folder / "runs").mkdir()
    program = (sys.executable, "-W", "error", "-m", "tests.blocking", *words)
    process = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", FULL, "full", size, *program],
        cwd=farm.folder,
        env=farm.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return farm.end(process)


def may_mount() -> bool:
    if shutil.which("unshare") is None:
        return False
    words = ("unshare", "-m", "sh", "-c", "mount -t tmpfs tmpfs /tmp")
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


needs_mount = pytest.mark.skipif(
    not may_mount(), reason="this user may not mount a small disk (unshare -m, mount)"
)


@needs_mount
def test_a_full_disk_of_this_machine_fails_cells_and_never_ends_in_a_traceback(one: Lab) -> None:
    one.native()
    variants = [word for number in range(8) for word in ("--variant", f"v{number}=--iter {10 + number}")]
    size = str(16 * os.sysconf("SC_PAGE_SIZE"))  # a few rounds: each has a file or two, a page each
    outcome = on_a_small_disk(one.farm, size, "bench", "--run-id", "full", *TINY, *variants)
    assert outcome.code == 3, outcome.stdout + outcome.stderr
    assert "Traceback" not in outcome.stderr
    said = " ".join(outcome.stderr.split())
    assert "this machine cannot keep results" in said
    assert "No space left on device" in said
    assert "report: not written" in said
    assert one.leftovers() == []
    # What fitted is there, and can be read elsewhere.
    results = shown(one.farm, str(one.folder / "kept" / "full"))
    assert any(cell["summary"] for cell in results["cells"])
    assert results["losses"]


UNTIDY = """#!/bin/sh
echo "token: $HUB_TOKEN" >&2
printf mine > stdout.txt
mkdir -p stderr.txt 'white  space' "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q"
: > stderr.txt/x
: > "$(printf 'caf\\351')"
: > 'white  space/ '
: > a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/deep
exec "$0.real" "$@"
"""


@pytest.fixture
def odd(one: Lab, tmp_path: Path) -> Lab:
    """Its program leaves odd files and tells a secret, its workdir is not UTF-8; no cache here can be written."""
    for name in ("programs", "products"):
        (tmp_path / "cache" / name).write_text("not a folder")
    workdir = tmp_path / os.fsdecode(b"caf\xe9")
    workdir.mkdir()
    (tmp_path / "link").symlink_to(workdir)
    program = tmp_path / "untidy"
    program.write_text(UNTIDY)
    program.chmod(0o755)
    shutil.copy(LOOKALIKE, tmp_path / "untidy.real")
    device = {"workdir": str(tmp_path / "link"), "env": {"HUB_TOKEN": HUSH, "OPENBLAS_NUM_THREADS": "1"}}
    one.write({"kind": "native", "program": str(program), "on_device": True}, one=device)
    return one


def test_odd_files_a_secret_and_caches_that_cannot_be_written_cost_no_cell(odd: Lab, tmp_path: Path) -> None:
    outcome = odd.farm("bench", "--run-id", "odd", *TINY, "--json")
    assert outcome.code == 0, outcome.stderr
    run = tmp_path / "runs" / "odd"
    (cell,) = outcome.results["cells"]
    assert (cell["status"], len(cell["rounds"])) == ("completed", 3)
    assert shown(odd.farm, "odd") == outcome.results

    assert "not kept in the cache" in outcome.stderr

    # Files: no name takes the place of a log, and what cannot be kept is a note.
    log = (run / next(one for one in cell["artifacts"] if one["role"] == "stderr")["path"]).read_text()
    assert "load model" in log
    assert len([one for one in cell["artifacts"] if one["role"] == "file"]) == 3 * 4
    assert any("more than 16 folders" in note for note in cell["notes"])
    assert rf"{tmp_path.name}/caf\xe9" in " ".join(cell["argv"])

    # The secret reached the device, and nothing here.
    assert "token: ***" in log
    assert HUSH not in outcome.stdout + outcome.stderr
    telling = [str(path) for path in run.rglob("*") if path.is_file() and HUSH.encode() in path.read_bytes()]
    assert telling == []
    assert "HUB_TOKEN=***" in cell["reproduce"].replace("'", "")
    assert "OPENBLAS_NUM_THREADS=1" in cell["reproduce"]
