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
from farm.report.view import ReportView


def render(view: ReportView) -> str:
    """The report as HTML, UTF-8 when written."""
    return environment().get_template("report.html.j2").render(view=view, page=_page())


def _page() -> dict[str, Markup]:
    folder = resources.folder("reports")
    return parts(joined(folder / "css"), joined(folder / "js"))


def parts(style: str, script: str) -> dict[str, Markup]:
    """Style, script and policy of a page that has these two of our own and nothing else."""
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}  # noqa: S704 - own files


def joined(folder: Path) -> str:
    """All files of a folder; `base` first, `print` last, so that later rules override earlier ones."""
    order = {"base": 0, "print": 2}
    files = sorted(folder.iterdir(), key=lambda file: (order.get(file.stem, 1), file.name))
    return "\n".join(file.read_text("utf-8") for file in files)


def _hash(text: str) -> str:
    """A source expression of Content Security Policy, level 2: the SHA-256 of an element's text."""
    return f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


@cache
def environment() -> Environment:
    """The templates of reports/."""
    made = Environment(
        loader=FileSystemLoader(resources.folder("reports")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False, "separators": (",", ":")}
    return made
