"""Times of runs as text."""

from __future__ import annotations

from datetime import UTC, datetime

from farm.report.numerals import as_duration, moment
from farm.site.summary import Head


def started_text(head: Head) -> str:
    """In UTC, so that runs of all places stand in order."""
    try:
        return f"{datetime.fromtimestamp(head.started_s, UTC):%Y-%m-%d %H:%M}" if head.started_s else ""
    except (OverflowError, ValueError, OSError):
        return ""


def took_text(head: Head) -> str:
    started, ended = moment(head.started_at), moment(head.ended_at)
    if started is None or ended is None or ended < started:
        return ""
    return as_duration((ended - started).total_seconds())
