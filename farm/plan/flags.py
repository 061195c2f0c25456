"""Which cells a native program can run, by the flags that it has. Pure.

What a load_and_run has depends on how it was built: `--cuda`, `--tensorrt`, `--profile` and others are
unknown flags in builds without them. Its `--help` lists what it has; farm.run.programs runs it. Only then it
counts, known from an earlier run or not: the same command gives the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from farm.model.matrix import CHECKS, Cell
from farm.options import option, unknown_to


def unknown_flags(cell: Cell, flags: frozenset[str]) -> tuple[str, ...]:
    """The options that the cell would send and a program of these flags does not have. A check round that
    cannot be run costs its cell nothing.
    """
    rounds = (one.options for one in cell.rounds if one.kind not in CHECKS)
    sent = (*(one.options for one in cell.preparations), *rounds)
    return tuple(dict.fromkeys(name for options in sent for name in unknown_to(options, flags)))


def why_skipped(names: Sequence[str]) -> str:
    """The reason of a cell with these options."""
    listed = ", ".join(f"--{name}" for name in names)
    builds = dict.fromkeys(build for name in names if (build := option(name).needs.build))
    needs = f" (it needs {', '.join(builds)})" if builds else ""
    return f"the program has no {listed}: use a build that has it{needs}, or the wheel runtime"
