"""Operators of a profile: their times and sizes, side by side, and below the ceilings of a device.

Times in ms, sizes in bytes, computation in operations. Names come from a device: untrusted text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Shapes = tuple[tuple[int, ...], ...]


def signature(kind: str, inputs: Shapes, outputs: Shapes) -> str:
    """What a log and a profile both tell of an operator: its type, its first two inputs and its first output.
    (A log also has the inputs that an operator could have and has not.)
    """
    return f"{kind} {inputs[:2]} {outputs[:1]}"


def rate(amount: int | None, time_ms: float) -> float | None:
    """Operations or bytes in a second, in units of 1e9, as profile_analyze has it. None without either."""
    return amount / time_ms / 1e6 if amount and time_ms else None


@dataclass(frozen=True, slots=True)
class Operator:
    """One operator of one profile.

    `device_ms` is its self time, the largest over its computing nodes, of which `kernel_ms` is computing and
    the rest waiting; `host_ms` is the time to launch it. Each is 0 where the file has no such time.
    `memory_bytes` (read and written) and `computation` are MegEngine's own estimates, None where it has none.
    `algorithm` is what MegEngine chose, where a log tells.
    """

    id: str
    name: str
    type: str
    device_ms: float
    kernel_ms: float = 0.0
    host_ms: float = 0.0
    memory_bytes: int | None = None
    computation: int | None = None
    input_shapes: Shapes = ()
    output_shapes: Shapes = ()
    algorithm: str | None = None

    @property
    def gflops(self) -> float | None:
        """GFLOP/s: computation by self time."""
        return rate(self.computation, self.device_ms)

    @property
    def gbps(self) -> float | None:
        """GB/s (1e9 bytes): memory traffic by self time."""
        return rate(self.memory_bytes, self.device_ms)


@dataclass(frozen=True, slots=True)
class Profile:
    """The operators that were computed, in the order of computation.

    `device_ms` and `host_ms` are sums over all operators, those that are `unlisted` (too many for the memory)
    included. `problems` say in words what of the file could not be used; empty for a file in order.
    """

    operators: tuple[Operator, ...]
    device_ms: float
    host_ms: float
    unlisted: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Operators taken together: all of a type, or all below a name. `key` is the type or the name."""

    key: str
    count: int
    device_ms: float
    host_ms: float
    share: float
    memory_bytes: int
    computation: int

    @property
    def gflops(self) -> float | None:
        return rate(self.computation, self.device_ms)

    @property
    def gbps(self) -> float | None:
        return rate(self.memory_bytes, self.device_ms)


@dataclass(frozen=True, slots=True)
class Timed:
    """An operator over the profiled rounds of one side: median, least and greatest self time, and of how many
    rounds. `operator` is it in the first round that has it.
    """

    operator: Operator
    median_ms: float
    low_ms: float
    high_ms: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Side:
    """The profiled rounds of one cell (or file). `end_to_end_ms` is the time of a whole inference that these
    operators are a part of, None where it is not known; `rounds` counts the profiles.
    """

    name: str
    operators: tuple[Timed, ...]
    rounds: int
    end_to_end_ms: float | None = None

    @property
    def operators_ms(self) -> float:
        """The sum of its operators' medians."""
        return sum(one.median_ms for one in self.operators)


class Matched(StrEnum):
    """How the operators of a row were found to be the same."""

    NAME = "name"
    SHAPES = "type and shapes"
    ORDER = "type and order"
    NONE = "unmatched"


@dataclass(frozen=True, slots=True)
class Row:
    """One operator on every side, in the order of the sides; None where a side has none like it.

    `matched` is the weakest way that was needed. `ratios` are to the first side that has it: None for that
    side, where there is none, and where the time is 0. `is_changed` says for each side whether its range is
    apart from that of the first side (farm.analysis.operators.rounds).
    """

    sides: tuple[Timed | None, ...]
    matched: Matched
    ratios: tuple[float | None, ...]
    is_changed: tuple[bool, ...]

    @property
    def base(self) -> Timed:
        """It on the first side that has it."""
        return next(one for one in self.sides if one is not None)

    def ratio_range(self, place: int) -> tuple[float, float] | None:
        """From which to which ratio to the first side its rounds go; None where there is none."""
        here, base = self.sides[place], self.base
        if here is None or here is base or not base.low_ms:
            return None
        return here.low_ms / base.high_ms, here.high_ms / base.low_ms

    @property
    def operator(self) -> Operator:
        """It on the first side that has it."""
        return self.base.operator


@dataclass(frozen=True, slots=True)
class Comparison:
    """Operators side by side: matched rows in the order of the first side, then those of each further side.

    `unmatched` are the operators of each side that are on no other.
    """

    sides: tuple[Side, ...]
    rows: tuple[Row, ...]
    unmatched: tuple[tuple[Timed, ...], ...]


class BarKind(StrEnum):
    OPERATOR = "operator"
    ONLY_BEFORE = "only before"
    ONLY_AFTER = "only after"
    OTHER = "other"
    UNATTRIBUTED = "unattributed"


@dataclass(frozen=True, slots=True)
class Bar:
    """What one operator (or the rest) adds to a difference, in ms: above 0 is slower.

    `is_changed`: the ranges of the rounds are apart; never for `other` and `unattributed`. `count` is how
    many operators are in it.
    """

    kind: BarKind
    name: str
    delta_ms: float
    before_ms: float
    after_ms: float
    is_changed: bool = False
    count: int = 1


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Where a difference comes from: `before_ms` + the sum of the bars = `after_ms`.

    Of whole inferences where both sides know theirs (then the last bar is `unattributed`), else of the sums
    of operators. `is_judged` is false with fewer than three rounds on a side: then no bar is marked.
    """

    before: str
    after: str
    before_ms: float
    after_ms: float
    bars: tuple[Bar, ...]
    is_end_to_end: bool
    is_judged: bool

    @property
    def delta_ms(self) -> float:
        return self.after_ms - self.before_ms


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device can do with one set of cores: GFLOP/s and GB/s (1e9 bytes), both above 0.

    `source` says where they come from: `inventory`, or `measured` by the bundled models; `cores` is the name
    of the core set (`CoreSet.name`). Measured ones are the best of `rounds_gflops` and `rounds_gbps`, which
    stand in the order of the rounds, of the run `from_run`; `disturbed` says who used the device meanwhile.
    """

    gflops: float
    gbps: float
    source: str = "inventory"
    device: str = ""
    cores: str = ""
    rounds_gflops: tuple[float, ...] = ()
    rounds_gbps: tuple[float, ...] = ()
    from_run: str | None = None
    disturbed: str | None = None


class Bound(StrEnum):
    COMPUTE = "compute"
    MEMORY = "memory"
    OVERHEAD = "overhead"
    """Far below both ceilings: neither explains its time."""
    UNKNOWN = "unknown"
    """No time, or neither computation nor traffic is known."""


@dataclass(frozen=True, slots=True)
class Position:
    """An operator on the roofline (Williams et al. 2009). `intensity` is operations per byte;
    `attainable_gflops` the roof above it; `of_ceiling` how near it comes to the roof that limits it
    (1.0 = on it), which may be above 1: the estimates of MegEngine count traffic that a cache may spare.
    """

    operator: Operator
    intensity: float | None
    gflops: float | None
    gbps: float | None
    attainable_gflops: float | None
    of_ceiling: float | None
    bound: Bound
