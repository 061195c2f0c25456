"""What the check of a task says: lines that begin with `farm:`. Everything else is noise of a login."""

from __future__ import annotations

from farm.provision.nouns import Outcome, State
from farm.visible import one_line

MARK = "farm:"
LONGEST_LINE = 300
MOST_LINES = 40


def read_answer(task: str, answer: str, status: int, complaint: str) -> Outcome:
    """The outcome of a check whose stdout is `answer`; FAILED, with what it complained of, without a word.

    Words: `ok`; `change TEXT`, once for each thing to do; `none TEXT`, not applicable; `cannot TEXT`, which a
    change would not help.
    """
    said: dict[str, list[str]] = {}
    for line in answer.splitlines():
        if line.startswith(MARK):
            word, _, text = line[len(MARK) :].strip().partition(" ")
            said.setdefault(word, []).append(one_line(text, LONGEST_LINE))
    if "cannot" in said:
        return Outcome(task, State.FAILED, why="; ".join(said["cannot"][:MOST_LINES]))
    if "change" in said:
        return Outcome(task, State.WOULD_CHANGE, tuple(said["change"][:MOST_LINES]))
    if "none" in said:
        return Outcome(task, State.NOT_APPLICABLE, why="; ".join(said["none"][:MOST_LINES]))
    if "ok" in said and status == 0:
        return Outcome(task, State.OK)
    return Outcome(task, State.FAILED, why=f"its check failed: {reason(status, complaint)}")


def reason(status: int, complaint: str) -> str:
    """Why a command failed: the last thing that it wrote to stderr, and its exit code."""
    lines = [line for line in complaint.splitlines() if line.strip()]
    return f"{one_line(lines[-1], LONGEST_LINE)} (exit code {status})" if lines else f"exit code {status}"
