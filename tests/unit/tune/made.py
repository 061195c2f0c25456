"""Searches that are played: every candidate has a time, a failure or outputs, and nothing is measured."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from farm.compare.duels import comparisons
from farm.model.comparison import Change, Duel, Phase
from farm.model.device import Address, CoreCluster, Device, Facts, Runtime, RuntimeKind
from farm.model.matrix import cell_id
from farm.model.options import OptionSet
from farm.model.outputs import Against, Check, OutputCheck, OutputVerdict
from farm.model.request import Request
from farm.model.run import CellResult, CellStatus, Results
from farm.tune.nouns import DEFAULT, Asked, Candidate, Tune
from farm.tune.outcomes import Beside
from farm.tune.search import Measured, Moment, World
from farm.tune.space import Target, axis_of_text, combinations
from tests.unit.compare.made import cell, run, timed

FACTS = Facts(
    architecture="aarch64",
    core_ids=tuple(range(8)),
    clusters=(CoreCluster((0, 1, 2, 3)), CoreCluster((4, 5, 6, 7))),
    cpu_features=("asimddp",),
)
REQUEST = Request(check=Check.OUTPUTS)
NOTHING = OptionSet()


def device(kind: RuntimeKind = RuntimeKind.NATIVE, **fields) -> Device:
    return Device("arm-1", Address("arm-1"), Runtime(kind, "p"), **fields)


def target(base: OptionSet = NOTHING, facts: Facts = FACTS, **fields) -> Target:
    return Target(device(), facts, "mdl", base, **fields)


def tune(*axes: str, budget_s: float = 600.0, seed: int = 1, **fields) -> Tune:
    space = combinations([axis_of_text(text) for text in axes], target())
    return of_candidates(space.candidates, budget_s=budget_s, seed=seed, axes=axes, **fields)


def of_candidates(candidates: tuple[Candidate, ...], **fields) -> Tune:
    usual: dict[str, Any] = {
        "id": "t", "farm_version": "0", "started_at": "2026-11-26T10:00:00+00:00", "asked": Asked(),
        "device": "arm-1", "model": "m", "model_sha256": "ab" * 32, "about": "a device", "invalid": 0,
        "budget_s": 600.0, "seed": 1, "axes": (),
    }  # fmt: skip
    return Tune(candidates=candidates, **(usual | fields))


def some(number: int) -> tuple[Candidate, ...]:
    """The default, and so many candidates `c1`, `c2` ... of one axis."""
    others = (Candidate(f"c{one}", {"workspace-limit": one}, (f"c={one}",)) for one in range(1, number + 1))
    return (Candidate(DEFAULT, {}, (f"c={DEFAULT}",)), *others)


@dataclass
class Played:
    """`times_ms` says how long a candidate takes by its options, or why it fails; `saved` is each state that was
    kept, `requests` what was measured. After `stop_after` measurements it is as if farm was killed. `failures`
    are fields of cells that failed with the rounds they have; `runtime_digests` are those of one run after the
    other.
    """

    times_ms: Callable[[str, Mapping[str, object]], float | str]
    noise: float = 0.003
    round_s: float = 0.5
    wrong: frozenset[str] = frozenset()
    wrong_at_end: frozenset[str] = frozenset()
    failures: dict[str, dict[str, Any]] = field(default_factory=dict)
    runtime_digests: tuple[str, ...] = ()
    lasted_s: float | None = None
    memory_bytes: dict[str, int] = field(default_factory=dict)
    fitted: OptionSet | None = None
    invalid: str | None = None
    stop_after: int | None = None
    saved: list[Tune] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def world(self) -> World:
        return World(
            self.measure,
            lambda _: Beside(self.memory_bytes, self.fitted),
            self.saved.append,
            self._told,
            lambda _: self.invalid,
        )

    def _told(self, made: Tune, moment: Moment) -> None:
        assert moment is Moment.CONFIRM or made.steps[-1].is_measured is (moment is Moment.AFTER)

    def measure(self, request: Request, name: str) -> Measured:
        return Measured(self._results(request, name), self.lasted_s)

    def _results(self, request: Request, name: str) -> Results:
        if self.stop_after is not None and len(self.requests) >= self.stop_after:
            raise KeyboardInterrupt
        self.requests.append(request)
        cells = tuple(self._cell(one.name, one.options, request, name) for one in request.variants)
        results = replace(
            run(*cells, outputs=tuple(self._checks(cells, request))), run_id=f"t-{name}",
            ended_at=None,
        )  # fmt: skip
        if not request.ab:
            return results
        ids = [cell_id("arm-1", "m", one) for one in request.ab]
        results = replace(results, duels=(Duel(ids[0], ids[1], Change.VARIANT),))
        return replace(results, comparisons=comparisons(results))

    def _cell(self, variant: str, options: OptionSet, request: Request, name: str) -> CellResult:
        found = self.times_ms(variant, options.as_dict())
        if isinstance(found, str):
            return cell(device="arm-1", variant=variant, status=CellStatus.FAILED, error=found, summary=None)
        draw = random.Random(zlib.crc32(f"{variant}/{name}/{request.seed}".encode()))
        fitting = max(int(request.budget_s / self.round_s / len(request.variants)), 1)

        def values(number: int) -> list[float]:
            return [found * (1 + draw.gauss(0, self.noise)) for _ in range(number)]

        rounds = timed(values(min(request.rounds, fitting)), wall_s=self.round_s)
        fresh = min(max(20, request.rounds), fitting - len(rounds)) if request.ab else 0
        rounds += timed(values(fresh), Phase.CONFIRM, wall_s=self.round_s)
        number = min(len(self.requests), len(self.runtime_digests)) - 1
        digest = self.runtime_digests[number] if self.runtime_digests else None
        made = cell(*rounds, device="arm-1", variant=variant, runtime_digest=digest)
        failed = self.failures.get(variant)
        return made if failed is None else replace(made, **({"status": CellStatus.FAILED} | failed))

    def _checks(self, cells: tuple[CellResult, ...], request: Request):
        if request.check is Check.OFF:
            return
        for one in cells:
            if one.status is CellStatus.COMPLETED:
                yield OutputCheck("arm-1", one.id, Against.ITSELF, "", OutputVerdict.EQUAL, "equal")
            if one.variant in (self.wrong_at_end if request.ab else self.wrong):
                yield OutputCheck(
                    "arm-1", one.id, Against.VARIANT, cells[0].id, OutputVerdict.FINDING, "it differs by 0.1"
                )


def by_name(times_ms: Mapping[str, float | str], usual: float = 10.0) -> Played:
    return Played(lambda name, _: times_ms.get(name, usual))
