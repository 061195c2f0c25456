"""What is shown of outputs."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.views.common import Count, Status


@dataclass(frozen=True)
class OutputTensor:
    """One output of a check that is not as it should be."""

    name: str
    type: str
    reference: str
    snr: str
    text: str


@dataclass(frozen=True)
class OutputRow:
    """The outputs of a cell against something; numbers are of the worst output. `anchor` is that of the
    cell's detail.
    """

    verdict: Status
    cell: str
    anchor: str | None
    against: str
    snr: str
    largest: str
    beyond: str
    sentence: str
    tensors: tuple[OutputTensor, ...]


@dataclass(frozen=True)
class Outputs:
    """Outputs before times: `left_out` rows are in results.json only. `tolerances` are those stated."""

    counts: tuple[Count, ...]
    rows: tuple[OutputRow, ...]
    left_out: int
    tolerances: str
