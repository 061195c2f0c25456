"""What is shown of tensors."""

from __future__ import annotations

from dataclasses import dataclass

from farm.report.views.common import Fact, Status


@dataclass(frozen=True)
class TensorRow:
    """A tensor of a cell that is not as the reference's. `mark` is what it has to do with the difference."""

    is_first: bool
    operator: str
    tensor: str
    mark: Status
    beyond: str
    largest: str
    relative: str
    snr: str
    cosine: str
    ulp: str
    not_finite: str


@dataclass(frozen=True)
class TensorsAgainst:
    """The tensors of a cell against those of a reference. `left` says what is not shown, `command` shows
    it.
    """

    against: str
    anchor: str | None
    sentence: str
    counts: tuple[Fact, ...]
    rows: tuple[TensorRow, ...]
    left: str | None
    unmatched: tuple[Fact, ...]
    findings: tuple[str, ...]
    command: str | None


@dataclass(frozen=True)
class TensorBox:
    """An operator in a cell: `snr` in dB as text; `shade` is 1 to 4, the noisier the more, 0 within the
    tolerance. `mark` is what it has to do with the difference.
    """

    mark: Status
    snr: str
    shade: int
    is_first: bool


@dataclass(frozen=True)
class OperatorAcross:
    operator: str
    boxes: tuple[TensorBox, ...]


@dataclass(frozen=True)
class TensorColumn:
    """A cell; `reference` is what it is compared with."""

    cell: str
    anchor: str | None
    reference: str


@dataclass(frozen=True)
class TensorTable:
    """Operators x cells of a model; `note` says what is left out, `command` shows all of those that have the
    first column's reference.
    """

    title: str
    columns: tuple[TensorColumn, ...]
    rows: tuple[OperatorAcross, ...]
    note: str | None
    command: str


@dataclass(frozen=True)
class Tensors:
    """Of the run. `problems` say why tensors were not compared, with how many cells that were."""

    summary: str
    tables: tuple[TensorTable, ...]
    left_out: int
    problems: tuple[Fact, ...]
