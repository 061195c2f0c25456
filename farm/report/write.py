"""The report of a run on disk: one file, and of a large run a page for each cell beside it."""

from __future__ import annotations

from pathlib import Path

from farm.model.run import Results
from farm.report.compose import compose
from farm.report.operators import operators
from farm.report.pages import pages
from farm.report.render import render
from farm.store.runs import RunDirectory


def write_report(directory: RunDirectory, results: Results) -> Path:
    """Where the report is. The pages are written after it. Raises RunError for disk errors."""
    more = operators(directory, results)
    report = directory.write_report(render(compose(results, more)))
    directory.write_pages(pages(results, more))
    return report
