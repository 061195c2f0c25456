"""What the comparisons of a large run cost: wall and CPU seconds of each step, and the size of its report.

    .venv/bin/python benchmarks/comparing.py [--cells N]

Invented times (fixed seed): N duels of 10 pairs, of which every tenth has 100 fresh pairs, and the same run
again as a baseline of another night. The first step also imports SciPy.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from farm.compare.duels import comparisons
from farm.compare.runs import compare_runs
from farm.export.junit import junit
from farm.model.comparison import Change, Duel
from farm.model.run import CellResult, Results
from farm.report.compose import compose
from farm.report.render import render
from tests.unit.compare.made import duel, run

T = TypeVar("T")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=400)
    cells = parser.parse_args().cells
    made = _run(cells)
    done = replace(made, comparisons=timed(f"comparisons of {cells} duels", lambda: comparisons(made)))
    timed(
        f"two runs of {2 * cells} cells",
        lambda: compare_runs(replace(made, run_id="b"), made, made.comparing),
    )
    view = timed("view of the report", lambda: compose(done))
    html = timed("HTML of the report", lambda: render(view))
    timed("JUnit", lambda: junit(done))
    print(f"report: {len(html) / 1e6:.2f} MB, without comparisons {len(render(compose(made))) / 1e6:.2f} MB")


def _run(cells: int) -> Results:
    sides: list[CellResult] = []
    for number in range(cells):
        one = duel(
            1.06 if number % 50 == 0 else 1.0, confirm=0 if number % 10 else 100, spread=0.01, seed=number
        )
        sides += [
            replace(side, device=f"arm-{number % 20}", variant=f"v{number // 20}") for side in one.cells
        ]
    pairs = zip(sides[::2], sides[1::2], strict=True)
    return run(*sides, duels=tuple(Duel(old.id, new.id, Change.BUILD) for old, new in pairs))


def timed(what: str, step: Callable[[], T]) -> T:
    began_s, used_s = time.perf_counter(), time.process_time()
    result = step()
    print(f"{what}: {time.perf_counter() - began_s:.2f} s, CPU {time.process_time() - used_s:.2f} s")
    return result


if __name__ == "__main__":
    main()
