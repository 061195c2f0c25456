"""The door to reports/serve/: what is known -> pages. Every value is escaped; a page's script and style are
files of their own, so that its policy allows none inside.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from jinja2 import Environment

from farm import resources
from farm.report.numerals import MISSING, MOST_DECIMALS, decimals_for, in_ms
from farm.report.render import environment, joined
from farm.serve.nouns import FleetDevice, Page, RunNow, ShelfNow

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Around:
    """What a page is: `template` of reports/serve/, its title, where its events are, whether actions can be
    asked for; `about` is what the page is about, a run or names of devices.
    """

    template: str
    title: str
    events: str
    can_act: bool = False
    about: tuple[str, ...] = ()


def document(page: Page, around: Around) -> bytes:
    """A whole page."""
    template = _environment().get_template(f"serve/{around.template}.html.j2")
    text = template.render(parts=page.parts, around=around, now_ms=round(time.time() * 1000))
    return text.encode("utf-8", "backslashreplace")


def message(title: str, lines: Sequence[str], **more: object) -> bytes:
    """A page that says one thing: an error, the outcome of an action. `more` goes to the template."""
    template = _environment().get_template("serve/message.html.j2")
    around = Around("message", title, "")
    text = template.render(parts={}, around=around, now_ms=0, lines=lines, **{"ask": None} | more)
    return text.encode("utf-8", "backslashreplace")


def shelf_page(now: ShelfNow) -> Page:
    return Page({
        "facts": {"facts": _row("shelf_facts", now)},
        "running": {one.run_id: _row("running_run", one) for one in now.running},
        "others": {one.run_id: _row("other_run", one) for one in now.others},
    })  # fmt: skip


def run_page(now: RunNow) -> Page:
    return Page({
        "facts": {"facts": _row("run_facts", now)},
        "devices": _rows("run_device", "d", now.devices),
        "cells": _rows("run_cell", "c", now.cells),
        "told": {f"t{one.number}": _row("run_told", one) for one in now.told},
    })  # fmt: skip


def fleet_page(now: Sequence[FleetDevice]) -> Page:
    return Page({"fleet": _rows("fleet_device", "d", now)})


def warm_up() -> None:
    """Read all templates: later none is read in an event loop."""
    for name in ("rows", "runs", "run", "fleet", "message"):
        _environment().get_template(f"serve/{name}.html.j2")


def style() -> bytes:
    folder = resources.folder("reports")
    base = (folder / "css" / "base.css").read_text("utf-8")
    site = joined(folder / "site" / "css")
    return f"{base}\n{site}\n{joined(folder / 'serve' / 'css')}".encode()


def script() -> bytes:
    return joined(resources.folder("reports") / "serve" / "js").encode()


def _rows(macro: str, letter: str, found: Sequence[object]) -> dict[str, str]:
    return {f"{letter}{number}": _row(macro, one, f"{letter}{number}") for number, one in enumerate(found)}


def _row(macro: str, *values: object) -> str:
    made = getattr(_environment().get_template("serve/rows.html.j2").module, macro)
    return str(made(*values)).strip().encode("utf-8", "backslashreplace").decode()


@cache
def _environment() -> Environment:
    made = environment().overlay()
    made.globals = {**made.globals, "clock": clock, "in_own_digits": in_own_digits}
    return made


def clock(at_s: float) -> str:
    """Seconds since 1970 as UTC, to the second."""
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M:%S}"
    except (OverflowError, ValueError, OSError):
        return "?"


def in_own_digits(value_ms: float) -> str:
    if not math.isfinite(value_ms):
        return MISSING
    return in_ms(value_ms, min(decimals_for([value_ms]) + 1, MOST_DECIMALS))
