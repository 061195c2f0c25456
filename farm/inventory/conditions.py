"""Conditions of suites: text in, true, false or "only the device can say" out. Pure.

    condition = ["not" | "!"] ( SUBJECT ":" GLOB | "@" GROUP | ATTRIBUTE "=" GLOB | FACT RELATION VALUE )

Subjects and facts are the tables below. `when: [a, b]` and `a and b` ask for both.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import partial

from farm.errors import RequestError
from farm.model.build import Build
from farm.model.device import Device, Facts, Runtime
from farm.model.request import Condition, Relation, Rules
from farm.suggest import nearest

GIBIBYTE = 2**30

Words = tuple[str, ...]

SUBJECTS: dict[str, Callable[[Device], Words]] = {
    "device": lambda device: (device.name,),
    "tag": lambda device: device.tags,
    "group": lambda device: device.groups,
    "runtime": lambda device: (device.runtime.kind.value,),
}
"""What the inventory says of a device. `model` and `variant` are subjects, too."""

CELL_SUBJECTS = ("model", "variant")

TEXT_FACTS: dict[str, Callable[[Facts], Words]] = {
    "arch": lambda facts: _words(facts.architecture),
    "system": lambda facts: _words(facts.system),
    "os": lambda facts: _words(facts.os_name),
    "libc": lambda facts: _words(facts.libc),
    "cpu": lambda facts: _words(facts.cpu_model),
    "gpu": lambda facts: tuple(gpu.name for gpu in facts.gpus),
    "feature": lambda facts: facts.cpu_features,
}
"""What the probe says in words; compared as globs, upper and lower case alike. Empty: it does not say."""

NUMBER_FACTS: dict[str, Callable[[Facts], float | None]] = {
    "cores": lambda facts: len(facts.core_ids) or None,
    "memory_gb": lambda facts: None if facts.memory_bytes is None else facts.memory_bytes / GIBIBYTE,
    "gpus": lambda facts: len(facts.gpus),
    "compute_capability": lambda facts: max(_capabilities(facts), default=None),
}
"""What the probe says in numbers. None: it does not say."""

SAME_ARCHITECTURE = {"arm64": "aarch64", "amd64": "x86_64", "x86-64": "x86_64", "x64": "x86_64"}

KERNEL_FEATURE = {
    "dotprod": "asimddp",
    "fp16": "asimdhp",
    "neon": "asimd",
    "avx512": "avx512f",
    "vnni": "avx512_vnni",
}
"""Names that people use for CPU features, and Linux's in /proc/cpuinfo."""

_RELATIONS: dict[Relation, Callable[[float, float], bool]] = {
    Relation.EQUAL: operator.eq,
    Relation.UNEQUAL: operator.ne,
    Relation.LESS: operator.lt,
    Relation.AT_MOST: operator.le,
    Relation.MORE: operator.gt,
    Relation.AT_LEAST: operator.ge,
}
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_COMPARISON = re.compile(r"(?P<name>\w+)\s*(?P<relation>==|!=|<=|>=|<|>)\s*(?P<value>.+)")
_PREFIXED = re.compile(r"(?P<name>\w+)\s*:\s*(?P<value>.+)")
_ATTRIBUTE = re.compile(r"(?P<key>[\w.-]+)\s*=\s*(?P<value>[^=\s].*)")
_NOT = re.compile(r"(?:not\s+|!\s*)(?P<rest>.*)")
_AND = re.compile(r"\s+and\s+")

FORMS = "tag:cuda, @group, soc=rk3588, device:arm-*, feature:dotprod, arch == aarch64, cores >= 4"


# --------------------------------------------------------------------------- text in


def parse(text: str) -> tuple[Condition, ...]:
    """The conditions of a text, joined by `and`. Raises RequestError with the nearest correct name."""
    return tuple(_one(part.strip()) for part in _AND.split(text))


def _one(text: str) -> Condition:
    negation = _NOT.fullmatch(text)
    rest = negation["rest"] if negation else text
    subject, relation, value, key = _read(rest)
    return Condition(text, subject, relation, (value,), key, negated=bool(negation))


def _read(text: str) -> tuple[str, Relation, str, str | None]:
    if text.startswith("@") and len(text) > 1:
        return "group", Relation.MATCHES, text[1:], None
    if found := _COMPARISON.fullmatch(text):
        return *_comparison(found["name"], Relation(found["relation"]), found["value"].strip("\"' ")), None
    if found := _ATTRIBUTE.fullmatch(text):
        return "attribute", Relation.MATCHES, found["value"], found["key"]
    if found := _PREFIXED.fullmatch(text):
        known = (*SUBJECTS, *CELL_SUBJECTS, *TEXT_FACTS)
        if found["name"] not in known:
            raise RequestError(
                f'"{text}": nothing is called "{found["name"]}:"{nearest(found["name"], known)}'
            )
        return found["name"], Relation.MATCHES, found["value"], None
    raise RequestError(f'"{text}" is not a condition; conditions look like {FORMS}')


