"""Makes a site: what is new of each run first, then the pages, the manifest last.

A reader that comes in between sees the former pages, whose files are all still there.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from farm.model.run import Results
from farm.report.compose import compose
from farm.report.render import render
from farm.site.compose import index_pages, trend_path
from farm.site.folder import SITE, SiteFolder, UnreadableError, opened
from farm.site.render import render_index, render_trend
from farm.site.runs import is_current, read
from farm.site.summary import UNREADABLE, VERSION, Head, Summary, from_json, head_json, to_json
from farm.site.trends import MOST_RUNS, Trends, rows_of
from farm.site.view import Link, TrendPage
from farm.store.sources import Source, sources

Told: TypeAlias = Callable[[str, int, int], None]
"""Label, bytes that are done, bytes of all."""

SUMMARY, REPORT = "summary.json", "report.html"


@dataclass(frozen=True)
class Built:
    """What became of a site: its runs, those read in this call, those that cannot be read, files that were
    written, and those that belong to no run any more (`removed`, else `left`).
    """

    index: Path
    runs: int
    read: int
    unreadable: int
    written: int
    left: int
    removed: int


def build(out: Path, runs_dir: Path, names: Sequence[str], *, prune: bool, told: Told) -> Built:
    """Bring a site up to date with the runs that are named, else with all of `runs_dir`. Runs that are in the
    site stay, unless `prune` takes out those that are not among them.

    Raises RequestError for a wrong request, RunError when the disk fails.
    """
    found = sources(runs_dir, names)
    with opened(out) as folder:
        heads: dict[str, Head] = {} if prune else _kept(folder, {source.key for source in found})
        total, done, fresh = sum(source.size_bytes for source in found), 0, 0
        for source in found:
            told("reading runs", done, total)
            head, is_new = _update(folder, source)
            heads[head.key] = head
            done += source.size_bytes
            fresh += is_new
        told("reading runs", total, total)
        ordered = sorted(heads.values(), key=lambda head: (head.started_s, head.key))
        trends = list(_trends(folder, ordered))
        for name, page in index_pages(ordered, trends).items():
            folder.write(name, render_index(page))
        folder.write(SITE, _site(ordered, trends))
        gone = folder.gone()
        if not prune:
            _keep_gone(folder, gone)
        for name in gone if prune else ():
            folder.remove(name)
        folder.write_manifest()
        broken = sum(head.status == UNREADABLE for head in ordered)
        left, removed = (0, len(gone)) if prune else (len(gone), 0)
        return Built(out / "index.html", len(ordered), fresh, broken, folder.written, left, removed)


def _keep_gone(folder: SiteFolder, gone: Sequence[str]) -> None:
    """Files of former pages stay in the manifest for as long as they stay in the folder."""
    for name in gone:
        data = folder.read(name)
        if data is not None:
            folder.write(name, data)


def _kept(folder: SiteFolder, named: set[str]) -> dict[str, Head]:
    """The runs of the site that are not among those named."""
    found = {}
    for path in sorted(folder.path.glob(f"runs/*/{SUMMARY}")):
        key = path.parent.name
        summary = _summary(folder, key) if key not in named else None
        if summary is not None and _stays(folder, summary):
            found[key] = summary.head
    return found


def _summary(folder: SiteFolder, key: str) -> Summary | None:
    data = folder.read(f"runs/{key}/{SUMMARY}")
    summary = from_json(data) if data is not None else None
    return summary if summary is not None and summary.head.key == key else None


def _stays(folder: SiteFolder, summary: Summary) -> bool:
    """Whether all of a run is in the site as it was written; its files are then in the manifest again."""
    head = summary.head
    report = f"runs/{head.key}/{REPORT}"
    if head.report_sha256 and not folder.keep(report, head.report_sha256, head.report_bytes):
        return False
    folder.write(f"runs/{head.key}/{SUMMARY}", to_json(summary))
    return True


def _update(folder: SiteFolder, source: Source) -> tuple[Head, bool]:
    """The run in the site as it is now, and whether it had to be read."""
    former = _summary(folder, source.key)
    if former is not None and is_current(former.head, source) and _stays(folder, former):
        return former.head, False
    summary, results = read(source)
    head = _with_report(folder, source, summary.head, results)
    folder.write(f"runs/{source.key}/{SUMMARY}", to_json(replace(summary, head=head)))
    del summary, results
    gc.collect(0)
    return head, True


def _with_report(folder: SiteFolder, source: Source, head: Head, results: Results | None) -> Head:
    """The run's own report, as it was made then; one that has none gets it here."""
    name = f"runs/{source.key}/{REPORT}"
    note: str | None = None
    if not (results is not None and results.ended_at is None):
        try:
            sha256, size_bytes = folder.copy(source.directory.report_path, name)
            return replace(head, report_sha256=sha256, report_bytes=size_bytes)
        except UnreadableError as error:
            note = f"its report cannot be copied: {error}"
    if results is None:
        return replace(head, notes=(*head.notes, note)) if note and head.problem is None else head
    html = render(compose(results)).encode("utf-8", "backslashreplace")
    folder.write(name, html)
    return replace(head, report_sha256=folder.digests[name], report_bytes=len(html))


def _trends(folder: SiteFolder, heads: Sequence[Head]) -> Iterator[Link]:
    """Writes the page of each model; links to them, by name. The newest runs are read one by one."""
    trends = Trends()
    newest = [number for number, head in enumerate(heads) if head.cells][-MOST_RUNS:]
    for number in newest:
        summary = _summary(folder, heads[number].key)
        if summary is not None:
            trends.add(number, summary.points)
    for model, tracks in sorted(trends.models.items()):
        rows = rows_of(tracks, heads)
        if rows:
            page = TrendPage("../", model, rows, trends.left_out.get(model, 0), len(newest))
            folder.write(trend_path(model), render_trend(page))
            yield Link(model or "(no name)", f"./{trend_path(model)}")


def _site(heads: Sequence[Head], trends: Sequence[Link]) -> bytes:
    """The newest first, as in the index."""
    runs = [
        head_json(head)
        | {
            "summary": f"runs/{head.key}/{SUMMARY}",
            "report": f"runs/{head.key}/{REPORT}" if head.report_sha256 else None,
        }
        for head in reversed(heads)
    ]
    pages = [{"model": link.text, "page": link.href.removeprefix("./")} for link in trends]
    whole = {"schema_version": VERSION, "kind": "farm-site", "runs": runs, "trends": pages}
    return json.dumps(whole, indent=1, allow_nan=False).encode() + b"\n"
