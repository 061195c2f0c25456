"""`farm devices stability`: what each device can resolve, and which are fit to gate a release."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from farm.analysis.sample_size import MOST_PAIRS
from farm.analysis.verdicts import FEWEST_PAIRS
from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.compare.stability import Answer, Fitness, Question, Session, Standing, ranking, sessions_of
from farm.compare.words import change_of, interval, percent
from farm.errors import ExitCode, RequestError
from farm.inventory import read_devices
from farm.inventory.values.sampling import minimum_effect_of
from farm.model.device import ALL_DEVICES
from farm.model.request import MOST_ROUNDS
from farm.model.run import Results
from farm.report.numerals import MISSING, count
from farm.store.recent import newest_results
from farm.visible import one_line

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm devices stability 'arm-*'\n\n"
    "  farm devices stability 'arm-*' --measure --rounds 40\n\n"
    "  farm devices stability arm-1 --measure --model resnet18.mge --minimum-effect 2%"
}

MOST_RUNS = 40
MOST_S = 20.0
"""For the reading of earlier runs: then no further one is begun with."""

LONGEST_NAME = 40
MOST_NAMED = 20
"""Sentences on devices; --json has them all."""

PERCENT_LOG = 700.0


def command(
    *,
    devices: args.Selector = None,
    rounds: Annotated[
        int,
        typer.Option(
            help="Pairs of rounds that a comparison is to have; with --measure: that are measured.",
            metavar="N",
            min=FEWEST_PAIRS,
            max=MOST_ROUNDS,
        ),
    ] = Question.pairs,
    minimum_effect: args.MinimumEffect = "3%",
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Measure A/A rounds now, in a run of its own, and count them, too."),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="With --measure: a model file, or bundled:NAME. Default: bundled:shufflenet_v2_x0_5.",
            metavar="FILE",
        ),
    ] = None,
    wait: Annotated[
        float,
        typer.Option(
            help="With --measure: seconds to wait for a device that a run uses.",
            metavar="S",
            min=0,
            callback=args.finite,
        ),
    ] = 0,
    inventory: args.Inventory = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Show what each device can resolve, and which devices are fit to gate a release.

    From A/A rounds, which are of the same bytes on both sides: canaries of the newest 40 runs in --runs-dir,
    and what --measure adds. Without --measure no device is touched.
    """
    question = Question(rounds, _minimum(minimum_effect))
    if model is not None and not measure:
        raise RequestError("--model says what --measure runs", hint="add --measure, or leave --model out")
    _, chosen = read_devices(inventory, devices or ALL_DEVICES)
    now = None
    if measure:
        from farm.cli.bench.self_comparison import measured  # what reading alone does not need

        now = measured(inventory, devices, model, question, runs_dir, wait)
    names = [device.name for device in chosen]
    standings = ranking(_sessions(runs_dir, names, now), names, question)
    code = code_of(standings, now)
    if json:
        show_json(as_json(standings, question) | {"exit_code": int(code)})
    else:
        _show(standings, question)
    raise typer.Exit(code)


def _minimum(text: str) -> float:
    try:
        return minimum_effect_of(text)
    except RequestError as error:
        raise RequestError(f"--minimum-effect {error.message}", hint="--minimum-effect 3%") from None


def _sessions(runs_dir: Path, devices: Sequence[str], now: Results | None) -> Iterator[Session]:
    """The newest first; a run that is there twice counts once."""
    wanted, seen = frozenset(devices), set()
    if now is not None:
        seen.add(now.run_id)
        yield from sessions_of(now, wanted)
    for results in newest_results(runs_dir, MOST_RUNS, MOST_S):
        if results.run_id not in seen:
            seen.add(results.run_id)
            yield from sessions_of(results, wanted)


def code_of(standings: Sequence[Standing], now: Results | None) -> ExitCode:
    """The exit code; `now` is what --measure came to."""
    if all(one.fitness is Fitness.UNKNOWN for one in standings):
        return ExitCode.NOTHING_RAN
    if now is None:
        return ExitCode.OK
    from farm.compare.outcome import measured_code

    return ExitCode.OK if measured_code(now) is ExitCode.OK else ExitCode.CELLS_FAILED


# --------------------------------------------------------------------------- what is shown


def as_json(standings: Sequence[Standing], question: Question) -> dict[str, Any]:
    """For scripts: the fittest first."""
    return {
        "pairs": question.pairs,
        "minimum_effect": question.minimum_effect,
        "devices": [asdict(one) for one in standings],
    }


