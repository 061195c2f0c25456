"""`farm dumps memory`: the memory that a model is planned to use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from farm.analysis.dumps.memory import memory_timeline
from farm.cli import arguments as args
from farm.cli.terminal.console import out, plain
from farm.cli.terminal.json_output import show_json
from farm.cli.terminal.tables import simple_table
from farm.dumps.malformed import MalformedError
from farm.dumps.static_mem import MAX_BYTES, parse_static_memory
from farm.errors import RequestError
from farm.files import user_path
from farm.model.memory import MemoryTimeline

SETTINGS: dict[str, Any] = {
    "epilog": "Examples:\n\n  farm dumps memory mem/StaticMemoryInfo.json\n\n  farm dumps memory mem/ --json"
}

NAME = "StaticMemoryInfo.json"
HINT = "give a folder or file that --get-static-mem-info wrote"
MOST_ROWS = 20


def command(
    *,
    plan: Annotated[str, typer.Argument(help="What --get-static-mem-info wrote: its folder, or the file.")],
    show_all: Annotated[bool, typer.Option("--all", help="Show every step.")] = False,
    json: args.Json = False,
) -> None:
    """Show the planned memory of a model: its peak, who holds it, and each step."""
    found = read_plan(user_path(plan))
    if json:
        show_json(asdict(found))
        return
    for one in _shown(found, show_all=show_all):
        out.print(one)


def read_plan(path: Path) -> MemoryTimeline:
    """Raises RequestError for what is no plan, cannot be read, or is larger than MAX_BYTES."""
    path = path / NAME if path.is_dir() else path
    try:
        if not path.is_file():
            raise RequestError(f"no such file: {path}", hint=HINT)
        if (size_bytes := path.stat().st_size) > MAX_BYTES:
            raise RequestError(f"{path} has {size_bytes:,} bytes, more than {MAX_BYTES:,}", hint=HINT)
        return memory_timeline(parse_static_memory(path.read_text("utf-8", "replace")))
    except MalformedError as error:
        raise RequestError(f"{path}: {error.message}", hint=HINT) from error
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}", hint=HINT) from error


def _shown(found: MemoryTimeline, *, show_all: bool) -> Iterator[RenderableType]:
    step = found.steps[found.peak_step].operator if found.steps else ""
    yield plain(f"peak: {found.peak_bytes:,} bytes in use at step {found.peak_step} ({step})", "bold")
    yield plain(f"reserved: {found.reserved_bytes:,} bytes; weights: {found.weight_bytes:,} bytes")
    if found.left_out:
        yield plain(f"{found.left_out:,} pieces are not told: malformed, or after the last step", "yellow")
    rows = [(one.name, f"{one.size_bytes:,}", f"{one.begin} to {one.finish - 1}") for one in found.holders]
    yield simple_table(("holds the peak", "bytes", "steps"), rows[:MOST_ROWS])
    if show_all:
        steps = [(str(one.step), f"{one.used_bytes:,}", one.operator) for one in found.steps]
        yield simple_table(("step", "bytes in use", "operator"), steps)
