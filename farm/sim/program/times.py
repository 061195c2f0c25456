"""The times of a run, in milliseconds."""

from __future__ import annotations

import math
import random

from farm.sim.properties import Program

HOST_PART = 0.9
"""How much of an iteration passes before the host has launched all."""


class Times:
    """`measured` has (e2e, host) of each iteration, rounded as they are printed."""

    def __init__(self, program: Program, number: int, model: str, options: dict[str, str]) -> None:
        names = {model, *options, *(name.replace("_", "-") for name in options)}
        latency_ms = program.latency_ms * math.prod(
            factor for name, factor in program.factors if name in names
        )
        noise = random.Random(f"{program.seed}/{number}")  # noqa: S311 - to be the same again, not to be secret
        self.iterations = int(options.get("iter", 10))
        self.warmups = int(options.get("warmup_iter", 1))
        self.load_ms = program.load_ms
        self.first_ms = program.first_ms
        self.measured = [
            (round(e2e_ms, 3), round(e2e_ms * HOST_PART, 3))
            for e2e_ms in (
                latency_ms * math.exp(noise.gauss(0.0, program.noise)) for _ in range(self.iterations)
            )
        ]

    def slow_down(self, index: int, factor: float) -> None:
        """The iteration takes so much longer."""
        e2e_ms, host_ms = self.measured[index]
        self.measured[index] = (round(e2e_ms * factor, 3), round(host_ms * factor, 3))

    @property
    def e2e_ms(self) -> list[float]:
        return [e2e_ms for e2e_ms, _ in self.measured]

    @property
    def deviation_ms(self) -> float:
        """Of the sample, as the real program has it; nan for one iteration."""
        if self.iterations < 2:
            return math.nan
        mean_ms = sum(self.e2e_ms) / self.iterations
        return math.sqrt(sum((one - mean_ms) ** 2 for one in self.e2e_ms) / (self.iterations - 1))
