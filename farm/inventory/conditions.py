"""Conditions of suites: text in, nouns out; farm.plan.rules evaluates them. Pure.

    condition = ["not" | "!"] ( SUBJECT ":" GLOB | "@" GROUP | ATTRIBUTE "=" GLOB | FACT RELATION VALUE )

Subjects and facts are the tables below. `when: [a, b]` and `a and b` require both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from farm.errors import RequestError
from farm.model.build import Condition, Relation
from farm.model.device import Device, Facts
from farm.suggest import nearest

GIBIBYTE = 2**30

Words = tuple[str, ...]

SUBJECTS: dict[str, Callable[[Device], Words]] = {
    "device": lambda device: (device.name,),
    "tag": lambda device: device.tags,
    "group": lambda device: device.groups,
    "runtime": lambda device: (device.runtime.kind.value,),
}
"""Properties of a device in the inventory. `model` and `variant` are subjects, too."""

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
"""Facts that are text; compared as globs, ignoring case. Empty: not known."""

NUMBER_FACTS: dict[str, Callable[[Facts], float | None]] = {
    "cores": lambda facts: len(facts.core_ids) or None,
    "memory_gb": lambda facts: None if facts.memory_bytes is None else facts.memory_bytes / GIBIBYTE,
    "gpus": lambda facts: len(facts.gpus),
    "compute_capability": lambda facts: max(_capabilities(facts), default=None),
}
"""Facts that are numbers. None: not known."""

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_COMPARISON = re.compile(r"(?P<name>\w+)\s*(?P<relation>==|!=|<=|>=|<|>)\s*(?P<value>.+)")
_PREFIXED = re.compile(r"(?P<name>\w+)\s*:\s*(?P<value>.+)")
_ATTRIBUTE = re.compile(r"(?P<key>[\w.-]+)\s*=\s*(?P<value>[^=\s].*)")
_NOT = re.compile(r"(?:not\s+|!\s*)(?P<rest>.*)")
_AND = re.compile(r"\s+and\s+")

FORMS = "tag:cuda, @group, soc=rk3588, device:arm-*, feature:dotprod, arch == aarch64, cores >= 4"


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
            raise RequestError(f'"{text}": unknown subject "{found["name"]}:"{nearest(found["name"], known)}')
        return found["name"], Relation.MATCHES, found["value"], None
    raise RequestError(f'"{text}" is not a condition; examples: {FORMS}')


def _comparison(name: str, relation: Relation, value: str) -> tuple[str, Relation, str]:
    known = (*SUBJECTS, *CELL_SUBJECTS, *TEXT_FACTS, *NUMBER_FACTS)
    if name not in known:
        guess = nearest(name, known) or f'; for an attribute of the inventory write "{name}={value}"'
        raise RequestError(f'"{name} {relation} {value}": unknown fact "{name}"{guess}')
    if name in NUMBER_FACTS:
        if not _NUMBER.fullmatch(value):
            raise RequestError(f'"{name} {relation} {value}": "{value}" is not a number')
    elif relation not in {Relation.EQUAL, Relation.UNEQUAL}:
        raise RequestError(f'"{name} {relation} {value}": {name} is text; use == or !=')
    return name, relation, value


def _capabilities(facts: Facts) -> Iterator[float]:
    """The GPUs' compute capabilities; texts that are not numbers are ignored."""
    for gpu in facts.gpus:
        if gpu.compute_capability and _NUMBER.fullmatch(gpu.compute_capability):
            yield float(gpu.compute_capability)


def _words(text: str | None) -> Words:
    return (text,) if text else ()