def _comparison(name: str, relation: Relation, value: str) -> tuple[str, Relation, str]:
    known = (*SUBJECTS, *CELL_SUBJECTS, *TEXT_FACTS, *NUMBER_FACTS)
    if name not in known:
        guess = nearest(name, known) or f'; an attribute of the inventory is written "{name}={value}"'
        raise RequestError(f'"{name} {relation} {value}": there is no fact "{name}"{guess}')
    if name in NUMBER_FACTS:
        if not _NUMBER.fullmatch(value):
            raise RequestError(f'"{name} {relation} {value}": "{value}" is not a number')
    elif relation not in {Relation.EQUAL, Relation.UNEQUAL}:
        raise RequestError(f'"{name} {relation} {value}": {name} is text, compare it with == or !=')
    return name, relation, value


# --------------------------------------------------------------------------- truth out


def applies(
    condition: Condition, device: Device, facts: Facts | None, *, model: str = "", variant: Words = ()
) -> bool | None:
    """Whether the condition holds; None when only the device can say, and has not.

    `variant` are the names that mean the variant: its own, and that of the variant it was swept from.
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
    """Whether all conditions hold; None when only the device can say."""
    found = [applies(each, device, facts, model=model, variant=variant) for each in conditions]
    return False if False in found else None if None in found else True


def unwanted(rules: Rules, device: Device, facts: Facts | None, *, model: str, variant: str) -> str | None:
    """Why a cell is not wanted; None when it is, or when only the device can say.

    Asked twice: before a device is touched (`facts` None) and with what the probe found.
    """
    row = next((each for each in rules.models if each.name == model), None)
    column = next((each for each in rules.variants if each.name == variant), None)
    for part in (row, column):
        if part and all_apply(part.when, device, facts) is False:
            return f"{part.name} is only for {_in_words(part.when)} ({part.source})"
    names = (variant, column.base) if column else (variant,)
    means = partial(all_apply, device=device, facts=facts, model=model, variant=names)
    if rules.include and all(means(rule.conditions) is False for rule in rules.include):
        return f"no include rule of {rules.source} means it"
    for rule in rules.exclude:
        if means(rule.conditions):
            return rule.reason or f"excluded by {_in_words(rule.conditions)} ({rule.source})"
    return None


def runtime_of(build: Build, device: Device, facts: Facts | None) -> Runtime | None:
    """What a build runs on a device: the first choice that applies; a build without choices is the
    device's own runtime. None when no choice applies, or when only the device can say which one does.
    """
    if not build.choices:
        return device.runtime
    for choice in build.choices:
        applies_here = all_apply(choice.when, device, facts)
        if applies_here is not False:
            return choice.runtime if applies_here else None
    return None


def _in_words(conditions: Iterable[Condition]) -> str:
    return " and ".join(condition.text for condition in conditions)


def _holds(condition: Condition, device: Device, facts: Facts | None, cell: dict[str, Words]) -> bool | None:
    subject = condition.subject
    if subject in NUMBER_FACTS:
        number = NUMBER_FACTS[subject](facts) if facts else None
        return None if number is None else _RELATIONS[condition.relation](number, float(condition.values[0]))
    if subject in TEXT_FACTS:
        words = _fact(subject, facts)
    elif subject == "attribute":
        words = tuple(value for key, value in device.attributes if key == condition.key)
    else:
        words = cell[subject] if subject in cell else SUBJECTS[subject](device)
    if words is None:
        return None
    wanted = [_usual(subject, value) for value in condition.values]
    found = any(fnmatchcase(_usual(subject, word), pattern) for word in words for pattern in wanted)
    return found is not (condition.relation is Relation.UNEQUAL)


def _fact(name: str, facts: Facts | None) -> Words | None:
    words = TEXT_FACTS[name](facts) if facts else ()
    said_none = facts is not None and name == "gpu"  # a probe that finds no GPU says that there is none
    return words if words or said_none else None


def _usual(subject: str, word: str) -> str:
    """Facts in their usual spelling; names of the inventory as they are."""
    if subject not in TEXT_FACTS:
        return word
    word = word.casefold()
    if subject == "arch":
        return SAME_ARCHITECTURE.get(word, word)
    return KERNEL_FEATURE.get(word, word) if subject == "feature" else word


def _capabilities(facts: Facts) -> Iterator[float]:
    """The devices' compute capabilities; a text that is no number says nothing."""
    for gpu in facts.gpus:
        if gpu.compute_capability and _NUMBER.fullmatch(gpu.compute_capability):
            yield float(gpu.compute_capability)


def _words(text: str | None) -> Words:
    return (text,) if text else ()
