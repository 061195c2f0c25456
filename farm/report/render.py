"""The door to reports/: report view -> one self-contained HTML file.

Every value is escaped, an unknown name is an error, and the page's policy lets only the style and the
scripts of this folder run, named by their hashes: should an escape ever be forgotten, what a device
wrote still does not run, and nothing is fetched.
"""

from __future__ import annotations

import hashlib
from base64 import b64encode
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from farm import resources
from farm.report.sections import CELL_SECTIONS, shown_sections
from farm.report.views.cells import CellDetail
from farm.report.views.page import ReportView

STYLES_OF_A_CELL = ("base", "cells", "figures")
"""Style sheets of a cell's own page; those of sections that are shown in it begin with `cell`."""

STYLE_SHEET = "pages.css"
"""The one file that these pages share, beside them. Where a device is called so its folder stays, and the
pages are plain.
"""

OF_A_REPORT = ("report.html.j2", "partials/", "macros/")
"""Where its templates are."""

POLICY_OF_A_CELL = "default-src 'none'; style-src 'self' file:; base-uri 'none'; form-action 'none'"
"""`file:` since some browsers do not count a file beside a file as its own. A style can fetch nothing."""


def render(view: ReportView) -> str:
    """The report as HTML, UTF-8 when written."""
    sections = shown_sections(view)
    template = environment().get_template("report.html.j2")
    return template.render(view=view, page=_page(), sections=sections, cell_sections=CELL_SECTIONS)


def prepare() -> None:
    """Compile the templates of a report and import what it computes with: most of what a small one takes."""
    import numpy as np  # noqa: F401

    for name in environment().list_templates(filter_func=lambda name: name.startswith(OF_A_REPORT)):
        environment().get_template(name)


def render_cell(cell: CellDetail, run_id: str) -> str:
    """The page of one cell of a large run, with no scripts; its style is in `STYLE_SHEET`."""
    template = environment().get_template("cell.html.j2")
    return template.render(
        cell=cell,
        run_id=run_id,
        policy=POLICY_OF_A_CELL,
        style_sheet=STYLE_SHEET,
        cell_sections=CELL_SECTIONS,
        beside="../",
    )


@cache
def _page() -> dict[str, Markup]:
    folder = resources.folder("reports")
    plots = _plots(folder / "vendor" / "uplot")
    return parts(joined(folder / "css"), joined(folder / "js"), plots)


def _plots(folder: Path) -> tuple[str, str]:
    """Style and script of uPlot with its licence, which must be in every file that has them."""
    text = {
        name: (folder / name).read_text("utf-8") for name in ("uPlot.min.css", "uPlot.iife.min.js", "LICENSE")
    }
    return text["uPlot.min.css"], f"/*\n{text['LICENSE']}*/\n{text['uPlot.iife.min.js']}"


def style_of_cells() -> str:
    """What is in `STYLE_SHEET`."""
    return joined(resources.folder("reports") / "css", STYLES_OF_A_CELL)


def parts(style: str, script: str, plots: tuple[str, str] = ("", "")) -> dict[str, Markup]:
    """Style, script and policy of a page that has these two of our own, those of `plots` where it needs them,
    and nothing else.
    """
    plots_style, plots_script = plots
    scripts = " ".join(_hash(text) for text in (script, plots_script) if text)
    styles = " ".join(_hash(text) for text in (style, plots_style) if text)
    of_scripts = f"script-src {scripts}; " if scripts else ""
    policy = f"default-src 'none'; {of_scripts}style-src {styles}; base-uri 'none'; form-action 'none'"
    made = {
        "style": style,
        "script": script,
        "plots_style": plots_style,
        "plots": plots_script,
        "policy": policy,
    }
    return {name: Markup(text) for name, text in made.items()}  # noqa: S704 - own files


def joined(folder: Path, chosen: tuple[str, ...] = ()) -> str:
    """Files of a folder; `base` first, `print` last, so that later rules override earlier ones."""
    order = {"base": 0, "print": 2}
    files = sorted(folder.iterdir(), key=lambda file: (order.get(file.stem, 1), file.name))
    files = [file for file in files if not chosen or file.stem in chosen or file.stem.startswith("cell_")]
    return "\n".join(file.read_text("utf-8") for file in files)


def _hash(text: str) -> str:
    """A source expression of Content Security Policy, level 2: the SHA-256 of an element's text."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def as_percent(fraction: float) -> Markup:
    """A position on an axis. A function, since a page has hundreds: a macro takes ten times as long."""
    return Markup(f"{100 * fraction:.2f}%")  # noqa: S704 - a number


@cache
def environment() -> Environment:
    """The templates of reports/."""
    made = Environment(
        loader=FileSystemLoader(resources.folder("reports")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a stat for each part of each page
    )
    made.globals["as_percent"] = as_percent
    made.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False, "separators": (",", ":")}
    return made
