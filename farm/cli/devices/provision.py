"""`farm devices provision`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.deadline_options import with_deadlines
from farm.cli.terminal.asking import agreed, secret
from farm.cli.terminal.console import out, say
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.loop import run
from farm.cli.terminal.tables import simple_table
from farm.cli.typed import hint_line
from farm.device.former import own_name
from farm.errors import ExitCode, RequestError
from farm.files import user_path
from farm.inventory import read_devices
from farm.inventory.devices import USER
from farm.inventory.files import require_files
from farm.model.limits.deadlines import Deadlines
from farm.provision.nouns import State
from farm.provision.tasks import TASKS, tasks_named
from farm.run.devices.provision import Bringup, Provisioned, provision_devices
from farm.transport.provision import public_key

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm devices provision 'arm-*' --dry-run\n\n"
    "  farm devices provision arm-1 --as root\n\n"
    "  farm devices provision arm-1 --task governor --ask-sudo-password --yes"
}
NAMES = ", ".join(task.name for task in TASKS)


def command(
    devices: Annotated[str, typer.Argument(help="A selector, as in --devices.", metavar="SELECTOR")],
    *,
    inventory: args.Inventory = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help=f"Only this: {NAMES}. Repeatable.", metavar="NAME")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; nothing on a device changes.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before the first change.")] = False,
    login: Annotated[
        str | None,
        typer.Option("--as", help="Who logs in to do it. Default: the inventory's user.", metavar="USER"),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            help="The public key to let in. Default: the one of the inventory's identity.", metavar="FILE"
        ),
    ] = None,
    ask_sudo_password: Annotated[
        bool, typer.Option("--ask-sudo-password", help="Ask once for the password of sudo on these devices.")
    ] = False,
    deadline: Annotated[
        list[str] | None,
        typer.Option(
            "--deadline", help="A limit on a wait: connect, login, provision. Repeatable.", metavar="NAME=S"
        ),
    ] = None,
    json: args.Json = False,
) -> None:
    """Bring devices up: packages, user and key, working folder, rights to set the governor.

    Each task looks first, changes what is missing, and looks again: what is done already is left as it is.
    It shows what it would do and asks before it does. A device that somebody holds is not touched.
    """
    loaded, chosen = read_devices(inventory, devices)
    require_files(chosen, with_runtime=False)
    bringup = Bringup(
        tasks_named(tuple(task or ())),
        change=False,
        holder=own_name("farm devices provision"),
        deadlines=with_deadlines(Deadlines(), deadline or ()),
        note=lambda device, text: say(f"{device}: {text}"),
        login=_login(login),
        keys=_keys(key),
        sudo_password=secret("Password for sudo") if ask_sudo_password else None,
    )
    if yes and not dry_run:
        done = run(provision_devices(chosen, loaded.known_hosts, replace(bringup, change=True)))
    else:
        done = run(provision_devices(chosen, loaded.known_hosts, bringup))
        todo = {one.device for one in done if _is_left(one)}
        if todo and not dry_run:
            say_changes(done)
            if agreed(f"Change {', '.join(sorted(todo))}?"):
                again = [device for device in chosen if device.name in todo]
                order = replace(bringup, change=True)
                changed = {
                    one.device: one for one in run(provision_devices(again, loaded.known_hosts, order))
                }
                done = tuple(changed.get(one.device, one) for one in done)
            else:
                say("nothing was changed", "yellow")
    show_json([_as_json(one) for one in done]) if json else _show(done)
    if any(one.is_failed for one in done):
        raise typer.Exit(ExitCode.CELLS_FAILED)


def _login(login: str | None) -> str | None:
    if login is not None and not USER.fullmatch(login):
        raise RequestError(f'--as "{login}" is not a login name', hint="--as root")
    return login


def _keys(path: Path | None) -> tuple[str, ...]:
    if path is None:
        return ()
    return (public_key(user_path(str(path))),)


def _is_left(one: Provisioned) -> bool:
    return one.error is None and any(outcome.state is State.WOULD_CHANGE for outcome in one.outcomes)


def say_changes(done: Sequence[Provisioned]) -> None:
    """What a person is asked about."""
    for one in done:
        for outcome in one.outcomes:
            if outcome.state is State.WOULD_CHANGE:
                for change in outcome.changes:
                    say(f"{one.device}: {outcome.task}: {change}")


def _show(done: Sequence[Provisioned]) -> None:
    rows = [
        (one.device, outcome.task, outcome.state.value, outcome.why or "; ".join(outcome.changes))
        for one in done
        for outcome in one.outcomes
    ]
    if rows:
        out.print(simple_table(("device", "task", "state", "what"), rows))
    for one in done:
        for outcome in one.outcomes:
            if outcome.hint:
                say(f"{one.device}: {outcome.task}: {outcome.why}", "red")
                say(hint_line(outcome.hint))
        if one.error:
            say(f"{one.device}: {one.stage}: {one.error}", "red")
            if one.hint:
                say(hint_line(one.hint))


def _as_json(one: Provisioned) -> dict[str, Any]:
    record = asdict(one)
    record["tasks"] = record.pop("outcomes")
    return record
