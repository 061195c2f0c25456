"""Every tensor of a model, compared with a reference: pairs, classes, the first operator that diverges."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from farm.model.outputs import Divergence, TensorDifference


class Matched(StrEnum):
    """How a tensor was found on the other side; the first that fits."""

    ID = "id"
    """The same id in the graph, the same name and the same type of operator."""
    NAME = "name"
    """The same name, which is the only such name on both sides."""
    READER = "reader"
    """A weight or constant that is read between the same two tensors, the only one of its dtype whose shape
    is the same, or may be the same in a blocked layout.
    """
    PLACE = "place"
    """The same type of operator, shape and dtype: the first with the first, the second with the second."""


@dataclass(frozen=True)
class DumpedTensor:
    """A tensor of one side. `variable` is its id in the graph (None: the dump does not have it), `operator`
    and `operator_type` are what made it, `inputs` the ids of what that read. `file` is for people. `reason`
    says of one without a partner why, and is empty for others.
    """

    variable: int | None
    name: str
    operator: str
    operator_type: str
    dtype: str
    shape: tuple[int, ...]
    inputs: tuple[int, ...] = ()
    size_bytes: int = 0
    file: str = ""
    reason: str = ""


@dataclass(frozen=True)
class TensorPair:
    """A tensor of both sides. `order` is its place in the candidate's graph, inputs before what reads them.
    `divergence` is None where the two could not be compared by value (`difference.problem` says why).
    `layouts` says how the two are stored (`NCHWc8`, `NCHW`) where that is not in one way: then the shape and
    the place of the largest difference are those of the plain layout.
    """

    candidate: DumpedTensor
    reference: DumpedTensor
    matched: Matched
    order: int
    difference: TensorDifference
    divergence: Divergence | None = None
    layouts: tuple[str, str] | None = None

    @property
    def is_beyond(self) -> bool:
        return self.difference.problem is None and self.difference.mismatches > 0


@dataclass(frozen=True)
class SnrDrop:
    """The operator at which the ratio of signal to noise falls most: from the worst of what it read to what
    it made, in dB. Noise that rises slowly has no first operator, but it has this.
    """

    operator: str
    operator_type: str
    tensor: str
    before_db: float
    after_db: float


@dataclass(frozen=True)
class Side:
    """A candidate against the reference. `pairs` are in the order of the graph. `first` is the place in
    `pairs` of the first operator that diverges: the earliest `introduced`, where something was read for it
    before weights and inputs that differ themselves. `findings` say what was odd: files that cannot be read,
    a dump of another model.
    """

    label: str
    pairs: tuple[TensorPair, ...]
    only_candidate: tuple[DumpedTensor, ...] = ()
    only_reference: tuple[DumpedTensor, ...] = ()
    findings: tuple[str, ...] = ()
    first: int | None = None
    drop: SnrDrop | None = None

    @property
    def first_diverging(self) -> TensorPair | None:
        return None if self.first is None else self.pairs[self.first]

    @property
    def beyond(self) -> int:
        return sum(one.is_beyond for one in self.pairs)

    @property
    def compared(self) -> int:
        return sum(one.difference.problem is None for one in self.pairs)


@dataclass(frozen=True)
class DumpComparison:
    """Several dumps against one; `findings` are the reference's own."""

    reference: str
    sides: tuple[Side, ...]
    findings: tuple[str, ...] = ()
