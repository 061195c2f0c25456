"""The lines of load_and_run on stderr. One write for each message, so that lines of threads and of the
library never mix.
"""

import os
import sys
import threading
import time
from typing import Sequence, Tuple

_lock = threading.Lock()


def raw(text: str) -> None:
    data = text.encode("utf-8", "replace")
    with _lock:
        while data:
            data = data[os.write(2, data) :]


def line(text: str, level: str = "") -> None:
    """`[22 17:44:14 function@file:line] text`, as MegBrain logs; the part after `@` is where in this program
    the line was written.
    """
    frame = sys._getframe(1)
    where = f"{frame.f_code.co_name}@{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
    mark = f"[{level}]" if level else ""
    raw(f"[{time.strftime('%d %H:%M:%S')} {where}]{mark} {text}\n")


def lite(text: str, level: str = "INF") -> None:
    """`LITE[INF] 17:44:14.826277 text`, as lite logs."""
    now = time.time()
    clock = time.strftime("%H:%M:%S", time.localtime(now))
    raw(f"LITE[{level}] {clock}.{int(now % 1 * 1e6):06d} {text}\n")


def text_table(title: str, rows: Sequence[Tuple[str, ...]]) -> str:
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
