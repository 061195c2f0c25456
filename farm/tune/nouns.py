"""What a search for the fastest options is made of; also the form of its tune.json."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from farm.model.comparison import Verdict
from farm.model.options import Value

DEFAULT = "default"
"""The candidate that all others are compared with: the options that were given, and nothing more."""
FITTING = "fitting"
"""The candidate with the options that `--fitting` finds."""


@dataclass(frozen=True)
class Candidate:
    """An option set that is tried. `options` are complete, those that were given included; `values` are what
    it has of each axis (`threads=2`, `layout=default`). One that `is_whole` was made as a whole: a recipe, or
    what `--fitting` finds.
    """

    name: str
    options: dict[str, Value]
    values: tuple[str, ...] = ()
    is_whole: bool = False

    @property
    def is_single(self) -> bool:
        """Whether one value alone is another than that of the default."""
        return len(own_values(self.values)) == 1


def own_values(values: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are other than the default's."""
    return tuple(one for one in values if not one.endswith(f"={DEFAULT}"))


@dataclass(frozen=True)
class Outcome:
    """What came of a candidate in a step. `ratio` is its time over that of the default in the same blocks
    (above 1 is slower), with its 95 % interval where the pairs are enough for one; `pairs` says how many.

    `median_ms` is that of its rounds, `min_ms` its fastest iteration. `dropped` says why it cannot be the
    answer. `memory_bytes` is what it is planned to use; `round_s` how
    long a round of it takes, all around it included, `prepared_s` its searches.
    """

    name: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    median_ms: float | None = None
    min_ms: float | None = None
    dropped: str | None = None
    memory_bytes: int | None = None
    round_s: float | None = None
    prepared_s: float = 0.0


class Kind(StrEnum):
    """Of a step."""

    VALUES = "values"
    """The default, and each value alone: which of them work here, and how long a round takes."""
    RUNG = "rung"
    """Of successive halving: the best part goes on, with more rounds."""


@dataclass(frozen=True)
class Step:
    """A run of the search. It is kept before it is measured, so that what is resumed goes on as planned.

    `candidates` are names, the default first; `rounds` of each, as far as `budget_s` goes. `outcomes` is
    empty, and `run` (its id) None, until it was measured, which took `took_s`.
    """

    kind: Kind
    name: str
    candidates: tuple[str, ...]
    rounds: int
    budget_s: float
    run: str | None = None
    outcomes: tuple[Outcome, ...] = ()
    took_s: float = 0.0

    @property
    def is_measured(self) -> bool:
        return self.run is not None


@dataclass(frozen=True)
class Confirmation:
    """The best candidate against the default, on fresh rounds: the verdict of an ordinary comparison.

    `candidate` None: no one was left to be confirmed, for the `sentence`'s reason.
    """

    candidate: str | None
    sentence: str
    run: str | None = None
    verdict: Verdict | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    pairs: int = 0
    default_ms: float | None = None
    candidate_ms: float | None = None
    took_s: float = 0.0

    @property
    def is_won(self) -> bool:
        return self.verdict is Verdict.FASTER

    @property
    def is_decided(self) -> bool:
        return self.candidate is None or self.verdict in (Verdict.FASTER, Verdict.SLOWER, Verdict.UNCHANGED)


@dataclass(frozen=True)
class Asked:
    """What the search was asked for, as it was typed; None: not given. A search is resumed with the same."""

    inventory: str | None = None
    devices: str | None = None
    model: str | None = None
    input: str | None = None
    build: str | None = None
    builds: str | None = None
    budget: str | None = None
    memory_limit: str | None = None
    space: tuple[str, ...] = ()
    seed: int | None = None
    check: str | None = None
    golden: str | None = None
    tolerance: tuple[str, ...] = ()
    minimum_effect: str | None = None
    options: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True)
class LeftOut:
    """A value whose combinations are not tried, and why; of `combinations` of them."""

    value: str
    why: str
    combinations: int


@dataclass(frozen=True)
class Tune:
    """A search. `device` and `model` are names, `model_sha256` that of the model's bytes; `about` describes
    the device and its runtime in words. `axes` are what is combined, `invalid` how many combinations the
    rules of the options leave out; `candidates` are the others, in the order of the space.
    `memory_limit_bytes` None: no limit; `checks`: whether outputs have to be those of the default.
    `input_sha256` is that of what the model gets, `runtime_digest` that of the program that ran the steps
    which were measured (None: not known).
    """

    id: str
    farm_version: str
    started_at: str
    asked: Asked
    device: str
    model: str
    model_sha256: str
    about: str
    seed: int
    budget_s: float
    axes: tuple[str, ...]
    invalid: int
    candidates: tuple[Candidate, ...]
    memory_limit_bytes: int | None = None
    checks: bool = True
    input_sha256: str | None = None
    runtime_digest: str | None = None
    left_out: tuple[LeftOut, ...] = ()
    steps: tuple[Step, ...] = ()
    confirmation: Confirmation | None = None

    @property
    def spent_s(self) -> float:
        """How long its runs took."""
        confirmed_s = self.confirmation.took_s if self.confirmation else 0.0
        return sum(one.took_s for one in self.steps) + confirmed_s

    @property
    def by_name(self) -> dict[str, Candidate]:
        return {one.name: one for one in self.candidates}

    @property
    def default_dropped(self) -> str | None:
        """Why the default cannot be an answer, as others cannot: it plans to use too much memory."""
        all_of_it = (one for step in self.steps for one in step.outcomes if one.name == DEFAULT)
        return next((one.dropped for one in all_of_it if one.dropped), None)

    @property
    def winner(self) -> Candidate | None:
        """The candidate that is confirmed to be faster than the default."""
        found = self.confirmation
        return self.by_name.get(found.candidate or "") if found and found.is_won else None

    @property
    def last_rung(self) -> Step | None:
        measured = [one for one in self.steps if one.kind is Kind.RUNG and one.is_measured]
        return measured[-1] if measured else None
