"""How a device is let cool down before a timed round."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

TOLERANCE_C = 5.0
"""Above the temperature at the start of a lease: sensors of an idle device move by a few degrees."""

_PART = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?)(C|s)")


@dataclass(frozen=True)
class Cooldown:
    """A timed round begins when no sensor shows more than `to_c` (None: than at the start of the lease, and
    TOLERANCE_C more), and after `at_most_s` in any case; 0 is off.
    """

    to_c: float | None = None
    at_most_s: float = 30.0

    @property
    def is_on(self) -> bool:
        return self.at_most_s > 0


OFF = Cooldown(at_most_s=0)
HOTTEST_C = 150.0


def cooldown(text: str) -> Cooldown:
    """Of `45C`, `60s`, `45C,60s` or `off`. Raises ValueError for anything else."""
    if text.strip() == "off":
        return OFF
    made = Cooldown()
    for part in text.split(","):
        found = _PART.fullmatch(part.strip())
        if found is None or (found[2] == "C" and float(found[1]) > HOTTEST_C):
            raise ValueError(
                f'"{text}" is no cool-down: a temperature, as 45C, a time, as 60s, both, as 45C,60s, or off'
            )
        number = float(found[1])
        made = replace(made, to_c=number) if found[2] == "C" else replace(made, at_most_s=number)
    return made
