"""Links from a release report to the reports of its runs. Pure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from farm.release.nouns import RunFacts
from farm.report.parts.cell import anchor


class Links:
    """Relative to the folder of the page, so that both can be moved together."""

    def __init__(self, runs: Sequence[RunFacts], page: Path) -> None:
        self._runs = runs
        self._folders = [_folder(run, page) for run in runs]

    def run(self, number: int) -> str | None:
        """The report of a run; None where it has none."""
        return f"{self._folders[number]}/report.html" if self._runs[number].has_report else None

    def cell(self, number: int, place: int | None) -> str | None:
        """A cell in it; of a large run it is a page of its own."""
        report = self.run(number)
        if report is None or place is None:
            return report
        name = anchor(place)
        is_large = self._runs[number].is_large
        return f"{self._folders[number]}/cells/{name}.html" if is_large else f"{report}#{name}"


def _folder(run: RunFacts, page: Path) -> str:
    """`./` first, so that no browser takes a name for a scheme or a host."""
    path = os.path.relpath(os.path.realpath(run.folder), os.path.realpath(page.parent))
    return "./" + quote(os.fsencode(path), safe="/")
