"""The door to reports/site/: views -> HTML, under the same policy as the report."""

from __future__ import annotations

from functools import cache

from markupsafe import Markup

from farm import resources
from farm.report.render import environment, joined, parts
from farm.site.view import IndexPage, TrendPage


def render_index(page: IndexPage) -> bytes:
    return _render("site/index.html.j2", page)


def render_trend(page: TrendPage) -> bytes:
    return _render("site/trend.html.j2", page)


def _render(template: str, view: IndexPage | TrendPage) -> bytes:
    text = environment().get_template(template).render(view=view, page=_page())
    return text.encode("utf-8", "backslashreplace")


@cache
def _page() -> dict[str, Markup]:
    folder = resources.folder("reports")
    base = (folder / "css" / "base.css").read_text("utf-8")
    return parts(f"{base}\n{joined(folder / 'site' / 'css')}", joined(folder / "site" / "js"))
