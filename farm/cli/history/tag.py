"""`farm runs tag`: names for runs that stay."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.errors import RequestError
from farm.store.notes.tags import all_tags, remove_tag, set_tag
from farm.store.runs import find_run

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n"
    "  farm runs tag\n\n"
    "  farm runs tag latest release-1.13 --note 'shipped on Friday'\n\n"
    "  farm bench --suite nightly.yaml --baseline tag:release-1.13\n\n"
    "  farm runs tag --remove release-1.13"
}


def command(
    run: Annotated[str | None, typer.Argument(help="A run's id, its folder, or `latest`.")] = None,
    name: Annotated[str | None, typer.Argument(help="The tag that it gets.")] = None,
    *,
    note: Annotated[str, typer.Option(help="Why, for people.", metavar="TEXT")] = "",
    move: Annotated[bool, typer.Option("--move", help="Take the tag from the run that has it.")] = False,
    remove: Annotated[
        str | None, typer.Option(help="Remove this tag; its run stays.", metavar="NAME")
    ] = None,
    runs_dir: args.RunsDir = Path("runs"),
    json: args.Json = False,
) -> None:
    """Give a run a name that stays, take it away, or list all tags.

    Wherever a run is asked for, `tag:NAME` is the run with that tag. `farm runs gc` never removes it.
    """
    if remove is not None:
        if run is not None:
            raise RequestError("--remove takes no run", hint=f"farm runs tag --remove {remove}")
        changed = [remove_tag(runs_dir, remove)]
    elif run is None:
        changed = list(all_tags(runs_dir))
    elif name is None:
        raise RequestError("a run, and no tag for it", hint=f"farm runs tag {run} release-1.0")
    else:
        changed = [set_tag(runs_dir, name, _run_id(runs_dir, run), note, is_moved=move)]
    if json:
        show_json([asdict(one) for one in changed])
    elif remove is not None:
        out.print(plain(f"removed the tag {changed[0].name} of the run {changed[0].run}"))
    elif run is not None:
        out.print(plain(f"tag:{changed[0].name} is the run {changed[0].run}"))
    elif changed:
        rows = [(one.name, one.run, one.at[:16].replace("T", " "), one.note) for one in changed]
        out.print(simple_table(("tag", "run", "since (UTC)", "note"), rows))
    else:
        out.print(plain(f"no tags in {runs_dir}; type: farm runs tag RUN NAME"))


def _run_id(runs_dir: Path, run: str) -> str:
    """The name of its folder in `runs_dir`. Raises RequestError where it is elsewhere."""
    found = find_run(runs_dir, run).path.resolve()
    if found.parent != runs_dir.resolve():
        raise RequestError(f"{found} is not in {runs_dir}", hint=f"--runs-dir {found.parent}")
    return found.name
