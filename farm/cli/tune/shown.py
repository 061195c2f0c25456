"""What a search says while it goes on, and at its end."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from farm.cli.terminal.console import plain, say
from farm.cli.terminal.tables import simple_table
from farm.compare.words import percent
from farm.report.numerals import MISSING, as_duration, count, decimals_for, in_bytes, in_ms
from farm.tune.halving import candidates_left, ranked
from farm.tune.nouns import DEFAULT, Kind, Outcome, Step, Tune
from farm.tune.search import Moment, sentence

TOP = 10
DROPPED_SHOWN = 8
LONGEST_REASON = 200


def tell(tune: Tune, moment: Moment) -> None:
    """Before a step what it measures; after it what came of it."""
    step = tune.steps[-1]
    if moment is Moment.CONFIRM:
        best = candidates_left(tune)[0]
        say(f"confirm: {best} against the default, on fresh rounds; {_spent(tune)}", "bold")
    elif moment is Moment.BEFORE:
        say(_before(tune, step), "bold")
    else:
        for line in _after(tune, step):
            say(line)


def told_space(tune: Tune) -> Iterator[str]:
    """What will be tried."""
    yield f"tune {tune.id}: {tune.model} on {tune.device} ({tune.about})"
    for axis in tune.axes:
        yield f"  {axis}"
    invalid = f", {tune.invalid} more are invalid here" if tune.invalid else ""
    yield f"{count(len(tune.candidates), 'option set')}{invalid}; budget {as_duration(tune.budget_s)}"


def _before(tune: Tune, step: Step) -> str:
    what = "each value alone" if step.kind is Kind.VALUES else f"of {len(tune.candidates)}"
    sets = count(len(step.candidates), "option set")
    return f"{step.name}: {sets} ({what}), {count(step.rounds, 'round')} each; {_spent(tune)}"


def _spent(tune: Tune) -> str:
    return f"{as_duration(tune.spent_s)} of {as_duration(tune.budget_s)} used"


def _after(tune: Tune, step: Step) -> Iterator[str]:
    if step.kind is Kind.VALUES:
        for one in tune.left_out:
            sets = count(one.combinations, "option set")
            yield f"  without {one.value} ({sets}): {one.why[:LONGEST_REASON]}"
    best = next(iter(ranked(step.outcomes)), None)
    told = f"best so far: {best.name} {_change(best)}" if best else "none is as fast, or works"
    if step.outcomes[0].dropped:
        yield f"  the default stays, to compare with: {step.outcomes[0].dropped[:LONGEST_REASON]}"
    dropped = sum(one.dropped is not None and one.name != DEFAULT for one in step.outcomes)
    left = count(len(candidates_left(tune)), "option set")
    yield f"{step.name}: {told}; {left} left{f', {dropped} dropped' if dropped else ''}"


def _change(one: Outcome) -> str:
    return MISSING if one.ratio is None else percent(one.ratio - 1)


# --------------------------------------------------------------------------- the end


def top(tune: Tune) -> tuple[tuple[Step, Outcome], ...]:
    """The best ones, those that came furthest first: each as it was measured last."""
    last: dict[str, tuple[int, Step, Outcome]] = {}
    for number, step in enumerate(tune.steps):
        for one in ranked(step.outcomes):
            last[one.name] = (number, step, one)
    order = sorted(last.values(), key=lambda found: (-found[0], found[2].ratio or 0.0))
    return tuple((step, one) for _, step, one in order[:TOP])


def table(tune: Tune) -> RenderableType:
    """The best ten. The default is what all are compared with."""
    rows = top(tune)
    times = [one.median_ms for _, one in rows if one.median_ms is not None]
    decimals = decimals_for(times)
    has_memory = any(one.memory_bytes is not None for _, one in rows)
    lines = []
    for step, one in rows:
        interval = f"{one.low - 1:+.1%} to {one.high - 1:+.1%}" if one.low and one.high else MISSING
        line = [one.name, _change(one), interval, str(one.pairs), in_ms(one.median_ms, decimals), step.name]
        lines.append([*line, in_bytes(one.memory_bytes)] if has_memory else line)
    columns = ["option set", "change", "95 % interval", "pairs", "ms", "seen in"]
    return simple_table([*columns, "memory"] if has_memory else columns, lines)


def dropped_lines(tune: Tune) -> Iterator[str]:
    """Why candidates cannot be the answer; each reason once, with how many it is of."""
    names: dict[str, list[str]] = {}
    if tune.default_dropped:
        yield f"the default is what others are compared with, and no answer: {tune.default_dropped}"
    for step in tune.steps:
        for one in step.outcomes:
            if one.dropped and one.name != DEFAULT:
                names.setdefault(one.dropped[:LONGEST_REASON], []).append(one.name)
    shown = list(names.items())
    for why, found in shown[:DROPPED_SHOWN]:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        yield f"dropped {found[0]}{more}: {why}"
    if len(shown) > DROPPED_SHOWN:
        yield f"and {len(shown) - DROPPED_SHOWN} more reasons in tune.json"


def answer(tune: Tune) -> Text:
    style = (
        "green"
        if tune.winner
        else "yellow"
        if not (tune.confirmation and tune.confirmation.is_decided)
        else ""
    )
    return plain(sentence(tune), f"bold {style}".strip())
