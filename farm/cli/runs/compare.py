"""`farm compare`: what changed between two runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.outputs import checks_lines
from farm.cli.runs.outputs import outputs_of_both
from farm.cli.terminal.comparisons import comparisons_table, counted
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.compare.amounts import fraction
from farm.compare.outcome import code_of, counts, ranked, unknown
from farm.compare.runs import TwoRuns, compare_runs
from farm.errors import ExitCode, RequestError
from farm.model.comparison import Change, Comparing, Verdict
from farm.model.outputs import OutputVerdict
from farm.store.runs import find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm compare nightly-2026-11-22 nightly-2026-11-23\n\n"
    "  farm compare release-1.4 latest --minimum-effect 2% --max-undecided 3\n\n"
    "  farm compare release-1.4 latest --change build --json"
}

MOST_NAMED = 10
"""Cells without a partner that are named, each in a line."""


def command(
    *,
    baseline: Annotated[
        str, typer.Argument(help="The run to compare with: its id, its folder, or `latest`.")
    ],
    run: args.Run,
    minimum_effect: args.MinimumEffect = "3%",
    max_undecided: args.MaxUndecided = 0,
    change: Annotated[
        Change | None,
        typer.Option(help="What changed between the two. Default: found from what differs.", metavar="WHAT"),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show what is unchanged, too.")] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Measure old and new in one lease where something looks changed."),
    ] = False,
    inventory: args.Inventory = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Compare a run with a baseline, cell by cell.

    Two runs of different nights are never called slower or faster: what looks changed is inconclusive until
    fresh pairs confirm it on the device.
    """
    comparing = Comparing(_minimum(minimum_effect), max_undecided)
    old, new = find_run(runs_dir, baseline), find_run(runs_dir, run)
    if old.path.resolve() == new.path.resolve():
        raise RequestError(f"{baseline} and {run} are the same run", hint="farm runs list shows the others")
    compared = compare_runs(old.results(), new.results(), comparing, change)
    if confirm:
        from farm.cli.bench.confirming import Where, confirmed  # what comparing alone does not need

        by = confirmed(old, new, compared, Where(inventory, runs_dir))
        compared = compare_runs(old.results(), new.results(), comparing, compared.change, by=by)
    checks = outputs_of_both(old, new, compared)
    missing = len(compared.without_baseline) + unknown(checks)
    code = code_of(compared.comparisons, max_undecided, missing=missing)
    if any(one.verdict is OutputVerdict.WRONG for one in checks):
        code = ExitCode.REGRESSION
    if json:
        outputs = [asdict(one) for one in checks]
        show_json(as_json(compared) | {"outputs": outputs, "exit_code": int(code)})
    else:
        _show(compared, show_all=show_all)
        for line in checks_lines(checks):
            out.print(plain(line))
    raise typer.Exit(code)


def _minimum(text: str) -> float:
    try:
        return fraction(text)
    except ValueError as error:
        raise RequestError(f"--minimum-effect {error}", hint="--minimum-effect 3%") from error


def _show(compared: TwoRuns, *, show_all: bool) -> None:
    order = ranked(compared.comparisons)
    shown = [one for one in order if show_all or one.verdict is not Verdict.UNCHANGED]
    out.print(plain(f"{compared.run} compared with {compared.baseline_run}; what changes: {compared.change}"))
    out.print(counted(compared.comparisons))
    if shown:
        out.print(comparisons_table(shown))
    for one in shown:
        out.print(plain(f"{one.candidate}: {one.sentence}"))
        for difference in one.differences:
            out.print(plain(f"  differs: {difference}", "dim"))
    if len(shown) < len(order):
        say(f"{len(order) - len(shown)} unchanged are not shown; --all shows them", "dim")
    _name("has no baseline", compared.without_baseline)
    _name(f"is not in {compared.run}", compared.not_in_run)


def _name(what: str, cells: tuple[str, ...]) -> None:
    for cell in cells[:MOST_NAMED]:
        out.print(plain(f"{cell}: {what}", "yellow"))
    if len(cells) > MOST_NAMED:
        out.print(plain(f"{len(cells) - MOST_NAMED} more: {what}; --json names them", "yellow"))


def as_json(compared: TwoRuns) -> dict[str, Any]:
    """For scripts: all comparisons, what changed first."""
    return {
        "baseline_run": compared.baseline_run,
        "run": compared.run,
        "change": compared.change,
        "minimum_effect": compared.comparing.minimum_effect,
        "max_undecided": compared.comparing.max_undecided,
        "counts": counts(compared.comparisons),
        "comparisons": [asdict(one) for one in ranked(compared.comparisons)],
        "without_baseline": list(compared.without_baseline),
        "not_in_run": list(compared.not_in_run),
    }
