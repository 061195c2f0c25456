"""What a night leaves behind: its state, the database, the site, and those who were told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from farm.cli.nightly.measured import Measured
from farm.cli.terminal.console import say
from farm.errors import FarmError
from farm.history.index import update
from farm.history.place import database_of
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Suite
from farm.nightly.news import news_of
from farm.nightly.notify import notify
from farm.nightly.nouns import Message
from farm.nightly.state import Nights
from farm.site.build import build
from farm.store.sources import sources


@dataclass(frozen=True)
class Room:
    """Where nights are remembered, and how long anything is waited for."""

    nights: Nights
    runs_dir: Path
    deadlines: Deadlines


def told(measured: Measured, suite: Suite, room: Room) -> Message:
    """Tell what is new, and remember that it was told: what could not be told is told by the next night."""
    nights = room.nights
    before, trouble = nights.load()
    if trouble:
        say(trouble, "yellow")
    news, after = news_of(measured.night, before)
    opened = {one.finding.key for one in before.open}
    message = Message(
        suite=nights.suite,
        run=measured.night.run,
        exit_code=measured.exit_code,
        news=news,
        still=tuple(one for one in after.open if one.finding.key in opened),
        acknowledged=tuple(one.text for one in measured.night.accepted),
        report=str(measured.report) if measured.report else None,
    )
    _renew(suite, room.runs_dir)
    problems = notify(message, suite.nightly.notices, room.deadlines) if news else ()
    for problem in problems:
        say(f"{problem}; the next night tells it again", "yellow")
    nights.save(replace(after, pending=news) if problems else after)
    return message


def _renew(suite: Suite, runs_dir: Path) -> None:
    """The database and the site: what fails there is said, and costs no night."""
    try:
        update(database_of(runs_dir), sources(runs_dir), lambda *_: None)
        if suite.nightly.site is not None:
            built = build(suite.nightly.site, runs_dir, (), prune=True, told=lambda *_: None)
            say(f"site:    {built.index}")
    except FarmError as error:
        say(str(error), "yellow")
