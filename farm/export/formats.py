"""Every format that a run is exported to: one row each. To add one, write its module and a row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from farm.export.github import github
from farm.export.junit import junit
from farm.export.markdown import markdown
from farm.model.run import Results


@dataclass(frozen=True)
class Format:
    """`text` makes the whole file. Where the environment variable `summary_in` names a file, the Markdown is
    appended to it as well.
    """

    name: str
    text: Callable[[Results], str]
    summary_in: str | None = None


FORMATS = (
    Format("junit", junit),
    Format("github", github, summary_in="GITHUB_STEP_SUMMARY"),
    Format("markdown", markdown),
)
