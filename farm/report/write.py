"""The report of a run on disk: one file, and of a large run a page for each cell beside it."""

from __future__ import annotations

from pathlib import Path

from farm.model.run import Results
from farm.report.compose import compose
from farm.report.pages import pages
from farm.report.parts.details.logs import logs
from farm.report.parts.details.memory import memories
from farm.report.parts.history import histories
from farm.report.parts.operators import operators
from farm.report.parts.plugins import plugin_sections
from farm.report.parts.roofline import rooflines
from farm.report.render import render
from farm.report.sections import More, together
from farm.store.runs import RunDirectory


def more_of(directory: RunDirectory, results: Results) -> More:
    """What the files of a run say, for the details of its cells, and what plugins say of it."""
    return together(
        operators(directory, results),
        rooflines(directory, results),
        memories(directory, results),
        logs(directory, results),
        histories(directory, results),
        plugin_sections(results),
    )


def write_report(directory: RunDirectory, results: Results) -> Path:
    """Where the report is. The pages are written after it. Raises RunError for disk errors."""
    more = more_of(directory, results)
    report = directory.write_report(render(compose(results, more)))
    directory.write_pages(pages(results, more))
    return report
