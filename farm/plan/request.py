"""From the command line to a request; a suite file replaces some of the arguments."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from farm.analysis.sample_size import PILOT_PAIRS
from farm.errors import RequestError
from farm.files import user_path
from farm.inventory.values.checks import parse_check, parse_tolerances
from farm.inventory.values.sampling import (
    Rounds,
    budget_s_of,
    minimum_effect_of,
    names_in,
    precision_of,
    profile_rounds_of,
    rounds_of,
)
from farm.model.comparison import Comparing
from farm.model.device import ALL_DEVICES
from farm.model.matrix import RoundKind
from farm.model.options import OptionSet, Variant
from farm.model.request import (
    DEFAULT_PAIRS,
    DEFAULT_PRECISION,
    DEFAULT_PROFILE_ROUNDS,
    DEFAULT_ROUNDS,
    ModelRequest,
    Request,
    Rules,
    Suite,
)
from farm.options import merge, option, product, recipe, sweep, unique, variant
from farm.plan.models import bundled_models

BUNDLED = "bundled:"


@dataclass(frozen=True)
class Arguments:
    """The arguments of `farm bench` and `farm plan`, as they were typed; `options` are load_and_run's."""

    inventory: Path | None = None
    devices: str | None = None
    models: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    variants: tuple[str, ...] = ()
    sweeps: tuple[str, ...] = ()
    recipe: str | None = None
    suite: Path | None = None
    rounds: str | None = None
    seed: int | None = None
    budget: str | None = None
    profile_rounds: str | None = None
    precision: str | None = None
    minimum_effect: str | None = None
    max_undecided: int | None = None
    ab: str | None = None
    canary: bool | None = None
    ceilings: bool | None = None
    baseline: str | None = None
    options: OptionSet = OptionSet()
    check: str | None = None
    goldens: tuple[str, ...] = ()
    tolerances: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    builds_file: Path | None = None


def read_request(arguments: Arguments) -> Request:
    """The request. Raises RequestError for mistakes that do not depend on the inventory.

    Options of the command line take precedence over the suite's, a variant's over both.
    """
    base = arguments.options
    if arguments.devices is not None and not arguments.devices.strip():
        raise RequestError("--devices is empty", hint="leave it out for all devices")
    if arguments.recipe is not None:
        base = merge(recipe(arguments.recipe), base)
    suite = _suite(arguments)
    ab = _read("ab", names_in, arguments.ab) if arguments.ab is not None else suite.ab if suite else ()
    if suite is not None:
        base = merge(suite.options, base)
        columns = tuple(Variant(entry.name, entry.options) for entry in suite.variants)
    else:
        columns = _columns(arguments.variants, arguments.sweeps)
    variants = with_base(base, columns)
    return Request(
        inventory=arguments.inventory,
        devices=arguments.devices or (suite and suite.devices) or ALL_DEVICES,
        models=suite.models if suite else _models(arguments.models, arguments.inputs),
        variants=variants,
        **_sampling(arguments, suite, compares=bool(ab or arguments.baseline)),
        comparing=_comparing(arguments, suite),
        ab=ab,
        baseline=arguments.baseline,
        canary=(suite is not None and suite.canary) if arguments.canary is None else arguments.canary,
        ceilings=(suite is None or suite.ceilings) if arguments.ceilings is None else arguments.ceilings,
        seed=secrets.randbelow(2**31) if arguments.seed is None else arguments.seed,
        rules=suite.rules if suite else Rules(),
        check=parse_check(arguments.check) or (suite.check if suite else None),
        goldens=arguments.goldens,
        tolerances=parse_tolerances(arguments.tolerances) or (suite.tolerances if suite else ()),
        builds=_names(arguments.builds or (suite.builds if suite else ())),
        builds_file=arguments.builds_file,
        defined=suite.defined if suite else (),
        profile_rounds=_profile_rounds(arguments, suite, variants),
    )


_T = TypeVar("_T")


def _read(option: str, reader: Callable[[str], _T], text: str) -> _T:
    """The value of an option, or a RequestError that names it."""
    try:
        return reader(text)
    except RequestError as error:
        hint = f"--{option} {error.hint}" if error.hint else None
        raise RequestError(f"--{option} {error.message}", hint=hint) from None


