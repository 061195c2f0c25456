"""Preparations: searches and transformations, done once before the timed rounds, which use their product.

MegEngine's own recipe is such a chain (its user guide, "inference optimisation"): transform the layout
and dump the model, search algorithms on that model and keep the cache, then run with both. In the
timed rounds every process would search again, and might choose differently.
"""

from __future__ import annotations

from dataclasses import dataclass

from farm.errors import RequestError
from farm.model.matrix import Preparation
from farm.model.options import OptionSet, Value
from farm.options.catalogue import BY_NAME
from farm.options.parse import build, without
from farm.options.rules import SEARCHES

MODEL = "model"
"""What a preparation feeds when its product replaces the model itself."""

ONCE: dict[str, Value] = {"iter": 1, "warmup-iter": 1}
"""The work of a preparation is done in the first inference."""


@dataclass(frozen=True)
class _Row:
    """When any of `triggers` is set, a preparation writes `product` (an option that names a file); what
    comes after it gets the product as `feeds`, without the options in `done`.
    """

    kind: str
    triggers: tuple[str, ...]
    product: str
    default_name: str
    feeds: str
    done: tuple[str, ...]


ROWS = (
    _Row(
        "layout-transform", ("layout-transform",), "layout-transform-dump", "layout-transformed.mge",
        MODEL, ("layout-transform", "layout-transform-dump"),
    ),
    _Row("fast-run", SEARCHES, "fast-run-algo-policy", "fast-run.cache", "fast-run-algo-policy", SEARCHES),
    _Row("tensorrt", ("tensorrt",), "tensorrt-cache", "tensorrt.cache", "tensorrt-cache", ()),
)  # fmt: skip
"""In the order in which they are done."""


def preparations(options: OptionSet) -> tuple[tuple[Preparation, ...], OptionSet]:
    """The preparations that an option set asks for, in order, and what the timed rounds are left with."""
    found: list[Preparation] = []
    rest = options
    later = {name for row in ROWS for name in row.triggers} | {row.product for row in ROWS}
    for row in ROWS:
        later -= {*row.triggers, row.product}
        if not any(name in rest for name in row.triggers):
            continue
        file_name = str(rest.get(row.product) or row.default_name).replace("\\", "/").rpartition("/")[2]
        # Concurrent runs would overwrite the product.
        timed_only = without(
            rest, "thread", *later, *(name for name, _ in rest.values if not _belongs(name, row))
        )
        found.append(
            Preparation(
                kind=row.kind,
                options=build(timed_only.as_dict() | ONCE | {row.product: file_name}),
                product=row.product,
                role=BY_NAME[row.product].writes or row.kind,
                feeds=row.feeds,
                file_name=file_name,
            )
        )
        left = without(rest, *row.done)
        rest = left if row.feeds == MODEL else build(left.as_dict() | {row.product: file_name})
    return tuple(found), rest


def _belongs(name: str, row: _Row) -> bool:
    """Whether an option is part of a preparation: profiles, dumps and checks are not."""
    return BY_NAME[name].is_timed or name in (*row.triggers, row.product)


RECIPES: dict[str, dict[str, Value]] = {
    "x86-cpu": {"layout-transform": "cpu", "fast-run": True},
    "arm-cpu": {"layout-transform": "cpu", "fast-run": True},
    "nvidia": {"cuda": True, "layout-transform": "cuda", "fast-run": True},
}
"""The tuning of MegEngine's user guide by kind of processor: transform, search, run."""


def recipe(name: str) -> OptionSet:
    """The option set of a recipe. Raises RequestError for an unknown one."""
    if name not in RECIPES:
        raise RequestError(f"unknown recipe {name!r}", hint=f"use one of: {', '.join(RECIPES)}")
    return build(RECIPES[name])
