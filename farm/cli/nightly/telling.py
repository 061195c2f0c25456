"""What a night leaves behind: its state, the site, and those who were told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm.cli.nightly.measured import Measured
from farm.cli.terminal.console import say
from farm.errors import ExitCode, FarmError
from farm.model.limits.deadlines import Deadlines
from farm.model.request import Notice, PluginNotice, Suite
from farm.nightly.news import BAD, is_good, news_of
from farm.nightly.notify import notify
from farm.nightly.nouns import Finding, Kind, Message, State
from farm.nightly.state import Nights
from farm.site.build import build
from farm.store.notes.tags import set_tag


@dataclass(frozen=True)
class Room:
    """Where nights are remembered, and how long anything is waited for."""

    nights: Nights
    runs_dir: Path
    deadlines: Deadlines


def told(measured: Measured, suite: Suite, room: Room, code: ExitCode | None = None) -> Message:
    """Tell what is new, and remember that it was told: what could not be told is told by the next night.
    `code` is that of a night that did not run.
    """
    nights, night = room.nights, measured.night
    before, trouble = nights.load()
    if trouble:
        say(trouble, "yellow")
    news, after = news_of(night, before)
    if is_good(night, after, measured.lost):
        _tag(room, night.run)
    opened = {one.finding.key for one in before.open}
    message = Message(
        suite=nights.suite,
        run=night.run,
        exit_code=int(code or exit_code(measured, after)),
        news=news,
        still=tuple(one for one in after.open if one.finding.key in opened),
        acknowledged=tuple(one.text for one in night.accepted),
        report=str(measured.report) if measured.report else None,
    )
    nights.save(replace(after, pending=_tell(message, suite.nightly.notices, before, room.deadlines)))
    _renew_site(suite, room.runs_dir)
    return message


def exit_code(measured: Measured, after: State) -> ExitCode:
    """As that of a bench: where several hold 4, 1, 3, 5; wrong outputs come first, as there. A regression
    counts for as long as it is open, and not where it is accepted.
    """
    kinds = {one.kind for one in measured.night.findings}
    if measured.code is ExitCode.NOTHING_RAN and Kind.WRONG_OUTPUTS not in kinds:
        return measured.code
    if any(one.finding.kind in BAD for one in after.open):
        return ExitCode.REGRESSION
    if measured.code is not ExitCode.OK or Kind.FEW_MEASURED in kinds or measured.report is None:
        return ExitCode.CELLS_FAILED
    return ExitCode.UNDECIDED if measured.is_open else ExitCode.OK


def _tell(
    message: Message, notices: Sequence[Notice | PluginNotice], before: State, deadlines: Deadlines
) -> dict[str, tuple[Finding, ...]]:
    """Everybody what is new, and what an earlier night could not tell them; what could not be told now."""
    left = {}
    for notice in notices:
        who = hashlib.sha256(repr(notice).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        news = (*before.pending.get(who, ()), *message.news)
        for problem in notify(replace(message, news=news), [notice], deadlines) if news else ():
            say(f"{problem}; the next night tells it again", "yellow")
            left[who] = news
    return left


def _tag(room: Room, run: str) -> None:
    """A night whose tag cannot be written is told all the same."""
    try:
        set_tag(room.runs_dir, room.nights.good_tag, run, "the newest good night", is_moved=True)
    except FarmError as error:
        say(str(error), "yellow")


def _renew_site(suite: Suite, runs_dir: Path) -> None:
    """What fails there is said, and costs no night."""
    if suite.nightly.site is None:
        return
    try:
        built = build(suite.nightly.site, runs_dir, (), prune=True, told=lambda *_: None)
        say(f"site:    {built.index}")
    except FarmError as error:
        say(str(error), "yellow")
