"""`farm runs gc`: the room that old runs take."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.history.times import ago_s
from farm.cli.terminal.console import out, plain, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import FarmError, RequestError, RunError
from farm.report.numerals import count, in_bytes
from farm.store.retention.expire import Judged, judged, remove, remove_leftovers
from farm.store.retention.rules import Rules
from farm.store.sources import sources

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm runs gc --keep-within 30d\n\n"
    "  farm runs gc --keep-last 10 --keep-daily 30 --keep-weekly 26 --keep-monthly 36 --yes\n\n"
    "  farm runs gc --keep-monthly 36 --whole --yes"
}


def command(
    *,
    keep_last: Annotated[int, typer.Option(help="Keep the newest N runs.", min=0, metavar="N")] = 0,
    keep_within: Annotated[
        str | None, typer.Option(help="Keep all runs since so long ago: 36h, 30d, 12w, 1y.", metavar="TIME")
    ] = None,
    keep_daily: Annotated[
        int,
        typer.Option(
            help="Keep the newest run of each of the last N days that have one.", min=0, metavar="N"
        ),
    ] = 0,
    keep_weekly: Annotated[int, typer.Option(help="The same for N weeks.", min=0, metavar="N")] = 0,
    keep_monthly: Annotated[int, typer.Option(help="The same for N months.", min=0, metavar="N")] = 0,
    whole: Annotated[
        bool, typer.Option("--whole", help="Remove expired runs whole, from the history too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove it. Without: show what would go.")] = False,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Show what of old runs would go; with --yes, remove it.

    Of an expired run logs, profiles, dumps and its hold on kept files go; results and report stay, and so
    does its place in the history. Tagged runs and those that go on are never touched.
    """
    within_s = 0.0 if keep_within is None else ago_s("--keep-within", keep_within)
    rules = Rules(keep_last, within_s, keep_daily, keep_weekly, keep_monthly)
    if rules.is_empty:
        raise RequestError("nothing says which runs stay", hint="farm runs gc --keep-within 30d")
    found = judged(runs_dir, sources(runs_dir), rules, time.time(), whole=whole)
    expired = [one for one in found if one.is_expired]
    problems = _remove(runs_dir, expired, whole=whole) if yes else {}
    if json:
        show_json({"removed": yes, "whole": whole, "runs": [_as_json(one, problems) for one in found]})
    else:
        _show(found, expired, is_done=yes)
    if problems:
        raise RunError(f"{count(len(problems), 'run')} could not be removed: {next(iter(problems.values()))}")


def _remove(runs_dir: Path, expired: list[Judged], *, whole: bool) -> dict[str, str]:
    """Why some could not be removed, by run; the others are."""
    remove_leftovers(runs_dir)
    problems: dict[str, str] = {}
    for one in expired:
        name = one.directory.run_id
        try:
            remove(one.directory, whole=whole)
        except OSError as error:
            problems[name] = f"{error.filename or one.directory.path}: {error.strerror or error}"
        except FarmError as error:
            problems[name] = f"{name}: {error.message}"
            say(f"{name}: {error.message}; try: {error.hint}", "yellow")
    return problems


def _as_json(one: Judged, problems: dict[str, str]) -> dict[str, Any]:
    return {
        "run": one.directory.run_id,
        "expired": one.is_expired,
        "kept_because": one.reason,
        "size_bytes": one.size_bytes,
        "problem": problems.get(one.directory.run_id),
    }


def _show(found: list[Judged], expired: list[Judged], *, is_done: bool) -> None:
    rows = [
        (one.directory.run_id, one.reason or "expired", in_bytes(one.size_bytes) if one.is_expired else "")
        for one in found
    ]
    if rows:
        out.print(simple_table(("run", "", "frees"), rows))
    total = in_bytes(sum(one.size_bytes for one in expired))
    done = "removed" if is_done else "would go"
    out.print(plain(f"{count(len(expired), 'run')} of {len(found)} expired, {total} {done}"))
    if expired and not is_done:
        say("--yes removes it")
    elif expired:
        say("farm runs kept --clean frees what only these runs referred to")
