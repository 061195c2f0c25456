"""What `farm bench` and `farm plan` have in common: options that become one Request."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import parameters_of, takes_options
from farm.model.options import OptionSet
from farm.plan.request import Arguments, read_request


def takes_request(command: Callable[..., Any], only: Collection[str] = ()) -> Callable[..., Any]:
    """Add the options that describe what to run, load_and_run's among them, to `command`; it receives them
    as one Request in `request`. `only`: of farm's own options those of these names (none: all).
    """
    every = parameters_of(_arguments, without="options")
    asked = [one for one in every if not only or one.name in only]
    own = parameters_of(command, without="request")

    @functools.wraps(command)
    def wrapper(*, options: OptionSet, **values: Any) -> Any:
        arguments = _arguments(options=options, **{one.name: values[one.name] for one in asked})
        return command(request=read_request(arguments), **{one.name: values[one.name] for one in own})

    wrapper.__signature__ = inspect.Signature([*asked, *own])  # type: ignore[attr-defined]
    return takes_options(wrapper)


def _arguments(
    *,
    options: OptionSet,
    inventory: args.Inventory = None,
    devices: args.Devices = None,
    model: args.Models = None,
    input: args.Inputs = None,  # noqa: A002 - the option's name
    variant: args.Variants = None,
    sweep: args.Sweeps = None,
    recipe: args.Recipe = None,
    suite: args.Suite = None,
    build: args.Builds = None,
    builds: args.BuildsFile = None,
    rounds: args.Rounds = None,
    budget: args.Budget = None,
    profile_rounds: args.ProfileRounds = None,
    precision: args.Precision = None,
    minimum_effect: args.LeastEffect = None,
    max_undecided: args.MostUndecided = None,
    ab: args.Ab = None,
    canary: args.Canary = None,
    ceilings: args.Ceilings = None,
    baseline: args.Baseline = None,
    seed: args.Seed = None,
    check: args.Check = None,
    golden: args.Goldens = None,
    tolerance: args.Tolerances = None,
) -> Arguments:
    """The options in the order in which --help shows them."""
    return Arguments(
        inventory=inventory,
        devices=devices,
        models=tuple(model or ()),
        inputs=tuple(input or ()),
        variants=tuple(variant or ()),
        sweeps=tuple(sweep or ()),
        recipe=recipe,
        suite=suite,
        rounds=rounds,
        budget=budget,
        profile_rounds=profile_rounds,
        precision=precision,
        minimum_effect=minimum_effect,
        max_undecided=max_undecided,
        ab=ab,
        canary=canary,
        ceilings=ceilings,
        baseline=baseline,
        seed=seed,
        options=options,
        check=check,
        goldens=tuple(golden or ()),
        tolerances=tuple(tolerance or ()),
        builds=tuple(build or ()),
        builds_file=builds,
    )
