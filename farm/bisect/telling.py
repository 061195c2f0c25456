"""What a bisect came to, in words: for people, as Markdown and for scripts. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from farm.bisect.nouns import CODES, End, Kind, Part, Step
from farm.compare.words import change_of, interval, pairs_of, percent
from farm.errors import ExitCode
from farm.model.comparison import Verdict

VERSION = 1
MOST_NAMED = 20
"""Builds of a range that are named."""

MOST_OF_IT = 0.8
"""A build that explains less of the whole slowdown is not the only one."""

COLUMNS = ("step", "build", "against", "change", "95 % interval", "verdict", "measured", "run")
NONE = "\N{EN DASH}"


@dataclass(frozen=True)
class Told:
    """A bisect of this name: the builds in order, the steps, and how it ended (None: it goes on)."""

    name: str
    names: tuple[str, ...]
    steps: tuple[Step, ...]
    end: End | None = None

    @property
    def code(self) -> ExitCode:
        """1 for a first slower build, whose slowdown was confirmed, and where BAD computes wrong outputs."""
        if self.end is None:
            return ExitCode.UNDECIDED
        if self.end.kind is Kind.NOT_MEASURED and self.steps[-1].has_wrong_outputs:
            return ExitCode.REGRESSION
        return CODES[self.end.kind]

    @property
    def found(self) -> Step | None:
        """The step that shows the first slower build."""
        if self.end is None or self.end.kind is not Kind.FOUND or self.end.step is None:
            return None
        return self.steps[self.end.step]

    @property
    def whole(self) -> Step | None:
        """The step that shows the whole slowdown."""
        ends = [one for one in self.steps if one.question.part is Part.ENDS]
        return ends[-1] if ends and ends[-1].verdict is Verdict.SLOWER else None

    def share(self, step: Step) -> float | None:
        """Which part of the whole slowdown a step has."""
        if self.whole is None or self.whole.effect is None or step.effect is None:
            return None
        return math.log(step.effect.ratio) / math.log(self.whole.effect.ratio)

    @property
    def range(self) -> tuple[str, ...]:
        """The builds of which the first slower one is one, as far as is known; none where there is none."""
        if self.end is None or self.whole is None or self.end.kind is Kind.FOUND:
            return ()
        return self.names[self.end.low + 1 : self.end.high + 1]


def conclusion(told: Told) -> tuple[str, ...]:
    """What is known, in some lines; the first one says it."""
    return tuple(_LINES[told.end.kind](told)) if told.end is not None else ()


def _found(told: Told) -> Iterator[str]:
    step = told.found
    assert step is not None, "a build that was found has its step"
    yield f"the first slower build is {told.names[step.question.candidate]}: {step.why}"
    share = told.share(step)
    if step.question.part is Part.ENDS or share is None:
        return
    whole = f"{percent(share, signed=False)} of the whole slowdown ({told.whole.why if told.whole else ''})"
    yield f"it has {whole}"
    if share < MOST_OF_IT:
        yield "the rest came with other builds, before or after it: " + _both(told, step.question)


def _both(told: Told, question: Any) -> str:
    first, last = told.names[0], told.names[-1]
    parts = [(first, told.names[question.baseline]), (told.names[question.candidate], last)]
    return ", ".join(f"farm bisect {one} {other}" for one, other in parts if one != other)


def _not_slower(told: Told) -> Iterator[str]:
    yield f"{told.names[-1]} is not slower than {told.names[0]}: {told.steps[-1].why}"


def _undecided(told: Told) -> Iterator[str]:
    step = told.steps[-1]
    name = told.names[step.question.candidate]
    if step.question.part is Part.ENDS:
        yield f"whether {name} is slower than {told.names[0]} is not decided: {step.why}"
        return
    yield from _ranged(told, f"{name} is on nobody's side: {step.why}")
    share = told.share(step)
    if share is not None:
        parts = f"farm bisect {told.names[0]} {name}, farm bisect {name} {told.names[-1]}"
        much = percent(share, signed=False)
        yield f"it has about {much} of the slowdown; where several builds are slower, part it: {parts}"


def _unconfirmed(told: Told) -> Iterator[str]:
    step = told.steps[-1]
    after, before = (told.names[one] for one in (step.question.candidate, step.question.baseline))
    yield from _ranged(told, f"{after} is not confirmed to be slower than {before}: {step.why}")


def _skipped(told: Told) -> Iterator[str]:
    yield from _ranged(told, "the others cannot be measured")
    for step in told.steps:
        name = told.names[step.question.candidate]
        if step.verdict is Verdict.INVALID and name in told.range:
            yield f"{name}: {step.why}"


def _out_of_budget(told: Told) -> Iterator[str]:
    if told.whole is None:
        name = told.names[-1]
        yield f"the budget is spent, and whether {name} is slower is not decided: {told.steps[-1].why}"
    else:
        yield from _ranged(told, "the budget is spent")


def _not_measured(told: Told) -> Iterator[str]:
    yield f"{told.names[-1]} cannot be measured: {told.steps[-1].why}"


def _ranged(told: Told, why: str) -> Iterator[str]:
    names = told.range
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    one_of = "one of " if len(names) > 1 else ""
    yield f"the first slower build is {one_of}{', '.join(names[:MOST_NAMED])}{more}; {why}"


_LINES = {
    Kind.FOUND: _found,
    Kind.NOT_SLOWER: _not_slower,
    Kind.UNDECIDED: _undecided,
    Kind.UNCONFIRMED: _unconfirmed,
    Kind.SKIPPED: _skipped,
    Kind.OUT_OF_BUDGET: _out_of_budget,
    Kind.NOT_MEASURED: _not_measured,
}


def rows(told: Told) -> Iterator[Sequence[str]]:
    """The steps, a row each, in `COLUMNS`."""
    for number, step in enumerate(told.steps, start=1):
        effect = step.effect
        yield (
            str(number),
            told.names[step.question.candidate],
            told.names[step.question.baseline],
            change_of(effect) if effect else NONE,
            (interval(effect) if effect else None) or NONE,
            "skipped" if step.verdict is Verdict.INVALID else step.verdict.value,
            pairs_of(effect, fresh=False) if effect else NONE,
            _short(step.run, told.name),
        )


def _short(run: str | None, name: str) -> str:
    return (run or NONE).removeprefix(f"{name}-")


def markdown(told: Told, report: str | None) -> str:
    """The summary as a page."""
    lines = [f"# Bisect {told.name}", "", *(_escaped(line) for line in conclusion(told)), ""]
    lines += [" | ".join(("", *COLUMNS, "")).strip(), "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(map(_escaped, row)) + " |" for row in rows(told)]
    lines += [
        "",
        f"Runs: `{told.name}-step-N`." + (f" Report of the deciding step: `{report}`." if report else ""),
    ]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    r"""A name with a `|` or a backtick of its own stays one cell."""
    return "".join(f"\\{char}" if char in "|`<>[]*\\" else char for char in text)


def as_json(told: Told, report: str | None) -> dict[str, Any]:
    found, end = told.found, told.end
    first = None
    if found is not None:
        first = {
            "name": told.names[found.question.candidate],
            "after": told.names[found.question.baseline],
            "effect": asdict(found.effect) if found.effect else None,
            "share": told.share(found),
            "sentence": found.why,
            "run": found.run,
        }
    return {
        "version": VERSION,
        "bisect": told.name,
        "end": end.kind.value if end else None,
        "exit_code": int(told.code),
        "conclusion": list(conclusion(told)),
        "first_slower": first,
        "range": list(told.range),
        "good": told.names[0],
        "bad": told.names[-1],
        "builds": list(told.names),
        "whole": asdict(told.whole.effect) if told.whole and told.whole.effect else None,
        "steps": [_step(told, step) for step in told.steps],
        "report": report,
    }


def _step(told: Told, step: Step) -> dict[str, Any]:
    question = step.question
    return {
        "part": question.part.value,
        "build": told.names[question.candidate],
        "against": told.names[question.baseline],
        "minimum_effect": question.minimum_effect,
        "verdict": "skipped" if step.verdict is Verdict.INVALID else step.verdict.value,
        "effect": asdict(step.effect) if step.effect else None,
        "sentence": step.why,
        "rounds": step.rounds,
        "took_s": round(step.took_s, 1),
        "run": step.run,
    }
