"""A run of farm on a board whose power is cut, and what it must leave: for the test and the benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.arm import programs
from tests.arm.board import Board

ROOT = Path(__file__).parents[2]
VARIANTS = ("plain=", "nchw44=--enable-nchw44", "two=--multithread 2")
OFF_S = 10.0
SAID = "said.txt"
"""In the folder: what farm printed while it ran."""
RUN_LIMIT_S = 1800.0

# Lines `lease TEXT`, `damaged PATH` and `left PATH` for what farm has on the board.
LOOK = r"""
cd ~/.cache/farm || exit 0
boot=$(cat /proc/sys/kernel/random/boot_id)
for lease in lease/1*; do :; done
case $(readlink "$lease") in held:*:"$boot":*) echo "lease $(readlink "$lease")" ;; esac
check() { sum=$(sha256sum <"$1"); [ "${sum%% *}" = "$2" ] || echo "damaged $1"; }
for file in cas/*/*; do check "$file" "${file##*/}"; done
for file in agents/*.sh; do name=${file##*/}; check "$file" "${name%.sh}"; done
for link in trees/*/* trees/*/*/*; do [ ! -h "$link" ] || [ -e "$link" ] || echo "damaged $link"; done
for left in spool/*; do [ ! -e "$left" ] || echo "left $left"; done
"""


@dataclass(frozen=True)
class Cut:
    """Seconds since the start of the run: when the power went, and when the board answered again."""

    at_s: float
    back_s: float


@dataclass(frozen=True)
class Outcome:
    """`on_board` is what LOOK printed after the run."""

    code: int
    said: str
    results: dict[str, Any]
    cuts: tuple[Cut, ...]
    on_board: tuple[str, ...]
    wall_s: float

    def failures(self, rounds: int) -> dict[str, list[str]]:
        """What is wrong, by the part of the promise that it breaks; each part may be empty."""
        cells = {f"{one['device']}/{one['model']}/{one['variant']}": one for one in self.results["cells"]}
        restarts = [one for device in self.results["devices"] for one in device["restarts"]]
        whole = {"completed": rounds}
        return {
            "each cell has its rounds": [
                f"{name}: {cell['status']}, {len(cell['rounds'])} rounds: {cell['error']}"
                for name, cell in cells.items()
                if {cell["status"]: len(cell["rounds"])} != whole
            ],
            "broken rounds are repeated and named": [
                f"{one['during']} of {one['cell']} has no note"
                for one in restarts
                if one["cell"] and not _is_named(cells[one["cell"]], one["during"])
            ],
            "no lease is left": [line for line in self.on_board if line.startswith("lease ")],
            "no file of farm's own is damaged": [
                line for line in self.on_board if line.startswith(("damaged ", "left "))
            ],
            "the exit code is 0": [] if self.code == 0 else [f"{self.code}: {self.said[-2000:]}"],
        }


def _is_named(cell: dict[str, Any], during: str) -> bool:
    return any(note.startswith(f"{during} was repeated: the device was restarted") for note in cell["notes"])


Cutter = Callable[[Path, Callable[[], bool]], bool]
"""Waits for the moment of the next cut; gets the folder, and whether the run has ended. False: no more cuts."""


def bench(board: Board, folder: Path, run_id: str, words: Sequence[str], cutter: Cutter) -> Outcome:
    """`farm bench` on a board that runs. It runs at the end, too."""
    began = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "FARM_CACHE_DIR": str(folder / "cache")}
    with (folder / SAID).open("wb") as said:
        process = subprocess.Popen(
            _command(board, folder, run_id, words),
            cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, env=environment,
        )  # fmt: skip
    cuts: list[Cut] = []
    try:
        while cutter(folder, lambda: process.poll() is not None):
            at_s = time.monotonic() - began
            board.power_cut()
            time.sleep(OFF_S)
            board.start()
            cuts.append(Cut(round(at_s, 1), round(time.monotonic() - began, 1)))
        process.wait(RUN_LIMIT_S)
    finally:
        process.kill()
        process.wait()
    wall_s = time.monotonic() - began
    results = json.loads((folder / "runs" / run_id / "results.json").read_text("utf-8"))
    look = tuple(board.run(LOOK).splitlines())
    text = (folder / SAID).read_text("utf-8")
    return Outcome(process.returncode, text, results, tuple(cuts), look, round(wall_s, 1))


def _command(board: Board, folder: Path, run_id: str, words: Sequence[str]) -> list[str]:
    entry = board.inventory_entry() | {"runtime": {"kind": "native", "program": str(programs.arm64().static)}}
    inventory = folder / "inventory"
    inventory.mkdir(exist_ok=True)
    (inventory / "known_hosts").write_text(board.known_hosts_line + "\n")
    (inventory / "lab.yaml").write_text(json.dumps({"devices": {board.spec.name: entry}}))
    variants = (word for text in VARIANTS for word in ("--variant", text))
    return [
        sys.executable, "-m", "farm", "bench", "--inventory", str(inventory / "lab.yaml"), "--model", "bundled:tiny",
        *variants, "--reconnect", "120", "--run-id", run_id, *words,
    ]  # fmt: skip