def _sampling(arguments: Arguments, suite: Suite | None, *, compares: bool) -> dict[str, Any]:
    """Fields of a Request. The command line takes precedence over the suite; where something is compared the
    default is more rounds.
    """
    rounds = _read("rounds", rounds_of, arguments.rounds) if arguments.rounds is not None else None
    if rounds is None and suite is not None and (suite.rounds or suite.is_auto):
        rounds = Rounds(None if suite.is_auto else suite.rounds)
    is_auto = rounds is not None and rounds.is_auto
    precision = (
        _read("precision", precision_of, arguments.precision) if arguments.precision is not None else None
    )
    if precision is not None and not is_auto:
        raise RequestError(
            "--precision says how many rounds --rounds auto may take; with a number it has no effect",
            hint="--rounds auto --precision 2%",
        )
    budget_s = _read("budget", budget_s_of, arguments.budget) if arguments.budget is not None else None
    number = PILOT_PAIRS if is_auto else DEFAULT_PAIRS if compares else DEFAULT_ROUNDS
    return {
        "rounds": (rounds and rounds.number) or number,
        "is_auto": is_auto,
        "precision": precision or (suite and suite.precision) or DEFAULT_PRECISION,
        "budget_s": budget_s or (suite.budget_s if suite else None),
    }


def _profile_rounds(arguments: Arguments, suite: Suite | None, variants: Sequence[Variant]) -> int:
    """Raises RequestError where the command line has a number that nothing would heed."""
    if arguments.profile_rounds is None:
        return (suite and suite.profile_rounds) or DEFAULT_PROFILE_ROUNDS
    number = _read("profile-rounds", profile_rounds_of, arguments.profile_rounds)
    names = (name for column in variants for name, _ in column.options.values)
    if not any(option(name).round_kind is RoundKind.PROFILE for name in names):
        raise RequestError(
            "--profile-rounds says how many rounds write a profile, and no variant asks for one",
            hint=f"--profile p.json --profile-rounds {number}",
        )
    return number


def _comparing(arguments: Arguments, suite: Suite | None) -> Comparing:
    usual = Comparing()
    effect = arguments.minimum_effect
    least = None if effect is None else _read("minimum-effect", minimum_effect_of, effect)
    allowed = (arguments.max_undecided, suite.max_undecided if suite else None, usual.max_undecided)
    return Comparing(
        least or (suite and suite.minimum_effect) or usual.minimum_effect,
        next(one for one in allowed if one is not None),
    )


def _names(builds: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((name for name in builds if builds.count(name) > 1), None)
    if twice is not None:
        raise RequestError(f"build {twice!r} is named twice", hint="remove one")
    return builds


def _suite(arguments: Arguments) -> Suite | None:
    if arguments.suite is None:
        return None
    if arguments.models or arguments.inputs or arguments.variants or arguments.sweeps:
        raise RequestError(
            "--suite cannot be combined with --model, --input, --variant or --sweep",
            hint="remove them, or write them into a copy of the suite",
        )
    from farm.inventory import suite as suites

    return suites.load(arguments.suite)


def _models(models: Sequence[str], inputs: Sequence[str]) -> tuple[ModelRequest, ...]:
    """One `--input` is for every model, several are for one model each, in order; no models: the bundled."""
    texts = list(models) or [BUNDLED + name for name in bundled_models()]
    if len(inputs) > 1 and len(inputs) != len(texts):
        raise RequestError(
            f"{len(inputs)} inputs for {len(texts)} models",
            hint="use one --input for all models, or one per --model in the same order",
        )
    chosen: list[str | None] = list(inputs) if len(inputs) > 1 else [next(iter(inputs), None)] * len(texts)
    return tuple(
        ModelRequest(bundled=text.removeprefix(BUNDLED), input=given)
        if text.startswith(BUNDLED)
        else ModelRequest(file=user_path(text), input=given)
        for text, given in zip(texts, chosen, strict=True)
    )


def _columns(variants: Sequence[str], sweeps: Sequence[str]) -> tuple[Variant, ...]:
    """Variants and sweeps together: each variant with every combination of the sweeps."""
    named = [variant(text) for text in variants]
    swept = sweep(*sweeps)
    return product(named, swept) if named and swept else unique(named or swept)


def with_base(base: OptionSet, variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Every variant on top of `base`; `default` alone when there is none."""
    if not variants:
        return (Variant("default", base),)
    names = [each.name for each in variants]
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"two variants have the name {name!r}", hint="use a different name for each")
    return tuple(Variant(each.name, merge(base, each.options)) for each in variants)
