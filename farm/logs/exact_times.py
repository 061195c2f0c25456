"""The times that the wheel runtime writes beside its log, which prints three decimals of a millisecond."""

from __future__ import annotations

import re

MAX_TIMES = 100_000
_LINE = re.compile(r"([0-9]{1,15}) ([0-9]{1,15})")


def parse_exact_times(text: str) -> tuple[tuple[int, int], ...]:
    """Lines of two times in ns, until the result was there and until the call came back, of each iteration in
    order. Empty where anything in it is something else, or its end was cut.
    """
    lines = text.split("\n")
    if lines.pop() or len(lines) > MAX_TIMES:
        return ()
    found = [_LINE.fullmatch(line) for line in lines]
    whole = [one for one in found if one is not None]
    return tuple((int(one[1]), int(one[2])) for one in whole) if len(whole) == len(found) else ()
