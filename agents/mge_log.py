"""The lines of load_and_run on stderr. One write for each message, so that lines of threads and of the
library never mix."""

import os
import sys
import threading
import time

_lock = threading.Lock()


def raw(text):
    data = text.encode("utf-8", "replace")
    with _lock:
        while data:
            data = data[os.write(2, data) :]


def log(text, level=""):
    """`[22 17:44:14 function@file:line] text`; the part after `@` is where in this program the line was
    written."""
    frame = sys._getframe(1)
    where = "%s@%s:%d" % (frame.f_code.co_name, os.path.basename(frame.f_code.co_filename), frame.f_lineno)
    raw("[%s %s]%s %s\n" % (time.strftime("%d %H:%M:%S"), where, "[%s]" % level if level else "", text))


def lite(text, level="INF"):
    """`LITE[INF] 17:44:14.826277 text`"""
    now = time.time()
    stamp = "%s.%06d" % (time.strftime("%H:%M:%S", time.localtime(now)), int(now % 1 * 1e6))
    raw("LITE[%s] %s %s\n" % (level, stamp, text))


class Abort(Exception):
    """What ends the C++ program with an uncaught exception (exit code 134)."""

    def __init__(self, text, kind="mgb::AssertionError"):
        Exception.__init__(self, text)
        self.kind = kind

    def report(self):
        raw("terminate called after throwing an instance of '%s'\n  what():  %s\n" % (self.kind, self))


class Unavailable(Exception):
    """What this device or this runtime cannot have, and why: see
    docs/wheel-runtime.md."""


def failed(assertion, message):
    """The Abort of a failed `mgb_assert(assertion, message)`."""
    frame = sys._getframe(1)
    return Abort(
        "assertion `%s' failed at %s:%d: %s\nextra message: %s"
        % (
            assertion,
            os.path.basename(frame.f_code.co_filename),
            frame.f_lineno,
            frame.f_code.co_name,
            message,
        )
    )


def text_table(title, rows):
    """Rows of equal length under `title`, centred, ruled as load_and_run's TextTable does."""
    widths = [max(len(row[i]) for row in rows) + 2 for i in range(len(rows[0]))]
    rule = "+" + "+".join("-" * width for width in widths) + "+"
    lines = ["+" + title + rule[len(title) + 1 :]]
    for row in rows:
        # std::setw puts the odd space after the text
        cells = [
            cell.rjust((width - len(cell)) // 2 + len(cell)).ljust(width) for cell, width in zip(row, widths)
        ]
        lines += ["|" + "|".join(cells) + "|", rule]
    return "\n".join(lines)
