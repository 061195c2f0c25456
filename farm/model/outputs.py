"""Outputs before times: what a model computed, compared with what it should have."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ANY_DTYPE = "*"


class Check(StrEnum):
    """What of a model is checked, in rounds of their own before the timed ones."""

    OFF = "off"
    OUTPUTS = "outputs"
    ALL = "all"
    """Every tensor, too, in rounds of their own: to name the first operator that diverges."""


class Against(StrEnum):
    """What the outputs of a cell are compared with."""

    ITSELF = "itself"
    """Another run of the same cell: finds models that give other outputs each time."""
    GOLDEN = "golden"
    BASELINE = "baseline"
    """The baseline side of a duel, or the same cell of another run, on the same device."""
    VARIANT = "variant"
    """The first variant of the same model, build and device."""
    DEVICE = "device"
    """The first device with the same model, variant and build."""


class OutputVerdict(StrEnum):
    EQUAL = "equal"
    """Bit for bit; NaN is equal to NaN."""
    WITHIN = "within"
    """Within the tolerances."""
    FINDING = "finding"
    """Beyond the tolerances where a difference is normal, so that it is told and not a failure."""
    WRONG = "wrong"
    """Beyond the tolerances where they are a promise: the cell has failed, its times do not count."""
    NOT_COMPARABLE = "not-comparable"
    """There is nothing to compare: no outputs, other inputs, a model that differs from itself."""


@dataclass(frozen=True)
class Tolerance:
    """A value `c` agrees with `r` when |c - r| <= atol * s + rtol * |r|; `dtype` `*` is every type.

    `s` is 1 for integers; for floating point it is the largest |r| of the tensor where that is above 1: a
    small value among large ones is a sum of these that cancel, and has their errors.
    """

    dtype: str
    rtol: float
    atol: float


@dataclass(frozen=True)
class Checking:
    """How outputs are checked; written into the results.

    `tolerances` are those that the user stated: beyond them a difference is a failure between variants and
    devices, too. All others are by dtype (farm.analysis.tolerances). `seed` is that of the inputs that
    nobody gave.
    """

    check: Check = Check.OFF
    tolerances: tuple[Tolerance, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class TensorDifference:
    """One output of both sides. Numbers are over the pairs of finite values; None where there is no such
    number (no finite pair; no difference, so that the ratio of signal to noise is infinite).

    `mismatches` are values beyond the tolerance (whose `atol` is the scaled one here), or finite on one side
    only. `max_abs` is at index `at`, `max_rel` relative to the reference's value. `snr_db` is 10 log10(sum
    r^2 / sum (c - r)^2). `nans` and `infs` count the candidate's; `top1` and `top5` are the fractions of rows
    whose largest value is the same, and among the reference's five largest (of outputs with a row of classes
    only). `max_ulp` is the largest number of floating-point values between the two, of one type, of one
    sign, neither of them subnormal. `scale` is that of a quantised type: then the numbers are of real values,
    else of the stored integers. `is_zero`: every value of both sides is. `problem` says why these
    two cannot be compared by value; the numbers mean nothing then.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    reference_dtype: str
    reference_shape: tuple[int, ...]
    tolerance: Tolerance
    elements: int = 0
    mismatches: int = 0
    max_abs: float | None = None
    at: tuple[int, ...] | None = None
    max_rel: float | None = None
    snr_db: float | None = None
    cosine: float | None = None
    nans: int = 0
    infs: int = 0
    reference_nans: int = 0
    reference_infs: int = 0
    top1: float | None = None
    top5: float | None = None
    is_zero: bool = False
    problem: str | None = None
    max_ulp: int | None = None
    scale: float | None = None


@dataclass(frozen=True)
class Compared:
    """The outcome of comparing the outputs of two sides; `sentence` has no names of these, `tensors` are the
    worst ones, worst first.
    """

    verdict: OutputVerdict
    sentence: str
    tensors: tuple[TensorDifference, ...] = ()


class Divergence(StrEnum):
    """What a tensor that could be compared has to do with a difference beyond the tolerance."""

    AGREES = "agrees"
    INTRODUCED = "introduced"
    """It is beyond, and all that its operator read is not: the operator computes something else. Weights and
    inputs of the model are of this class, too: nothing was read for them.
    """
    INHERITED = "inherited"
    """It is beyond, and so is something that its operator read."""
    RECOVERED = "recovered"
    """It is not beyond, although something that its operator read is."""


@dataclass(frozen=True)
class TensorNote:
    """A tensor that is not the same, bit for bit, in two cells. `place` is its place in the candidate's
    graph, `reference` the reference's operator where that has another name. `divergence` is None where the
    two could not be compared (`problem` says why), `snr_db` where there is no such number. `difference` has
    all numbers: of the worst tensors only.
    """

    place: int
    tensor: str
    operator: str
    operator_type: str
    reference: str = ""
    divergence: Divergence | None = None
    elements: int = 0
    mismatches: int = 0
    snr_db: float | None = None
    problem: str | None = None
    difference: TensorDifference | None = None


@dataclass(frozen=True)
class EveryTensor:
    """What came of comparing every tensor of two cells. `compared` tensors had a partner of their shape and
    type, `beyond` of these are beyond the tolerance, `unmatched` have no partner. `operator` and
    `operator_type` are the first one that diverges (None: none does). `problem`: why nothing was compared.

    `tensors` are those that tell most, in the order of the graph; `first` is the place among them of the
    first one that diverges, `left_out` how many more are not the same. `only_candidate` and `only_reference`
    name the first ones without a partner.
    """

    compared: int = 0
    beyond: int = 0
    unmatched: int = 0
    operator: str | None = None
    operator_type: str | None = None
    sentence: str = ""
    findings: tuple[str, ...] = ()
    problem: str | None = None
    introduced: int = 0
    inherited: int = 0
    recovered: int = 0
    tensors: tuple[TensorNote, ...] = ()
    first: int | None = None
    left_out: int = 0
    only_candidate: tuple[str, ...] = ()
    only_reference: tuple[str, ...] = ()

    @property
    def names_all_unmatched(self) -> bool:
        return len(self.only_candidate) + len(self.only_reference) == self.unmatched


@dataclass(frozen=True)
class OutputCheck:
    """The outputs of a cell against something. `cell` and, for `variant`, `device` and `baseline`,
    `reference` are ids of cells; for `golden` it is the name of its file, for `itself` empty.
    `baseline_run` is None where both sides are of one run, `every` without `--check all`. `tensors` are the
    worst ones, worst first; `sentence` says it in plain words.
    """

    device: str
    cell: str
    against: Against
    reference: str
    verdict: OutputVerdict
    sentence: str
    tensors: tuple[TensorDifference, ...] = ()
    baseline_run: str | None = None
    every: EveryTensor | None = None

    @property
    def worst(self) -> TensorDifference | None:
        return next(iter(self.tensors), None)

    @property
    def snr_db(self) -> float | None:
        return self.worst.snr_db if self.worst else None

    @property
    def max_abs(self) -> float | None:
        return self.worst.max_abs if self.worst else None

    @property
    def max_rel(self) -> float | None:
        return self.worst.max_rel if self.worst else None


@dataclass(frozen=True)
class CheckInput:
    """An input of a model in its check rounds. `seed` is None for data that the user gave."""

    tensor: str
    sha256: str
    seed: int | None = None
