"""A progress bar for a long task on the controller."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from farm.cli.terminal.console import err, say
from farm.cli.terminal.streams import is_narrow

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Lines:
    """Prints each new label once: for logs, and while a live display uses the terminal."""

    def __init__(self) -> None:
        self._label: str | None = None

    def update(self, label: str, _done_bytes: int, _total_bytes: int | None) -> None:
        if label != self._label:
            say(f"{label} ...")
            self._label = label


class Bar:
    """Shows `update(label, done_bytes, total_bytes)`; plain lines where there is no terminal, where it is too
    narrow, and after the bar was closed: a bar that came back would never end.
    """

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._lines = Lines()
        self._open = err.is_terminal and not is_narrow()
        self._task: TaskID | None = None
        self._label: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        if self._progress is not None:  # rich prints an empty line at the end even when it showed nothing
            self._progress.stop()

    def update(self, label: str, done_bytes: int, total_bytes: int | None) -> None:
        if not self._open:
            self._lines.update(label, done_bytes, total_bytes)
            return
        if self._progress is None:
            self._progress = _progress()
            self._progress.start()
        if self._task is None or label != self._label:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(label, total=total_bytes)
            self._label = label
        self._progress.update(self._task, completed=done_bytes, total=total_bytes)


def _progress() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=err, transient=True)
