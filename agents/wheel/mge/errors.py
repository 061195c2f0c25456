"""How a run ends when it cannot do what was asked; load_and_run.py has an exit code for each."""

import os
import sys

from mge import log


class AbortError(Exception):
    """What ends the C++ program with an uncaught exception of class `kind` (exit code 134)."""

    def __init__(self, text: str, kind: str = "mgb::AssertionError") -> None:
        Exception.__init__(self, text)
        self.kind = kind

    def report(self) -> None:
        log.raw(f"terminate called after throwing an instance of '{self.kind}'\n  what():  {self}\n")


class UnavailableError(Exception):
    """What this device or this runtime cannot have, and why: see docs/wheel-runtime.md."""


class MissingLibraryError(Exception):
    """A shared library that is not there or cannot be loaded."""


def failed(assertion: str, message: str) -> AbortError:
    """The error of a failed `mgb_assert(assertion, message)`."""
    frame = sys._getframe(1)
    where = f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}: {frame.f_code.co_name}"
    return AbortError(f"assertion `{assertion}' failed at {where}\nextra message: {message}")
