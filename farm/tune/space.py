"""What a search tries: axes of options with their values, and all valid combinations of them. Pure.

The rules of the catalogue (farm.options) and the facts of the device say what is invalid.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from farm.cores import AUTOMATIC
from farm.errors import RequestError
from farm.model.device import Device, Facts
from farm.model.options import OptionSet, Value
from farm.options import applicable, check, check_round, merge, option, preparations, recipe
from farm.options.catalogue.layout import LAYOUTS
from farm.options.check import ModelKind, processors
from farm.options.core_sets import ON_GPU
from farm.options.parse import build
from farm.options.preparations import RECIPES
from farm.options.values import convert
from farm.options.variants import NAME_LIMIT
from farm.plan.matrix import impossible
from farm.suggest import nearest
from farm.tune.nouns import DEFAULT, FITTING, Candidate, own_values

MOST_COMBINATIONS = 10_000
RECIPE = "recipe"
ALONE = (RECIPE, FITTING)
"""Axes whose values are candidates by themselves: they are whole option sets already."""

NOT_TUNED = {
    "input": "it says what is computed",
    "batch-size": "it says what is computed",
    "iter": "it says how much is measured, and not how fast it is",
    "warmup-iter": "it says how much is measured, and not how fast it is",
    "thread": "it runs the model several times at once, which is not faster",
}


@dataclass(frozen=True)
class Target:
    """What is tuned: a model of this kind on a device with these facts, with the options that were given.

    `checks`: whether outputs have to be compared, so that options which hide them are invalid.
    """

    device: Device
    facts: Facts
    model_kind: ModelKind
    base: OptionSet = OptionSet()
    checks: bool = True

    @property
    def is_gpu(self) -> bool:
        return any(name in self.base for name in ON_GPU)

    @property
    def processors(self) -> frozenset[str]:
        """The kinds that options may be made for, of what runs the model."""
        nvidia = frozenset({"nvidia"})
        return nvidia if self.is_gpu else processors(self.facts) - nvidia


# --------------------------------------------------------------------------- words of an axis

_TRANSFORMS = {f"transform-{target}": {"layout-transform": target} for target in ("cpu", "cuda")}
_LAYOUTS = {row.name.removeprefix("enable-"): {row.name: True} for row in LAYOUTS}

WORDS: Mapping[str, Mapping[str, Mapping[str, Value]]] = {
    "threads": {"cpu": {"cpu": True}, "cpu-default": {"cpu-default": True}},
    "layout": {**_LAYOUTS, **_TRANSFORMS},
    "record": {"1": {"record-comp-seq": True}, "2": {"record-comp-seq2": True, "no-sanity-check": True}},
    RECIPE: RECIPES,
}
"""What the words of the axes mean that are no options themselves; `default` means nothing of them.
A number of `threads` is a pool of so many, and `cores` are names of sets of cores.
"""


def _meaning(axis: str, word: str) -> Mapping[str, Value]:
    """The options of a word. Raises RequestError."""
    if word == DEFAULT:
        return {}
    if axis == "threads" and word.isascii() and word.isdigit():
        return {"multithread": convert(option("multithread"), word)}
    if axis == "cores":
        return {"multi-thread-core-ids": convert(option("multi-thread-core-ids"), word)}
    if axis in WORDS:
        if word not in WORDS[axis]:
            known = (DEFAULT, *WORDS[axis])
            raise RequestError(
                f"--space {axis}: {word!r} is not one of {', '.join(known)}{nearest(word, known)}",
                hint=f"{axis}={','.join(known[:3])}",
            )
        return WORDS[axis][word]
    row = option(axis)
    if row.name in NOT_TUNED:
        raise RequestError(f"--space {row.name}: {NOT_TUNED[row.name]}", hint="give it beside --space")
    if not row.is_timed and row.name != FITTING:
        raise RequestError(
            f"--space {row.name}: it has no part in a timed round", hint=f"farm options show {row.name}"
        )
    return {row.name: convert(row, word)}


@dataclass(frozen=True)
class Axis:
    """A name and its words, in order, each once."""

    name: str
    words: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.name}={','.join(self.words)}"


def axis_of(name: str, words: Sequence[str]) -> Axis:
    """An axis that somebody wrote. Raises RequestError for what it cannot mean."""
    plain = tuple(dict.fromkeys(word.strip() for word in words))
    if not plain or not all(plain):
        raise RequestError(f"--space {name[:80]!r} has no values", hint="threads=default,2,4")
    if name not in (*WORDS, "cores"):
        name = option(name).name
    for word in plain:
        build(_meaning(name, word))
    return Axis(name, plain)


def axis_of_text(text: str) -> Axis:
    """Of `threads=default,2,4`. Raises RequestError."""
    name, _, values = text.lstrip("-").partition("=")
    return axis_of(name.strip(), values.split(","))


# --------------------------------------------------------------------------- the default space


def _threads(target: Target) -> tuple[str, ...]:
    """Powers of two up to the number of cores, and that number."""
    if target.is_gpu:
        return ()
    count = len(target.facts.core_ids)
    pools = {2**power for power in range(1, max(count, 1).bit_length()) if 2**power < count} | {count}
    return (DEFAULT, "cpu-default", *(str(one) for one in sorted(pools) if one > 1))


def _cores(target: Target) -> tuple[str, ...]:
    if target.is_gpu:
        return ()
    kinds = len(target.facts.clusters)
    automatic = ("big", "mid", "little") if kinds > 2 else ("big", "little") if kinds == 2 else ("all",)
    own = tuple(name for name, _ in target.device.cores if name not in AUTOMATIC)
    return (DEFAULT, *automatic, *own)


def _layouts(target: Target) -> tuple[str, ...]:
    """Those that were made for this kind of processor, and the global transform."""
    made_for = [row for row in LAYOUTS if set(row.needs.meant_for) & target.processors]
    transform = "transform-cuda" if target.is_gpu else "transform-cpu"
    return (DEFAULT, *(row.name.removeprefix("enable-") for row in made_for), transform)


def _recipes(target: Target) -> tuple[str, ...]:
    kinds = {"x86-cpu": "x86", "arm-cpu": "arm", "nvidia": "nvidia"}
    return tuple(name for name, kind in kinds.items() if kind in target.processors)


SPACE: tuple[tuple[str, Callable[[Target], tuple[str, ...]]], ...] = (
    ("threads", _threads),
    ("cores", _cores),
    ("layout", _layouts),
    ("fast-run", lambda _: (DEFAULT, "true")),
    ("weight-preprocess", lambda _: (DEFAULT, "true")),
    ("record", lambda _: (DEFAULT, "1", "2")),
    (RECIPE, _recipes),
    (FITTING, lambda _: ("true",)),
)
"""What is tried where nobody says it, and of which values."""


def default_axes(target: Target) -> tuple[Axis, ...]:
    """Without what the given options say already: who gives --multithread has decided that."""
    found = []
    for name, words in SPACE:
        meant = {key for word in words(target) for key in _meaning(name, word)}
        if len(words(target)) > (name not in ALONE) and (name in ALONE or not _has(target.base, meant)):
            found.append(Axis(name, words(target)))
    return tuple(found)


def _has(base: OptionSet, names: set[str]) -> bool:
    return any(name in base for name in names)


# --------------------------------------------------------------------------- combinations


@dataclass(frozen=True)
class Space:
    """The valid combinations, the default first, and how many are invalid."""

    candidates: tuple[Candidate, ...]
    invalid: int


def combinations(axes: Sequence[Axis], target: Target) -> Space:
    """All combinations of the axes that are valid, each option set once, in the order of the axes.

    Raises RequestError where there are too many, or the given options alone are invalid.
    """
    why = problem(target.base, target)
    if why is not None:
        raise RequestError(f"the options without any of the space: {why}", hint="farm options show NAME")
    combined = [axis for axis in axes if axis.name not in ALONE]
    number = math.prod(len(axis.words) for axis in combined)
    if number > MOST_COMBINATIONS:
        raise RequestError(f"{number:,} combinations, {MOST_COMBINATIONS:,} are the most", hint="--space")
    default = tuple(f"{axis.name}={DEFAULT}" for axis in combined)
    found = {target.base.digest: Candidate(DEFAULT, target.base.as_dict(), default)}
    invalid = 0
    for words in itertools.product(*(axis.words for axis in combined)):
        chosen = tuple(zip((axis.name for axis in combined), words, strict=True))
        options = _options(chosen, target.base)
        if options is None or problem(options, target) is not None:
            invalid += 1
        else:
            values = tuple(f"{name}={word}" for name, word in chosen)
            found.setdefault(options.digest, Candidate(_name(values), options.as_dict(), values))
    for axis in axes:
        if axis.name in ALONE:
            for candidate in _alone(axis, target):
                key = build(candidate.options).digest
                if key != target.base.digest:  # a combination, too, keeps the values of that
                    found[key] = replace(candidate, values=found[key].values if key in found else ())
    return Space(tuple(found.values()), invalid)


def _alone(axis: Axis, target: Target) -> list[Candidate]:
    found = []
    for word in axis.words:
        given = recipe(word) if axis.name == RECIPE else build({FITTING: True})
        options = merge(target.base, given)
        if word != DEFAULT and problem(options, target) is None:
            name = f"recipe {word}" if axis.name == RECIPE else FITTING
            found.append(Candidate(name, options.as_dict(), is_whole=True))
    return found


def _options(chosen: Sequence[tuple[str, str]], base: OptionSet) -> OptionSet | None:
    """None where two axes say different things of one option."""
    found: dict[str, Value] = {}
    for name, word in chosen:
        for key, value in _meaning(name, word).items():
            if found.setdefault(key, value) != value:
                return None
    return merge(base, build(found))


def _name(values: tuple[str, ...]) -> str:
    """`threads=2, layout=nchw44, fast-run`: what is other than in the default, as the name of a variant."""
    name = ", ".join(value.removesuffix("=true") for value in own_values(values)) or DEFAULT
    if len(name) <= NAME_LIMIT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:6]
    return f"{name[: NAME_LIMIT - 10]}.. {digest}"


def problem(options: OptionSet, target: Target) -> str | None:
    """Why an option set is not to be run on the target; None where it is, as far as that is known."""
    kind = target.device.runtime.kind
    why = impossible(options, kind) or next(
        iter(check(options, runtime=kind, model_kind=target.model_kind).refusals), None
    )
    why = why or applicable(options, runtime=kind, facts=target.facts, cores=target.device.cores)
    if why is not None or not target.checks:
        return why
    checked = check_round(preparations(options)[1], kind, target.model_kind)
    return f"its outputs cannot be checked: {checked}" if isinstance(checked, str) else None


# --------------------------------------------------------------------------- a sample


def sample(candidates: Sequence[Candidate], number: int, seed: int) -> tuple[Candidate, ...]:
    """So many of them, in their order: the default, whole option sets (recipes, what fitting found), and of
    the combinations those that have the values which the others have least.

    So each value of each axis is in it where there is room for that.
    """
    if number >= len(candidates):
        return tuple(candidates)
    chosen = [one for one in candidates if one.name == DEFAULT or one.is_whole][:number]
    rest = [one for one in candidates if one not in chosen]
    random.Random(f"{seed}/sample").shuffle(rest)  # noqa: S311 - a sample, no secret
    seen = Counter(value for one in chosen for value in one.values)
    while len(chosen) < number:
        best = min(rest, key=lambda one: sum(seen[value] for value in one.values))
        rest.remove(best)
        chosen.append(best)
        seen.update(best.values)
    return tuple(one for one in candidates if one in chosen)
