"""The memory that a model is planned to use: at each step how much, and for what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Holder:
    """A piece of the plan: what holds it (the operator that begins to use it), how many bytes, and from step
    `begin` up to, not including, `finish`.
    """

    name: str
    size_bytes: int
    begin: int
    finish: int


@dataclass(frozen=True)
class MemoryStep:
    """The bytes that are in use from this step of the sequence on, without weights; `operator` runs then."""

    step: int
    operator: str
    used_bytes: int


@dataclass(frozen=True)
class MemoryTimeline:
    """The planned memory of one inference.

    `steps` has one entry for each step of the sequence. `peak_bytes` is the most in use at once, first at
    step `peak_step`, and `holders` are what is in use then, largest first. `reserved_bytes` is what the
    plan needs in one piece (holes between pieces count), `weight_bytes` are held all the time and are in
    neither. `left_out` counts pieces or steps that were not read.
    """

    steps: tuple[MemoryStep, ...]
    peak_bytes: int
    peak_step: int
    holders: tuple[Holder, ...]
    reserved_bytes: int
    weight_bytes: int
    left_out: int = 0
