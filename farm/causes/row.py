"""The rows of the tables that `farm.causes.diagnose` searches."""

from __future__ import annotations

import re
from dataclasses import dataclass

from farm.errors import Fault
from farm.model.options import OptionSet

SEE_STDERR = "see its stderr.txt, below cells/ in the folder of the run"


@dataclass(frozen=True)
class Row:
    """A text that identifies a cause. `message` may use the pattern's named groups. A program `hangs` that
    says it does not end by itself, but at a limit.
    """

    cause: str
    fault: Fault
    pattern: re.Pattern[str]
    message: str
    hint: str | None = None
    hangs: bool = False


@dataclass(frozen=True)
class Ending:
    """How a round ended, where the text does not matter."""

    cause: str
    fault: Fault
    message: str
    hint: str | None = None


@dataclass(frozen=True)
class Crash:
    """A crash or hang of some options: all of `all_of`, and `at_least` of `any_of` where there are any."""

    message: str
    hint: str
    exit_code: int | None = 139
    why: str | None = None
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    at_least: int = 1

    def applies(self, options: OptionSet) -> bool:
        some = sum(name in options for name in self.any_of) >= self.at_least or not self.any_of
        return some and all(name in options for name in self.all_of)


def row(
    cause: str, fault: Fault, pattern: str, message: str, hint: str | None = None, *, hangs: bool = False
) -> Row:
    return Row(cause, fault, re.compile(pattern, re.MULTILINE), message, hint, hangs)
