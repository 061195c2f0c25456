"""The door to reports/release/: the view -> one self-contained HTML file, under the policy of the report."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

from farm import resources
from farm.release.view import ReleasePage
from farm.report.render import environment, joined, parts

STYLES = ("base", "comparisons", "figures", "outputs", "print")
SCRIPTS = ("base", "copy")


def render(page: ReleasePage) -> str:
    template = environment().get_template("release/release.html.j2")
    return template.render(view=page, page=_page())


@cache
def _page() -> dict[str, Markup]:
    folder = resources.folder("reports")
    style = f"{joined(folder / 'css', STYLES)}\n{joined(folder / 'release' / 'css')}"
    return parts(style, joined(folder / "js", SCRIPTS))
