"""Runs for release reports, made by hand: builds of one lease, and nights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from farm.compare.duels import comparisons
from farm.model.comparison import Change, Duel, Phase
from farm.model.outputs import Against, OutputCheck, OutputVerdict
from farm.model.run import Results
from farm.release.decide import Release, decide
from farm.release.extract import facts_of
from farm.release.nouns import RunFacts
from farm.release.versions import choose
from farm.store.codec import results_from_json, results_to_json
from tests.unit.compare.made import cell, noise, run, timed


def lease(
    run_id: str,
    builds: Mapping[str, float],
    devices: Sequence[str] = ("arm-1",),
    *,
    confirm: int = 12,
    chain: bool = False,
    hour: int = 11,
) -> Results:
    """A run of builds, each with the factor of its time; all are compared with the first one, or (`chain`)
    each with the one before.
    """
    cells, duels = [], []
    fresh = confirm if len(set(builds.values())) > 1 else 0  # what is unchanged gets none
    for device in devices:
        ids = []
        for build, factor in builds.items():
            rounds = (
                *timed(noise(10, 0.004, 10.0 * factor)),
                *timed(noise(fresh, 0.004, 10.0 * factor, 1001), Phase.CONFIRM),
            )
            made = cell(*rounds, device=device, build=build)
            ids.append(made.id)
            cells.append(made)
        firsts = ids[:-1] if chain else [ids[0]] * (len(ids) - 1)
        duels += [Duel(old, new, Change.BUILD) for old, new in zip(firsts, ids[1:], strict=True)]
    started = f"2026-11-23T{hour:02d}:00:00+00:00"
    return judged(run(*cells, duels=tuple(duels), run_id=run_id, started_at=started))


@cache
def compared() -> Results:
    """The example with all five verdicts, a failed cell and two canaries."""
    path = Path(__file__).parents[2] / "data" / "results" / "compared.json"
    return results_from_json(path.read_bytes(), str(path))


def judged(results: Results) -> Results:
    return replace(results, comparisons=comparisons(results))


def night(run_id: str, factor: float = 1.0, devices: Sequence[str] = ("arm-1",), hour: int = 1) -> Results:
    cells = (cell(*timed(noise(10, 0.004, 10.0 * factor)), device=device) for device in devices)
    return run(*cells, run_id=run_id, started_at=f"2026-11-24T{hour:02d}:00:00+00:00")


def wrong(results: Results, cell_id: str) -> Results:
    check = OutputCheck(
        cell_id.partition("/")[0],
        cell_id,
        Against.GOLDEN,
        "golden.npz",
        OutputVerdict.WRONG,
        "differs by 0.3",
    )
    return replace(results, outputs=(*results.outputs, check))


def facts(*results: Results) -> list[RunFacts]:
    return [facts_of(one, number, Path("runs") / one.run_id) for number, one in enumerate(results)]


def release(*results: Results, asked: Sequence[str] = (), max_undecided: int | None = None) -> Release:
    runs = facts(*results)
    return decide(runs, choose(runs, asked, {}), {}, max_undecided)


def keep(results: Results, runs: Path = Path("runs")) -> Path:
    folder = runs / results.run_id
    folder.mkdir(parents=True)
    (folder / "results.json").write_bytes(results_to_json(results))
    return folder
