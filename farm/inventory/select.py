"""Selectors: text in, devices of the inventory out. Pure.

    selector = ["!"] term { ("," | "&" | "!" | ",!" | "&!") term }
    term     = "all" | NAME | "@" GROUP | "tag:" TAG | ATTRIBUTE "=" VALUE

Names, groups, tags and values may have `*`, `?` and number ranges: `arm-[1-4,7]`, `arm-[01-09/2]`.
Operators work from left to right: `,` adds, `&` keeps what is in both, `!` removes.

The syntax is ClusterShell's, the code is not: its NodeSet makes every name that a range can mean
(ten million names take a minute) and resolves groups through configuration files of the system.
Here a term only tests existing names, so the cost of a range does not depend on its width.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

from farm.errors import RequestError
from farm.model.device import Device, Inventory
from farm.suggest import nearest

MAX_PIECES = 1000
"""Combinations of comma-separated pieces in the brackets of one term."""

_OPERATORS = re.compile(r"([,&!])")
_PARTS = re.compile(r"(?P<wild>[*?])|\[(?P<ranges>[^\[\]]*)\]|(?P<literal>[^*?\[\]]+)")
_RANGE = re.compile(r"(?P<first>\d{1,9})(?:-(?P<last>\d{1,9})(?:/(?P<step>\d{1,9}))?)?", re.ASCII)
_DIGITS = re.compile(r"[0-9]{1,9}")
_ATTRIBUTE = re.compile(r"([A-Za-z0-9._-]+)=(.*)", re.DOTALL)
_SHOWN = 8


def select(inventory: Inventory, text: str) -> tuple[Device, ...]:
    """The devices that match the selector `text`, in the order of the inventory.

    Raises RequestError when the selector is malformed, when a term (also one that removes, and each
    piece in brackets) matches no device of the inventory, or when no device is left: a typo must not
    shrink a benchmark.
    """
    terms = list(_terms(text))
    everything = frozenset(device.name for device in inventory.devices)
    chosen = everything if terms[0][0] == "!" else frozenset()
    for operator, term in terms:
        matched = _matched(inventory, term)
        if operator == "!":
            chosen -= matched
        elif operator == "&":
            chosen &= matched
        else:
            chosen |= matched
    if not chosen:
        raise RequestError(f'the selector "{text}" matches no device', hint="farm devices list")
    return tuple(device for device in inventory.devices if device.name in chosen)


# --------------------------------------------------------------------------- syntax


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """(operator, term) from left to right; the operator is `,`, `&` or `!`."""
    operator, ready = ",", False
    for piece in _tokens(text):
        if piece == "!" and operator != "!":
            operator, ready = "!", False
        elif piece in {",", "&"} and ready:
            operator, ready = piece, False
        elif piece in {",", "&", "!"}:
            raise RequestError(f'empty term before "{piece}" in the selector "{text}"')
        else:
            yield operator, piece
            operator, ready = "", True
    if not ready:
        raise RequestError(
            f'the selector "{text}" ends with an empty term' if text.strip() else "the selector is empty"
        )


def _tokens(text: str) -> Iterator[str]:
    """Operators and terms. A comma in brackets belongs to its term."""
    term = ""
    for piece in _OPERATORS.split(text):
        inside = term.count("[") > term.count("]")
        if _OPERATORS.fullmatch(piece) and not inside:
            if term.strip():
                yield term.strip()
            yield piece
            term = ""
        else:
            term += piece
    if term.strip():
        yield term.strip()


# --------------------------------------------------------------------------- patterns


@dataclass(frozen=True)
class _Range:
    """Numbers `first`..`last` by `step`, written with `width` digits at least (0: no leading zeros)."""

    first: int
    last: int
    step: int
    width: int

    def __contains__(self, digits: str) -> bool:
        number = int(digits)
        return (
            self.first <= number <= self.last
            and (number - self.first) % self.step == 0
            and digits == f"{number:0{self.width}d}"
        )


_Part = str | _Range
"""A literal, `*`, `?` or a range; literals never contain `*` and `?`."""


def _matches(parts: tuple[_Part, ...], text: str) -> bool:
    """Whether the parts, one after the other, match the whole text."""
    ends = {0}
    for part in parts:
        ends = {end for start in ends for end in _ends(part, text, start)}
    return len(text) in ends


def _ends(part: _Part, text: str, start: int) -> Iterator[int]:
    """Where `part` may end when it begins at `start`."""
    if isinstance(part, _Range):
        digits = _DIGITS.match(text, start)
        stop = digits.end() if digits else start
        yield from (end for end in range(start + 1, stop + 1) if text[start:end] in part)
    elif part == "*":
        yield from range(start, len(text) + 1)
    elif part == "?":
        yield from [start + 1] if start < len(text) else []
    elif text.startswith(part, start):
        yield start + len(part)


def _patterns(term: str, text: str) -> list[tuple[str, tuple[_Part, ...]]]:
    """`text` of `term` as patterns, one for each combination of pieces in brackets, as (text, parts)."""
    choices: list[list[tuple[str, _Part]]] = []
    end = 0
    for found in _PARTS.finditer(text):
        if found.start() != end:
            break
        end = found.end()
        if found["ranges"] is None:
            choices.append([(found[0], found[0])])
        else:
            pieces = [piece.strip() for piece in found["ranges"].split(",")]
            choices.append(
                [(f"[{piece}]" if "-" in piece else piece, _range(term, piece)) for piece in pieces]
            )
    if end != len(text):
        raise RequestError(f'"{term}" has an unbalanced bracket', hint="write ranges as arm-[1-4,7]")
    if prod(map(len, choices)) > MAX_PIECES:
        raise RequestError(
            f'"{term}" expands to more than {MAX_PIECES} patterns', hint="use * or a wider range"
        )
    combined = [zip(*combination, strict=True) for combination in product(*choices)]
    return [("".join(texts), parts) for texts, parts in combined]


def _range(term: str, piece: str) -> _Range:
    found = _RANGE.fullmatch(piece)
    if not found:
        raise RequestError(
            f'"{piece}" in "{term}" is not a number or a range',
            hint="ranges are written [1-4], [1-4,7], [01-09/2]",
        )
    first, last = found["first"], found["last"] or found["first"]
    padded = [digits for digits in (first, last) if digits.startswith("0") and len(digits) > 1]
    if padded and len(first) != len(last):
        raise RequestError(f'"{piece}" in "{term}" has leading zeros and numbers of different length')
    if int(first) > int(last):
        raise RequestError(f'"{piece}" in "{term}": the range ends before it starts')
    step = int(found["step"] or 1)
    if step == 0:
        raise RequestError(f'"{piece}" in "{term}" has a step of 0')
    return _Range(int(first), int(last), step, len(first) if padded else 0)


# --------------------------------------------------------------------------- terms


def _matched(inventory: Inventory, term: str) -> frozenset[str]:
    """Names of the devices that match one term."""
    if term in {"all", "*"}:
        return frozenset(device.name for device in inventory.devices)
    prefix, text, values = _subject(inventory, term)
    if not text:
        raise RequestError(f'"{term}" is incomplete')
    names: set[str] = set()
    for shown, parts in _patterns(term, text):
        found = {
            device.name
            for device in inventory.devices
            if any(_matches(parts, value) for value in values(device))
        }
        if not found:
            known = [prefix + value for device in inventory.devices for value in values(device)]
            raise _no_match(prefix + shown, list(dict.fromkeys(known)))
        names |= found
    return frozenset(names)


def _subject(inventory: Inventory, term: str) -> tuple[str, str, Callable[[Device], tuple[str, ...]]]:
    """What a term tests: its prefix, the pattern after it, and a device's values to test."""
    if term.startswith("@"):
        return "@", term[1:], lambda device: device.groups
    if term.startswith("tag:"):
        return "tag:", term[4:], lambda device: device.tags
    attribute = _ATTRIBUTE.fullmatch(term)
    if not attribute:
        return "", term, lambda device: (device.name,)
    key = attribute[1]
    known = dict.fromkeys(name for device in inventory.devices for name, _ in device.attributes)
    if key not in known:
        raise RequestError(
            f'no device has an attribute "{key}"{nearest(key, known)}',
            hint=f"use one of: {', '.join(known)}" if known else "this inventory has no attributes",
        )
    return (
        f"{key}=",
        attribute[2],
        lambda device: tuple(value for name, value in device.attributes if name == key),
    )


def _no_match(term: str, known: list[str]) -> RequestError:
    bare = re.sub(r"[*?\[\]]", "", term)
    shown = ", ".join(known[:_SHOWN]) + (f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    return RequestError(
        f'no device matches "{term}"{nearest(bare, known)}',
        hint=f"use one of: {shown}" if shown else "farm devices list",
    )
