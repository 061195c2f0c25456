"""The way through a search: step by step until one candidate is left, which is confirmed.

What is measured, read and written is done by functions that it gets, so a search can be played with recorded
times. How long a step took is kept with it, so that a resumed search decides the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from farm.errors import RequestError, RunError
from farm.model.comparison import Verdict
from farm.model.options import OptionSet, Variant
from farm.model.outputs import Check
from farm.model.request import Request
from farm.model.run import CellResult, Results
from farm.options import from_mapping, merge, without
from farm.options.core_sets import DECIDING
from farm.tune.halving import candidates_left, confirm_budget_s, confirm_rounds, left_out, measured, next_step
from farm.tune.nouns import DEFAULT, FITTING, Candidate, Confirmation, Kind, Step, Tune
from farm.tune.outcomes import Beside, confirmation, other_outputs, outcomes, took_s, trouble

CONFIRM = "confirm"
MEMORY = "get-static-mem-info"
MEMORY_FOLDER = "memory"
NOTHING = OptionSet()
LONGEST_ROUND_SHARE = 6
"""A round, or a search of the program, may take one part in so many of the budget: one may hang."""
HINTS = {
    "wall-limit": f"a new search with a larger --budget, of which a round may take 1/{LONGEST_ROUND_SHARE}; "
    "or fewer iterations (--iter)",
    "silence-limit": "a new search with fewer iterations (--iter)",
}
"""By cause, where the hint of the run is an option that a search has not."""


class BrokenError(RunError):
    """A step has no times of the default, so that nothing follows from it; `results` are what it has."""

    def __init__(self, message: str, results: Results, *, hint: str) -> None:
        super().__init__(message, hint=hint)
        self.results = results


class Moment(Enum):
    """When something is told of a search."""

    BEFORE, AFTER, CONFIRM = range(3)


@dataclass(frozen=True)
class Measured:
    """A run; `lasted_s` None: it was on disk already."""

    results: Results
    lasted_s: float | None = None

    @property
    def took_s(self) -> float:
        """By a clock that nobody sets, where it was measured now."""
        return took_s(self.results) if self.lasted_s is None else round(self.lasted_s, 1)


@dataclass(frozen=True)
class World:
    """`measure` runs a request under a name, or finds that it was run; `read` gives what of its results is in
    files; `save` keeps the search on disk; `told` is called with it before each step, and after it.
    `why_invalid` says why options are not to be run (None: they are).
    """

    measure: Callable[[Request, str], Measured]
    read: Callable[[Results], Beside]
    save: Callable[[Tune], None]
    told: Callable[[Tune, Moment], None]
    why_invalid: Callable[[OptionSet], str | None]


def search(tune: Tune, asked: Request, world: World) -> Tune:
    """Go on until the search is over. `asked` is the request without variants.

    Raises BrokenError where a step has nothing to compare with, RequestError where another program ran than
    in the steps before, and what `measure` raises.
    """
    while tune.confirmation is None:
        step = next_step(tune)
        if step is None:
            tune = _confirmed(tune, asked, world)
            world.save(tune)
            continue
        if not (tune.steps and tune.steps[-1] is step):
            tune = replace(tune, steps=(*tune.steps, step))
            world.save(tune)
        world.told(tune, Moment.BEFORE)
        tune = _stepped(tune, step, asked, world)
        world.save(tune)
        world.told(tune, Moment.AFTER)
    return tune


def _stepped(tune: Tune, step: Step, asked: Request, world: World) -> Tune:
    """With what came of a step."""
    run = world.measure(request_of(tune, step, asked), step.name)
    results, is_first = run.results, is_first_of(tune, step)
    _require(tune, results, checks=tune.checks and is_first)
    tune = with_runtime(tune, results)
    beside = world.read(results)
    limit_bytes = tune.memory_limit_bytes if is_first else None
    found = outcomes(results, step.candidates, beside, limit_bytes, run.took_s)
    done = replace(step, run=results.run_id, outcomes=found, took_s=run.took_s)
    tune = measured(tune, done)
    return _screened(tune, beside, world) if step.kind is Kind.VALUES else tune


def _require(tune: Tune, results: Results, *, checks: bool) -> None:
    why = trouble(results, checks=checks)
    if why is not None:
        told = next((hint for cell in results.cells if (hint := _hint(cell))), None)
        resume = f"farm tune --resume {tune.id} goes on with this step"
        raise BrokenError(why, results, hint=f"{told}; {resume}" if told else resume)


def _hint(cell: CellResult) -> str | None:
    return HINTS.get(cell.cause or "", cell.hint)


def runtime_of(results: Results) -> str | None:
    """The digest of what ran the default."""
    return next((cell.runtime_digest for cell in results.cells if cell.variant == DEFAULT), None)


def with_runtime(tune: Tune, results: Results) -> Tune:
    """With what ran a step. Raises RequestError where that is not what ran the steps before."""
    was, now = tune.runtime_digest, runtime_of(results)
    if was and now and was != now:
        raise RequestError(
            f"the runtime of {tune.device} is another than in the steps before: "
            f"SHA-256 was {was[:12]}, not {now[:12]}",
            hint=f"put the former one back for --resume {tune.id}, or begin a new search",
        )
    return replace(tune, runtime_digest=was or now)


def is_first_of(tune: Tune, step: Step) -> bool:
    """Whether candidates of this step were not measured before: then outputs and memory are looked at."""
    before = [one for one in tune.steps if one.name != step.name and one.kind is Kind.RUNG]
    return step.kind is Kind.VALUES or not before


# --------------------------------------------------------------------------- after the first step


def _screened(tune: Tune, beside: Beside, world: World) -> Tune:
    """With the values that are left out, and what fitting found in the place of its search."""
    tune = replace(tune, left_out=left_out(tune))
    search_for = tune.by_name.get(FITTING)
    if search_for is None:
        return tune
    made, why = _fitted(tune, search_for, beside.fitted, world)
    same = {one.name for one in tune.candidates if made and one.options == made.options}
    if same:
        why = f"it found {', '.join(same)}"
    others = tuple(one for one in tune.candidates if one.name != FITTING)
    kept = (*others, made) if made is not None and not same else others
    step = tune.steps[-1]
    told = tuple(
        replace(one, ratio=None, low=None, high=None, pairs=0, median_ms=None, dropped=one.dropped or why)
        if one.name == FITTING
        else one
        for one in step.outcomes
    )
    return replace(measured(tune, replace(step, outcomes=told)), candidates=kept)


def _fitted(
    tune: Tune, search_for: Candidate, found: OptionSet | None, world: World
) -> tuple[Candidate | None, str | None]:
    if found is None:
        return None, "it found no options"
    base = from_mapping(tune.by_name[DEFAULT].options)
    if any(name in base for name in DECIDING):  # it says --cpu always, also where --cpu-default is given
        found = without(found, *DECIDING)
    options = merge(base, found)
    why = world.why_invalid(options)
    if why is not None:
        return None, f"the options that it found are invalid: {why}"
    return replace(search_for, options=options.as_dict()), None


# --------------------------------------------------------------------------- requests


def request_of(tune: Tune, step: Step, asked: Request) -> Request:
    """An ordinary request: rounds of all candidates interleaved in one lease. Outputs and planned memory are
    looked at once.
    """
    is_first = is_first_of(tune, step)
    looks_at_memory = is_first and tune.memory_limit_bytes is not None
    more = from_mapping({MEMORY: MEMORY_FOLDER} if looks_at_memory else {})
    checks = asked.check if tune.checks and is_first else Check.OFF
    return replace(
        asked,
        variants=variants_of(tune, step.candidates, more),
        rounds=step.rounds,
        budget_s=step.budget_s,
        check=checks,
        seed=tune.seed,
    )


def variants_of(tune: Tune, names: Sequence[str], more: OptionSet = NOTHING) -> tuple[Variant, ...]:
    by_name = tune.by_name
    return tuple(Variant(name, merge(from_mapping(by_name[name].options), more)) for name in names)


def _confirmed(tune: Tune, asked: Request, world: World) -> Tune:
    left = candidates_left(tune)
    if not left:
        return replace(tune, confirmation=Confirmation(None, "no candidate but the default is left"))
    world.told(tune, Moment.CONFIRM)
    request = replace(
        asked,
        variants=variants_of(tune, (DEFAULT, left[0])),
        rounds=confirm_rounds(tune),
        budget_s=confirm_budget_s(tune),
        ab=(DEFAULT, left[0]),
        seed=tune.seed,
        check=asked.check if tune.checks else Check.OFF,
    )
    run = world.measure(request, CONFIRM)
    _require(tune, run.results, checks=tune.checks)
    tune = with_runtime(tune, run.results)
    found = confirmation(run.results, left[0], run.took_s)
    bad = other_outputs(run.results, left[0]) if tune.checks else None
    if bad is not None:
        found = replace(found, verdict=Verdict.INVALID, sentence=bad)
    return replace(tune, confirmation=found)


def sentence(tune: Tune) -> str:
    """The answer, in a sentence."""
    found = tune.confirmation
    if found is None:
        return "the search is not over"
    if found.candidate is None or found.verdict in (Verdict.SLOWER, Verdict.UNCHANGED):
        why = tune.default_dropped
        besides = f"; but the default is no answer either: {why}" if why else ""
        return f"no option set is faster than the default ({found.sentence}){besides}"
    if found.is_won:
        return f"{found.candidate}: {found.sentence}"
    return f"whether {found.candidate} is faster than the default is not decided: {found.sentence}"
