"""Whether conditions hold: true, false, or None while the facts of the device are unknown. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from farm.inventory.conditions import NUMBER_FACTS, SUBJECTS, TEXT_FACTS, Words
from farm.model.build import Build, BuildChoice, Condition, Relation
from farm.model.device import Device, Facts, Runtime

if TYPE_CHECKING:
    from farm.model.request import Rules

SAME_ARCHITECTURE = {"arm64": "aarch64", "amd64": "x86_64", "x86-64": "x86_64", "x64": "x86_64"}

KERNEL_FEATURE = {
    "dotprod": "asimddp",
    "fp16": "asimdhp",
    "neon": "asimd",
    "avx512": "avx512f",
    "vnni": "avx512_vnni",
}
"""Common names of CPU features, and Linux's in /proc/cpuinfo."""

_RELATIONS: dict[Relation, Callable[[float, float], bool]] = {
    Relation.EQUAL: operator.eq,
    Relation.UNEQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.AT_MOST: operator.le,
    Relation.MORE: operator.gt,
    Relation.AT_LEAST: operator.ge,
}


def applies(
    condition: Condition, device: Device, facts: Facts | None, *, model: str = "", variant: Words = ()
) -> bool | None:
    """Whether the condition holds; None when it depends on a fact that is not known.

    `variant` are the names of the variant: its own, and that of the variant it was swept from.
    """
    found = _holds(condition, device, facts, {"model": (model,), "variant": variant})
    return found if found is None else found is not condition.negated


def all_apply(
    conditions: Iterable[Condition],
    device: Device,
    facts: Facts | None,
    *,
    model: str = "",
    variant: Words = (),
) -> bool | None:
    """Whether all conditions hold; None when that depends on facts that are not known."""
    found = [applies(each, device, facts, model=model, variant=variant) for each in conditions]
    return False if False in found else None if None in found else True


def unwanted(rules: Rules, device: Device, facts: Facts | None, *, model: str, variant: str) -> str | None:
    """Why a cell is not wanted; None when it is, or when that depends on facts that are not known.

    Called twice: before a device is touched (`facts` None) and with what the probe found.
    """
    row = next((each for each in rules.models if each.name == model), None)
    column = next((each for each in rules.variants if each.name == variant), None)
    for part in (row, column):
        if part and all_apply(part.when, device, facts) is False:
            return f"{part.name} is only for {_in_words(part.when)} ({part.source})"
    names = (variant, column.base) if column else (variant,)
    means = partial(all_apply, device=device, facts=facts, model=model, variant=names)
    if rules.include and all(means(rule.conditions) is False for rule in rules.include):
        return f"no include rule of {rules.source} matches"
    for rule in rules.exclude:
        if means(rule.conditions):
            return rule.reason or f"excluded by {_in_words(rule.conditions)} ({rule.source})"
    return None


def runtime_of(build: Build, device: Device, facts: Facts | None) -> Runtime | None:
    """What a build runs on a device: the first choice that applies; a build without choices is the
    device's own runtime. None when no choice applies, or when that depends on facts that are not known.
    """
    first = next(iter(candidates(build, device, facts)), None)
    return first.runtime if first and all_apply(first.when, device, facts) else None


def candidates(build: Build, device: Device, facts: Facts | None) -> tuple[BuildChoice, ...]:
    """The choices of a build that may apply to a device, up to the first that does; one where it is known
    which. A build without choices has the device's own runtime.
    """
    if not build.choices:
        return (BuildChoice((), device.runtime, device.source),)
    found: list[BuildChoice] = []
    for choice in build.choices:
        applies_here = all_apply(choice.when, device, facts)
        if applies_here is not False:
            found.append(choice)
        if applies_here:
            break
    return tuple(found)


def no_runtime(build: Build, device: Device) -> str:
    """The reason of a cell whose build has nothing for its device."""
    return f"build {build.name} has no runtime for {device.name}: none of its conditions holds"


def _in_words(conditions: Iterable[Condition]) -> str:
    return " and ".join(condition.text for condition in conditions)


def _holds(condition: Condition, device: Device, facts: Facts | None, cell: dict[str, Words]) -> bool | None:
    subject = condition.subject
    if subject in NUMBER_FACTS:
        number = NUMBER_FACTS[subject](facts) if facts else None
        return None if number is None else _RELATIONS[condition.relation](number, float(condition.values[0]))
    if subject in TEXT_FACTS:
        words = _fact(subject, facts, device)
    elif subject == "attribute":
        words = tuple(value for key, value in device.attributes if key == condition.key)
    else:
        words = cell[subject] if subject in cell else SUBJECTS[subject](device)
    if words is None:
        return None
    wanted = [_canonical(subject, value) for value in condition.values]
    found = any(fnmatchcase(_canonical(subject, word), pattern) for word in words for pattern in wanted)
    return found is not (condition.relation is Relation.UNEQUAL)


def _fact(name: str, facts: Facts | None, device: Device) -> Words | None:
    if facts is None and name == "arch" and device.architecture:
        return (device.architecture,)  # what the inventory says, until the device says it
    words = TEXT_FACTS[name](facts) if facts else ()
    has_none = facts is not None and name == "gpu"  # a probe that finds no GPU means that there is none
    return words if words or has_none else None


def _canonical(subject: str, word: str) -> str:
    """Facts in their canonical spelling; names of the inventory as they are."""
    if subject not in TEXT_FACTS:
        return word
    word = word.casefold()
    if subject == "arch":
        return SAME_ARCHITECTURE.get(word, word)
    return KERNEL_FEATURE.get(word, word) if subject == "feature" else word