def _show(standings: Sequence[Standing], question: Question) -> None:
    for part in tables(standings, question):
        out.print(part)
    told = list(_sentences(standings))
    for text, style in told[:MOST_NAMED]:
        out.print(plain(text, style))
    if len(told) > MOST_NAMED:
        out.print(plain(f"and {len(told) - MOST_NAMED} more, which --json names"))
    nobody = [one.device for one in standings if one.fitness is Fitness.UNKNOWN]
    if nobody:
        whom = nobody[0] if len(nobody) == 1 else f"'{','.join(nobody[:MOST_NAMED])}'"
        say(f"too few A/A rounds, or none, of {count(len(nobody), 'device')}", "dim")
        say(f"  try: farm devices stability {whom} --measure")


def tables(standings: Sequence[Standing], question: Question) -> Iterator[Table | str]:
    """The ranking, and the noise by its source; where there is one model, it stands in a line of its own."""
    rows = [(one, answer) for one in standings for answer in one.answers]
    models = list(dict.fromkeys(_model(answer) for _, answer in rows))
    is_one = len(models) == 1
    column = () if is_one else ("model",)
    ranks = [(one.device, *(() if is_one else (_model(answer),)), *_rank(answer)) for one, answer in rows] + [
        (one.device, *("" for _ in column), "0", "0", MISSING, MISSING, Fitness.UNKNOWN)
        for one in standings
        if not one.answers
    ]
    if is_one:
        yield f"model: {models[0]}"
    shows, needs = f"{question.pairs} pairs show", f"{100 * question.minimum_effect:g} % needs"
    yield simple_table(("device", *column, "pairs", "sessions", shows, needs, "verdict"), ranks)
    noise = [
        (one.device, *(() if is_one else (_model(answer),)), *_noise(answer))
        for one, answer in rows
        if answer.noise.pairs
    ]
    if noise:
        yield ""
        yield simple_table(("noise of", *column, "rounds", "sessions", "a degree", "second round"), noise)


def _model(answer: Answer) -> str:
    name = answer.model if answer.variant == "default" else f"{answer.model} {answer.variant}"
    return one_line(name, LONGEST_NAME)


def _rank(answer: Answer) -> tuple[str, ...]:
    needed = answer.pairs_needed
    fits = needed is not None and needed <= MOST_PAIRS
    is_known = answer.fitness is not Fitness.UNKNOWN
    more = f"> {MOST_PAIRS}" if answer.noise.pair is not None else MISSING
    is_more = answer.fitness is Fitness.NEEDS_MORE
    return (
        str(answer.noise.pairs),
        str(answer.noise.sessions_count),
        _shown(answer),
        str(needed) if fits else more,
        answer.reason if is_known and is_more else answer.fitness.value,
    )


def _shown(answer: Answer) -> str:
    """`0.7 % (0.4 %)`: the smallest effect, and the minimum effect with which it is shown."""
    if answer.smallest_effect is None or answer.with_minimum_effect is None:
        return MISSING
    least = percent(answer.with_minimum_effect, signed=False)
    return f"{percent(answer.smallest_effect, signed=False)} ({least})"


def _noise(answer: Answer) -> tuple[str, ...]:
    noise = answer.noise
    order = change_of(noise.order)
    bounds = interval(noise.order)
    return (
        _of_log(noise.rounds),
        _of_log(noise.sessions),
        _of_log(noise.per_degree, signed=True),
        f"{order} ({bounds})" if bounds else order,
    )


def _of_log(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return MISSING
    return percent(math.expm1(min(value, PERCENT_LOG)), signed=signed)


def _sentences(standings: Sequence[Standing]) -> Iterator[tuple[str, str]]:
    """Which devices are fit, and why the others are not."""
    fit = [one.device for one in standings if one.fitness is Fitness.FIT]
    names = ", ".join(fit[:MOST_NAMED]) + (
        f" and {len(fit) - MOST_NAMED} more" if len(fit) > MOST_NAMED else ""
    )
    yield f"fit to gate a release: {names or 'none'}", "bold"
    for one in standings:
        for answer in one.answers:
            if answer.fitness in (Fitness.UNFIT, Fitness.UNKNOWN):
                yield f"{one.device}: {_model(answer)}: {answer.fitness}: {answer.reason}", "yellow"
