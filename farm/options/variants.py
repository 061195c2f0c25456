"""Variants and sweeps: the columns of a comparison, from text."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from farm.errors import RequestError
from farm.model.options import OptionSet, Variant
from farm.options.catalogue.layout import LAYOUTS
from farm.options.lookup import option
from farm.options.parse import build, merge, parse_bare
from farm.options.values import convert

NAME_LIMIT = 120
VARIANT_LIMIT = 1000

_LAYOUT_NAMES = [row.name.removeprefix("enable-") for row in LAYOUTS]
CHOICES: dict[str, dict[str, str | None]] = {
    "layout": {"default": None} | {name: f"enable-{name}" for name in _LAYOUT_NAMES},
    "device": {"default": None, "cpu": "cpu", "cpu-default": "cpu-default", "cuda": "cuda"},
}
"""Pseudo-options of a sweep: a word selects one flag of a family, `default` none."""


def variant(text: str) -> Variant:
    """A variant from `NAME=OPTIONS`, e.g. `t2=--multithread 2 --fast-run`; leading dashes may be left out.

    Raises RequestError for a bad name or bad options.
    """
    name, equals, words = text.partition("=")
    if not equals:
        raise RequestError(f"--variant {text[:80]!r} has no name", hint="--variant 'NAME=--option value ...'")
    try:
        split = shlex.split(words)
    except ValueError as error:
        raise RequestError(
            f"--variant {name.strip()!r}: {error}".replace("No closing", "no closing")
        ) from None
    return Variant(variant_name(name), parse_bare(split)[0])


def variant_name(name: str) -> str:
    """A variant's name, checked: printable, not too long, not empty as a path component."""
    name = name.strip()
    if not name or len(name) > NAME_LIMIT or not name.isprintable() or not slug(name):
        raise RequestError(f"{name[:80]!r} is not a name for a variant", hint="use letters and digits")
    return name


def slug(name: str) -> str:
    """A name as one path component: letters, digits, `.`, `-`, `_`, `=` and `+`; others become `-`."""
    return re.sub(r"[^\w.=+-]+", "-", name).strip(".-")


def unique(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """The variants. Raises RequestError if two have the same name, or the same name in a path."""
    seen: dict[str, str] = {}
    kept = tuple(variants)
    for item in kept:
        key = slug(item.name).casefold()
        if key in seen:
            raise RequestError(
                f"two variants have the name {item.name!r}"
                if seen[key] == item.name
                else f"variants {seen[key]!r} and {item.name!r} have the same name in a path",
                hint="use a different name for each",
            )
        seen[key] = item.name
    return kept


def sweep(*texts: str) -> tuple[Variant, ...]:
    """Variants for all combinations of `OPTION=VALUE,VALUE,...`, e.g. `multithread=1,2,4`.

    `layout=nchw44,nchw88` and `device=cpu,cuda` choose among flags; `default` is none of them.
    """
    axes = [_axis(text) for text in texts]
    doubled = [
        axis.name for index, axis in enumerate(axes) if axis.name in {other.name for other in axes[:index]}
    ]
    if doubled:
        raise RequestError(f"--sweep {doubled[0]} is given twice", hint="put all values into one --sweep")
    return product(*(axis.variants for axis in axes)) if axes else ()


def product(*columns: Sequence[Variant]) -> tuple[Variant, ...]:
    """All combinations, one variant of each column; names joined by a comma, options merged."""
    combined: list[Variant] = []
    for column in columns:
        earlier = combined or [Variant("", OptionSet())]
        if len(earlier) * len(column) > VARIANT_LIMIT:
            raise RequestError(
                f"too many variants (more than {VARIANT_LIMIT})", hint="sweep over fewer values"
            )
        combined = [
            Variant(", ".join(filter(None, (one.name, other.name))), merge(one.options, other.options))
            for one in earlier
            for other in column
        ]
    return unique(combined)


@dataclass(frozen=True)
class _Axis:
    name: str
    variants: tuple[Variant, ...]


def _axis(text: str) -> _Axis:
    name, equals, values = text.lstrip("-").partition("=")
    words = [word.strip() for word in values.split(",")]
    if not equals or not all(words):
        raise RequestError(
            f"--sweep {text[:80]!r} is not of the form OPTION=VALUE,VALUE", hint="multithread=1,2,4"
        )
    if name in CHOICES:
        return _Axis(name, unique(_chosen(name, word) for word in words))
    row = option(name)
    options = [(word, build({row.name: convert(row, word)})) for word in words]
    return _Axis(
        row.name, unique(Variant(variant_name(f"{row.name}={word}"), values) for word, values in options)
    )


def _chosen(family: str, word: str) -> Variant:
    choices = CHOICES[family]
    if word not in choices:
        raise RequestError(f"--sweep {family}: {word!r} is not one of {', '.join(choices)}")
    flag = choices[word]
    return Variant(f"{family}={word}", build({flag: True}) if flag else OptionSet())
