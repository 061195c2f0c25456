"""When a schedule is due: cron syntax in a time zone that is named."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from farm.errors import RequestError

FIELDS = 5
MOST_COUNTED = 1000
EXAMPLE = "--cron '0 2 * * *', minute, hour, day of month, month, day of week: each day at 2:00"


def zone_of(name: str) -> ZoneInfo:
    """Raises RequestError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RequestError(
            f"--timezone: {name!r} is not known here", hint="a name as Europe/Berlin, or UTC"
        ) from error


def require_cron(text: str) -> None:
    """Raises RequestError for what is no cron expression, and for one that never comes."""
    if len(text.split()) != FIELDS or not croniter.is_valid(text):
        raise RequestError(f"--cron: {text!r} is no cron expression of five fields", hint=EXAMPLE)
    try:
        next_s(text, ZoneInfo("UTC"), 0)
    except CroniterError as error:
        raise RequestError(f"--cron: {text!r} never comes", hint=EXAMPLE) from error


def next_s(cron: str, zone: ZoneInfo, after_s: float) -> int:
    """The first time after another, in seconds since 1970 (UTC). Raises ValueError for what is no time."""
    found: datetime = croniter(cron, _at(after_s, zone)).get_next(datetime)
    return int(found.timestamp())


def missed(cron: str, zone: ZoneInfo, due_s: int, now_s: float) -> int:
    """How many times have come since `due_s`, that one included; at most a thousand are counted."""
    count, at_s = 0, due_s
    while at_s <= now_s and count < MOST_COUNTED:
        count += 1
        at_s = next_s(cron, zone, at_s)
    return count


def shown(at_s: int, zone: ZoneInfo) -> str:
    """Raises ValueError for what is no time."""
    return _at(at_s, zone).isoformat(timespec="minutes")


def stamp(at_s: int) -> str:
    """As it stands in the name of a run."""
    return f"{_at(at_s, UTC):%Y%m%d-%H%M%S}"


def _at(at_s: float, zone: tzinfo) -> datetime:
    try:
        return datetime.fromtimestamp(at_s, zone)
    except (ValueError, OverflowError, OSError) as error:  # each for numbers of another size
        raise ValueError(f"{at_s} s since 1970 is no time") from error
