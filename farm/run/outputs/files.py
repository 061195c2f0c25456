"""The files of outputs: what the check rounds of a cell left in the run directory, and golden files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from farm.dumps.tensor_names import out_file_key
from farm.model.artifact import Produced
from farm.model.matrix import Golden, RoundKind
from farm.model.run import RoundResult, RoundStatus
from farm.options import CHECK_RUNS, OUTPUT_DUMP

SMALL_BYTES = 8 << 20
"""Of both sides: read into memory, in a thread. What is larger is memory maps, in a process of its own: a
file that is cut off meanwhile ends it.
"""

MOST_OUTPUTS = 1000

NO_ROUND = "it has no outputs: there was no check round, or it wrote none"


@dataclass(frozen=True)
class OutputFile:
    """One output: a dumped tensor, or, with a `name`, a golden .npy of this digest. `shown` is for people."""

    path: Path
    shown: str
    size_bytes: int
    name: str | None = None
    sha256: str | None = None


Run = tuple[OutputFile, ...]
"""The outputs of one inference, in the order of their ids in the graph."""


@dataclass(frozen=True)
class Outputs:
    """The outputs of a cell, of each run of the model in its check rounds; `problem` says why of none."""

    runs: tuple[Run, ...] = ()
    problem: str | None = None


def outputs_of(rounds: Sequence[RoundResult], run_folder: Path) -> Outputs:
    """What the check rounds among these left."""
    checks = [one for one in rounds if one.kind is RoundKind.CHECK]
    failed = next((one for one in checks if one.status is RoundStatus.FAILED), None)
    if failed is not None:
        return Outputs(problem=f"its check round failed: {failed.error}")
    runs = tuple(run for one in checks for run in _runs(one.artifacts, run_folder))
    if any(len(run) > MOST_OUTPUTS for run in runs):
        return Outputs(problem=f"it has more than {MOST_OUTPUTS} outputs")
    return Outputs(runs) if runs else Outputs(problem=NO_ROUND)


def _runs(artifacts: Sequence[Produced], run_folder: Path) -> list[Run]:
    found: dict[int, dict[int, OutputFile]] = {}
    for one in artifacts:
        key = out_file_key(one.path.rpartition("/")[2]) if one.role == OUTPUT_DUMP else None
        if key is not None:
            run, variable = key
            if run >= CHECK_RUNS:
                continue
            file = OutputFile(run_folder / one.path, one.path, one.size_bytes)
            found.setdefault(run, {})[variable] = file
    return [tuple(by_id[key] for key in sorted(by_id)) for _, by_id in sorted(found.items())]


def are_small(files: Sequence[OutputFile]) -> bool:
    """Whether these are read into memory."""
    return sum(file.size_bytes for file in files) <= SMALL_BYTES


def golden_run(golden: Golden) -> Run:
    """A golden file as the outputs of one run."""
    return tuple(
        OutputFile(file.path, f"{golden.name} {name}".rstrip(), file.size_bytes, name, file.sha256)
        for name, file in golden.files
    )
