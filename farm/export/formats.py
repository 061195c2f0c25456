"""Every format that a run is exported to: one row each. To add one, write its module and a row here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from farm.export.bencher import bencher
from farm.export.benchfmt import benchfmt
from farm.export.chrome_trace import ReadText, chrome_trace
from farm.export.comma import comma_separated
from farm.export.github import github
from farm.export.google_benchmark import google_benchmark
from farm.export.junit import junit
from farm.export.markdown import markdown
from farm.export.open_metrics import open_metrics
from farm.export.parquet import parquet
from farm.model.run import Results


@dataclass(frozen=True)
class Format:
    """`make` gives the whole file; with `reads_files` it is also given how to read files of the run. Where
    the environment variable `summary_in` names a file, the Markdown is appended to it as well. `is_text`:
    it can be shown on a terminal.
    """

    name: str
    make: Callable[..., str | bytes]
    summary_in: str | None = None
    reads_files: bool = False
    is_text: bool = True

    def content(self, results: Results, read_text: ReadText) -> bytes:
        """The bytes of the file. Raises RequestError where a library that the format needs is missing."""
        made = self.make(results, read_text) if self.reads_files else self.make(results)
        return made if isinstance(made, bytes) else made.encode("utf-8", "backslashreplace")


FORMATS = (
    Format("junit", junit),
    Format("github", github, summary_in="GITHUB_STEP_SUMMARY"),
    Format("markdown", markdown),
    Format("google-benchmark", google_benchmark),
    Format("benchfmt", benchfmt),
    Format("bmf", bencher),
    Format("chrome-trace", chrome_trace, reads_files=True),
    Format("openmetrics", open_metrics),
    Format("csv", comma_separated),
    Format("parquet", parquet, is_text=False),
)
