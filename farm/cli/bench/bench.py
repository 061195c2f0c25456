"""`farm bench`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import typer

from farm.cli import arguments as args
from farm.cli.bench.catalogue_options import normalise
from farm.cli.bench.deadline_options import names_help, with_deadlines
from farm.cli.bench.request_options import takes_request
from farm.cli.bench.sampling import comparisons_of
from farm.cli.terminal import signals
from farm.cli.terminal.console import say
from farm.cli.terminal.live import Display
from farm.cli.terminal.loop import run
from farm.cli.terminal.progress import Bar, Lines
from farm.cli.typed import own_command
from farm.compare.outcome import exit_code
from farm.errors import ExitCode, RequestError
from farm.model.device import Device, Inventory
from farm.model.limits.cooling import Cooldown, cooldown
from farm.model.limits.deadlines import Deadlines
from farm.model.matrix import Plan
from farm.model.request import Request
from farm.model.run import Results
from farm.plan.builds import may_run_wheel
from farm.plan.estimate import expected
from farm.plan.prepare import prepare
from farm.run.bench import bench
from farm.run.context import Around, settings_of
from farm.run.devices.check import is_wheel_of_use
from farm.run.devices.quarantined import without_quarantined
from farm.run.events import Event, Kind, Listener
from farm.run.measure.against import against
from farm.runtime.files import wheel_files
from farm.store.cache.products import product_store
from farm.store.recent import recent_results
from farm.store.resume.asked import VERSION, Asked, keep_asked
from farm.store.runs import RunDirectory, new_run_id

SETTINGS: dict[str, Any] = {
    "context_settings": {"token_normalize_func": normalise},
    "epilog": "Examples:\n\n"
    "  farm bench\n\n"
    "  farm bench --devices 'arm-*,gpu-*' --model resnet18.mge --iter 50\n\n"
    "  farm bench --model a.mge --input 'data:x.npy' --variant 'plain=' --variant 'mt2=--multithread 2'\n\n"
    "  farm bench --build inventory --build release --model resnet18.mge\n\n"
    "  farm bench --suite inventory/nightly.yaml --run-id nightly-2026-11-23 --json",
}


@takes_request
def command(
    *,
    request: Request,
    runs_dir: args.RunsDir = Path("runs"),
    run_id: Annotated[
        str | None, typer.Option(help="Name of the run. Default: the time and four hex digits.", metavar="ID")
    ] = None,
    round_limit: args.RoundLimit = Deadlines.round_s,
    silence_limit: args.SilenceLimit = Deadlines.silence_s,
    wait: args.Wait = 0,
    reconnect: args.Reconnect = Deadlines.reconnect_s,
    deadline: Annotated[
        list[str] | None,
        typer.Option(help=f"Another limit on a wait; repeatable. {names_help()}", metavar="NAME=S"),
    ] = None,
    cool_down: Annotated[
        str | None,
        typer.Option(
            help="Before a timed round wait until the device is as cool as this: a temperature, a time "
            "limit, both, as 45C,60s, or off. Default: as the inventory says, else what it was when it was "
            "taken and 5 C more, 30 s at most.",
            metavar="45C,60s",
        ),
    ] = None,
    json: args.Json = False,
) -> None:
    """Run models on devices and write a report.

    Without --model: the bundled models. Without an inventory: this machine, as the device `local`.
    Every option of load_and_run is accepted under its own name; a --variant adds to these.
    """
    given = Deadlines(round_s=round_limit, silence_s=silence_limit, lease_wait_s=wait, reconnect_s=reconnect)
    deadlines = with_deadlines(given, deadline or ())
    cooling = _cooldown(cool_down) if cool_down is not None else None
    how = Benching(runs_dir, run_id, deadlines, cooling)
    results, is_reported = benched(request, how, partial(_finish, json=json))
    raise typer.Exit(exit_code(results) or (ExitCode.OK if is_reported else ExitCode.CELLS_FAILED))


def _finish(directory: RunDirectory, results: Results, *, json: bool) -> bool:
    from farm.cli.bench.finish import finish  # see _preparing_meanwhile

    return finish(directory, results, json=json)


@dataclass(frozen=True)
class Benching:
    """Where a request is measured, and how; `run_id` None: a new one."""

    runs_dir: Path
    run_id: str | None = None
    deadlines: Deadlines = Deadlines()
    cooldown: Cooldown | None = None


def benched(
    request: Request, how: Benching, finished: Callable[[RunDirectory, Results], bool]
) -> tuple[Results, bool]:
    """Measure a request as `farm bench` does, with its notes and display; `finished` as for `measure`.

    Raises RequestError where it is wrong, before any device is touched, and RunError.
    """
    with Bar() as bar:
        prepared = prepare(request, bar.update, fetch=True, of_use=is_wheel_of_any_use)
    plan = against(without_quarantined(prepared.plan, how.runs_dir), request, how.runs_dir, product_store())
    for line in comparisons_of(plan):
        say(line)
    if (time_needed := expected(plan, recent_results(how.runs_dir))) is not None:
        say(f"takes {time_needed.text}")
    directory = RunDirectory.create(how.runs_dir, how.run_id or new_run_id())
    keep(directory, Asked(VERSION, Path.cwd(), request, how.deadlines, how.cooldown))
    around = Around(prepared.inventory, prepared.runtime, how.deadlines, how.cooldown)
    return measure(plan, directory, around, partial(finished, directory))


def keep(directory: RunDirectory, asked: Asked) -> None:
    """Keep what was asked for, so that the run can be resumed."""
    try:
        keep_asked(directory.path, asked)
    except OSError as error:
        say(f"the run could not be resumed, if it is interrupted: {error.strerror or error}", "yellow")


def measure(
    plan: Plan, directory: RunDirectory, around: Around, finished: Callable[[Results], bool]
) -> tuple[Results, bool]:
    """Run a plan with its display; `finished` is called with what it came to, also of one that is
    interrupted, and what it says is handed on.
    """
    settings = settings_of(directory.run_id, around, own_command())
    wheel = None
    if around.runtime is not None and may_run_wheel(plan):
        wheel = wheel_files(around.runtime, Lines().update)
    with signals.held():  # no moment between the run and its report is cut
        try:
            with Display(plan) as display:
                told = _preparing_meanwhile(plan, display.on_event)
                results = run(bench(plan, directory, wheel, settings, told))
        except KeyboardInterrupt:
            signals.clean_up()
            finished(directory.results())
            raise
        return results, finished(results)


def _preparing_meanwhile(plan: Plan, told: Listener) -> Listener:
    """Where no device is this machine, the end is prepared in a round when all have come to theirs, in which
    nobody waits for it: that takes a third of a second.
    """
    thread, here = Thread(target=_prepare_ending, daemon=True), _boot_id()
    still_to_come = {cell.device.name for cell in plan.cells}
    may_begin = not any(device.is_local for device in plan.devices)

    def listen(event: Event) -> None:
        nonlocal may_begin
        if event.kind in (Kind.ROUND, Kind.FAILED, Kind.FINISHED):
            still_to_come.discard(event.device)
            # A container on this machine, or a name of it, has its kernel.
            may_begin = may_begin and (event.boot_id is None or event.boot_id != here)
        if event.kind is Kind.ROUND and may_begin and not still_to_come:
            may_begin = False
            with contextlib.suppress(RuntimeError):  # no more threads: it comes at the end, then
                thread.start()
        told(event)

    return listen


def _boot_id() -> str | None:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return None


def _prepare_ending() -> None:
    with contextlib.suppress(Exception):  # the end itself says what is wrong
        import farm.cli.bench.finish  # noqa: F401
        from farm.report.render import prepare

        prepare()


def _cooldown(text: str) -> Cooldown:
    """Of --cool-down. Raises RequestError."""
    try:
        return cooldown(text)
    except ValueError as error:
        raise RequestError(f"--cool-down: {error}", hint="--cool-down 45C,60s") from error


def is_wheel_of_any_use(inventory: Inventory, devices: Sequence[Device]) -> bool:
    return run(is_wheel_of_use(devices, inventory.known_hosts))
