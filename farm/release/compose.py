"""A release -> the view of its page. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from farm.compare.outcome import Decision
from farm.model.comparison import Verdict
from farm.release.decide import ORDER, Column, Release
from farm.release.links import Links
from farm.release.nouns import By, Compared, RunFacts
from farm.release.summary import canaries_text, short, summary
from farm.release.tables import (
    MOST_ROWS,
    differences,
    extremes,
    group_tables,
    listings,
    reasons,
    tallies,
    version_table,
    wrong_rows,
)
from farm.release.versions import Version
from farm.release.view import ColumnHead, NamedFacts, ReleasePage, RunRow
from farm.report.figures.heat_map import HeatValue, heat_map
from farm.report.figures.view import HeatMap
from farm.report.numerals import count, moment
from farm.report.parts.comparisons import DECISIONS
from farm.report.views.common import Fact, Status

MOST_FACTS = 4

NOTHING = Status("undecided", Decision.UNDECIDED, "nothing was compared")


def compose(release: Release, links: Links, made: str) -> ReleasePage:
    """`made` says when and by what, for the foot of the page."""
    column = release.last
    missing, missing_more = reasons(release)
    differ, differ_more = differences(release)
    environment = _environment(release)
    return ReleasePage(
        title=f"{short(column.step.new.name)} against {short(column.step.old.name)}",
        made=made,
        summary=summary(release),
        extremes=tuple(extremes(column)),
        columns=tuple(_head(one) for one in reversed(release.columns)),
        findings=release.findings,
        wrong=wrong_rows(release, links),
        wrong_left_out=max(len(release.wrong) - MOST_ROWS, 0),
        lists=listings(release, links),
        again=tuple(_again(release)),
        heat=_heat(release, links),
        versions=version_table(release),
        groups=group_tables(release) if column.cells else (),
        unmeasured=missing,
        unmeasured_left_out=missing_more,
        differences=differ,
        differences_left_out=differ_more,
        facts=tuple(_facts(release, version) for version in release.versions.names),
        environment=environment[:MOST_ROWS],
        environment_left_out=max(len(environment) - MOST_ROWS, 0),
        runs=tuple(_run(run, links) for run in release.runs),
        minimum_effect=f"{100 * column.minimum_effect:g} %",
        by=release.versions.by.value,
    )


def _head(column: Column) -> ColumnHead:
    decision = DECISIONS[column.decision] if column.cells or column.wrong else NOTHING
    return ColumnHead(
        column.step.new.name,
        column.step.old.name,
        decision,
        tallies(column.counts),
        f"{column.compared:,} of {count(column.total, 'cell')} compared"
        + (f", {column.missing:,} without anything to compare with" if column.missing else ""),
        canaries_text(column),
        column.canaries.is_out_of_bounds,
    )


def _again(release: Release) -> Iterator[Fact]:
    """Cells that several runs do not agree on."""
    for key, ones in release.last.again[:MOST_ROWS]:
        told = ", ".join(f"{one.verdict} in run {release.runs[one.run].run_id}" for one in ones)
        yield Fact(key.text, f"{told}; here it is {release.last.cells[key].verdict}")


# --------------------------------------------------------------------------- devices x models


def _heat(release: Release, links: Links) -> HeatMap | None:
    """A box stands for the worst of a device's cells with a model."""
    column = release.last
    boxes: defaultdict[tuple[str, str], list[Compared]] = defaultdict(list)
    devices: dict[str, None] = {}
    models: dict[str, None] = {}
    for key, one in column.ranked():
        boxes[key.device, key.model].append(one)
        devices[key.device], models[key.model] = None, None
    values = {place: _box(ones, links) for place, ones in boxes.items()}
    found = heat_map(
        list(devices), list(models), values, f"{column.step.new.name} against {column.step.old.name}"
    )
    if found is None:
        return None
    legend = (
        f"Each box has the time of {short(column.step.new.name)} relative to {short(column.step.old.name)} "
        "with its 95 % interval and its verdict; of several variants it shows the worst one, and says so. "
        "The stronger the shade, the larger the change: from 3, 10 and 30 % on it is another."
    )
    return replace(found, legend=legend, absent="not compared")


def _box(ones: Sequence[Compared], links: Links) -> HeatValue:
    """`ones` come in the order of their rank, the worst verdict first."""
    worst = min(ones, key=lambda one: ORDER[one.verdict])
    same = sum(one.verdict is worst.verdict for one in ones)
    note = f"{same} of {len(ones)} variants" if len(ones) > 1 else ""
    href = links.cell(worst.run, worst.cell)
    if worst.verdict is Verdict.INVALID:  # what cannot be compared has no ratio
        return HeatValue(worst.verdict, href=href, note=note)
    return HeatValue(worst.verdict, worst.ratio, worst.low, worst.high, href=href, note=note)


# --------------------------------------------------------------------------- what the versions and runs are


def _facts(release: Release, version: Version) -> NamedFacts:
    by = release.versions.by
    runs = [run for run in release.runs if _has(run, by, version)]
    facts = [Fact(by.value, ", ".join(sorted(version.members)))] if version.members != {version.name} else []
    if by is not By.RUN:
        facts.append(Fact("runs", _several([run.run_id for run in runs])))
    builds = version.members if by is By.BUILD else None
    programs = [
        text
        for run in runs
        for build, texts in run.programs.items()
        for text in texts
        if builds is None or build in builds
    ]
    facts.append(Fact("programs", _several(programs)))
    facts.append(Fact("measured", _several([_began(run) for run in runs])))
    facts.append(Fact("farm", _several([run.farm_version for run in runs])))
    return NamedFacts(version.name, tuple(facts))


def _environment(release: Release) -> tuple[NamedFacts, ...]:
    """Each device as the newest run has it."""
    found: dict[str, NamedFacts] = {}
    for run in reversed(release.runs):
        for name, facts in run.environment.items():
            found.setdefault(name, NamedFacts(name, tuple(Fact(label, text) for label, text in facts)))
    return tuple(found[name] for name in sorted(found) if found[name].facts)


def _has(run: RunFacts, by: By, version: Version) -> bool:
    if by is By.RUN:
        return run.run_id in version.members
    place = {By.BUILD: 3, By.VARIANT: 2, By.MODEL: 1}[by]
    return any(name[place] in version.members for name in run.cells)


def _several(texts: Sequence[str]) -> str:
    known = [text for text in dict.fromkeys(texts) if text]
    shown = "; ".join(known[:MOST_FACTS]) or "not known"
    return f"{shown}; {len(known) - MOST_FACTS} more" if len(known) > MOST_FACTS else shown


def _began(run: RunFacts) -> str:
    found = moment(run.started_at)
    return f"{found:%Y-%m-%d %H:%M}" if found else run.started_at


def _run(run: RunFacts, links: Links) -> RunRow:
    note = "; ".join(filter(None, (f"cannot be read: {run.problem}" if run.problem else "", *run.notes)))
    return RunRow(
        run.run_id,
        links.run(run.number),
        _began(run),
        run.status or "unreadable",
        run.decision or "",
        f"{len(run.own()):,}",
        run.farm_version,
        note,
    )
