"""A format, a section of the report, and a notification."""

from pathlib import Path
from typing import Any

from farm.errors import RunError
from farm.model.run import Results
from farm.plugins import Section, Table


def slowest(results: Results) -> str:
    """For `farm export RUN --format slowest`: cells and their medians in ms, the slowest first."""
    times = [(cell.summary.median_ms, cell.id) for cell in results.cells if cell.summary]
    return "".join(f"{median_ms:.3f} {cell}\n" for median_ms, cell in sorted(times, reverse=True))


def loading(results: Results) -> Section | None:
    """A section that says how long the models took to load; none where no cell says it."""
    cells = [(cell.id, cell.summary.load_ms) for cell in results.cells if cell.summary]
    rows = [(name, round(load_ms, 2)) for name, load_ms in cells if load_ms is not None]
    if not rows:
        return None
    return Section("Loading", ("From the file to a model that can run.", Table(("cell", "load, ms"), rows)))


def note(message: dict[str, Any], options: dict[str, Any]) -> None:
    """Adds what is new to a file. A FarmError says to people why nobody was told."""
    if "file" not in options:
        raise RunError("options need a file")
    with Path(options["file"]).open("a", encoding="utf-8") as file:
        file.write(message["text"])
