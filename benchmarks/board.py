"""What farm costs an ARM board under qemu: connecting, starting the agent, probing, a round.

    .venv/bin/python benchmarks/board.py [--agent PATH] [--flavour debian] [--cpu NAME --cores N] [--times N]

Without options the small board: one Cortex-A53, busybox and dropbear. Each figure is the median of N, as
wall time and as CPU time of qemu, which a busy machine disturbs less. A round's overhead is all from the
request to start it to the end of its clean-up, less the program's time by hand, a login taken off.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.agent.shells import Talk, agent_file
from tests.arm import programs
from tests.arm.board import SMALL, Board, Spec, running
from tests.arm.phones import BoardPhone, There

TICKS_PER_S = 100
PROGRAM, MODEL = "/root/load_and_run", "/root/load_and_run"
ARGV = (PROGRAM, MODEL, "--iter=10")


def main() -> None:
    given = _arguments()
    spec = Spec(flavour=given.flavour, cpu=given.cpu, cores=given.cores, memory_mib=SMALL.memory_mib)
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.monotonic()
        with running(spec, Path(folder) / "board") as board:
            print(
                f"{spec.cpu}, {spec.cores} cores, {spec.flavour}; {given.times} times: wall s, CPU s of qemu"
            )
            print(f"{'boot, until it answers':34}{time.monotonic() - began_s:8.2f}{_cpu_s(board):8.2f}")
            _measure(board, given.agent, given.times)


def _measure(board: Board, agent: Path, times: int) -> None:
    board.run(f"cat >{PROGRAM} && chmod +x {PROGRAM}", programs.arm64().static.read_bytes())
    folder: Any = There(board, "/root/bench")
    phone = BoardPhone(folder, "", "ash", agent, board=board)
    _show(board, "connect (ssh true)", times, lambda: board.run("true"))
    _show(board, "connect and start the agent", times, lambda: phone.talk().leave())
    talk = phone.talk()
    _show(board, "probe", times, lambda: talk.data("probe"))
    epoch = int(talk("lease", "benchmark", 600)[0])
    by_hand = _show(board, "a round by hand", times, lambda: board.run(f"{' '.join(ARGV)} 2>/dev/null"))
    login = _show(board, "  of which login", times, lambda: board.run("true"))
    under_farm = _show(board, "a round of farm", times, lambda: _round(talk, epoch))
    overhead = [farm - (hand - empty) for farm, hand, empty in zip(under_farm, by_hand, login, strict=True)]
    print(f"{'overhead of a round':34}{overhead[0]:8.2f}{overhead[1]:8.2f}")
    talk("release", epoch)
    talk.leave()


def _round(talk: Talk, epoch: int) -> None:
    job = f"j{talk.number}"
    talk.start(epoch, job, *ARGV)
    talk("wait", job)
    talk.data("gather", job, 1 << 20)
    talk("drop", job)


def _show(board: Board, name: str, times: int, act: Callable[[], object]) -> tuple[float, float]:
    """Medians in seconds: wall time, CPU time of qemu."""
    figures = []
    for _ in range(times):
        cpu_s, wall_s = _cpu_s(board), time.monotonic()
        act()
        figures.append((time.monotonic() - wall_s, _cpu_s(board) - cpu_s))
    wall_s, cpu_s = (statistics.median(figure) for figure in zip(*figures, strict=True))
    print(f"{name:34}{wall_s:8.2f}{cpu_s:8.2f}", flush=True)
    return wall_s, cpu_s


def _cpu_s(board: Board) -> float:
    """User and system time of qemu."""
    fields = Path(f"/proc/{board.process.pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--agent", type=Path, default=agent_file())
    parser.add_argument("--flavour", choices=("busybox", "debian"), default="busybox")
    parser.add_argument("--cpu", default=SMALL.cpu)
    parser.add_argument("--cores", type=int, default=SMALL.cores)
    parser.add_argument("--times", type=int, default=7)
    return parser.parse_args()


if __name__ == "__main__":
    main()
