"""The tables of a release: comparisons, groups, versions side by side, what was not measured. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from farm.compare.words import SYMBOLS, change_of, interval, pairs_of, percent
from farm.model.comparison import Verdict
from farm.model.outputs import OutputVerdict
from farm.release.decide import Column, Group, Release, groups
from farm.release.links import Links
from farm.release.nouns import NOT_COMPARED, Compared, Key, Name, version_of
from farm.release.summary import bounds_text, by_kind, short
from farm.release.view import (
    ChangeRow,
    Difference,
    GroupRow,
    GroupTable,
    Listing,
    Reason,
    VersionBox,
    VersionRow,
    VersionTable,
    WrongRow,
)
from farm.report.figures.sparkline import sparkline
from farm.report.figures.view import Whisker
from farm.report.figures.whisker import whisker, whisker_end
from farm.report.numerals import MISSING, MOST_DECIMALS, decimals_for, in_ms
from farm.report.parts.cell import STATUSES
from farm.report.views.common import Count, Fact, Status

MOST_ROWS = 200
"""Of a table; all of it is in the JSON."""
MOST_REASONS = 100
MOST_NAMED = 6
MOST_EXTREMES = 5
NUMBERS = {1: "The", 2: "Two", 3: "Three", 4: "Four", 5: "Five"}
MEASURED = frozenset(Verdict) - {Verdict.INVALID}
CHANGED = (Verdict.SLOWER, Verdict.FASTER)

NOT_PAIRED = Status("skipped", "\N{EN DASH}", NOT_COMPARED)
WRONG = Status("wrong", SYMBOLS[Verdict.INVALID], OutputVerdict.WRONG)
UNKNOWN = Status("inconclusive", SYMBOLS[Verdict.INCONCLUSIVE], "not compared")


def status_of(verdict: Verdict) -> Status:
    return Status(verdict.value, SYMBOLS[verdict], verdict.value)


def tallies(counts: Mapping[Verdict, int]) -> tuple[Count, ...]:
    return tuple(Count(status_of(verdict), number) for verdict, number in counts.items())


def listings(release: Release, links: Links) -> tuple[Listing, ...]:
    column = release.last
    least = f"{100 * column.minimum_effect:g} %"
    return (
        _listing(
            release,
            links,
            (Verdict.SLOWER,),
            Listing(
                "slower",
                "Confirmed regressions",
                f"Slower by {least} or more, shown by fresh pairs; the largest and surest first.",
                (),
                0,
                "Nothing is confirmed to be slower.",
            ),
        ),
        _listing(
            release,
            links,
            (Verdict.FASTER,),
            Listing(
                "faster",
                "Confirmed improvements",
                f"Faster by {least} or more, shown by fresh pairs.",
                (),
                0,
                "Nothing is confirmed to be faster.",
            ),
        ),
        _listing(
            release,
            links,
            (Verdict.INCONCLUSIVE, Verdict.INVALID),
            Listing(
                "open",
                "Not decided",
                "Neither a change nor its absence is shown, or there is nothing to compare; each says why.",
                (),
                0,
                "Everything that was compared is decided.",
            ),
        ),
    )


def extremes(column: Column) -> Iterator[tuple[str, tuple[Fact, ...]]]:
    """The largest and the smallest ratios, whatever their verdict, so that one sees what was nearly a change;
    none is in both.
    """
    known = [pair for pair in column.ranked() if pair[1].ratio is not None and pair[1].verdict in MEASURED]
    ordered = sorted(known, key=lambda pair: pair[1].ratio or 0.0)
    half = min(MOST_EXTREMES, len(ordered) // 2)
    if half:
        numbers = NUMBERS.get(half, str(half))
        yield f"{numbers} worst", tuple(_extreme(*pair) for pair in reversed(ordered[-half:]))
        yield f"{numbers} best", tuple(_extreme(*pair) for pair in ordered[:half])


def _extreme(key: Key, one: Compared) -> Fact:
    effect = one.effect
    change = change_of(effect) if effect else MISSING
    bounds = interval(effect) if effect else None
    return Fact(key.text, f"{change}{f' ({bounds})' if bounds else ''}, {one.verdict}")


def _listing(release: Release, links: Links, verdicts: Sequence[Verdict], made: Listing) -> Listing:
    column = release.last
    found = column.ranked(*verdicts)
    end = _end(one for _, one in found)
    rows = tuple(_row(release, links, pair, end) for pair in found[:MOST_ROWS])
    return Listing(made.anchor, made.title, made.legend, rows, len(found), made.empty)


def _end(compared: Iterable[Compared]) -> float:
    return whisker_end((one.ratio for one in compared), 0.03)


def _row(release: Release, links: Links, pair: tuple[Key, Compared], end: float) -> ChangeRow:
    key, one = pair
    effect = one.effect
    old_ms, new_ms = _times(one)
    return ChangeRow(
        status_of(one.verdict),
        key.text,
        links.cell(one.run, one.cell),
        release.runs[one.run].run_id,
        old_ms,
        new_ms,
        change_of(effect) if effect else MISSING,
        (interval(effect) if effect else None) or MISSING,
        pairs_of(effect, fresh=one.is_fresh) if effect else MISSING,
        one.sentence,
        one.differences,
        _whisker(one, release.last.minimum_effect, end),
    )


def _times(one: Compared) -> tuple[str, str]:
    times = [value for value in (one.old_ms, one.new_ms) if value]
    decimals = min(decimals_for(times) + 1, MOST_DECIMALS)
    return in_ms(one.old_ms, decimals), in_ms(one.new_ms, decimals)


def _whisker(one: Compared, minimum_effect: float, end: float) -> Whisker | None:
    if one.ratio is None:
        return None
    return whisker(one.ratio, (one.low, one.high), one.verdict, minimum_effect, end)


def wrong_rows(release: Release, links: Links) -> tuple[WrongRow, ...]:
    newest = release.last.step.new.members
    rows = []
    for one in release.wrong[:MOST_ROWS]:
        run = release.runs[one.run].run_id
        version = version_of(one.named, release.versions.by, run)
        rows.append(
            WrongRow(
                UNKNOWN if one.is_unknown else WRONG,
                _cell_text(one.named),
                links.cell(one.run, one.cell),
                run,
                version,
                one.against,
                one.sentence,
                version in newest,
            )
        )
    return tuple(rows)


def _cell_text(named: Name) -> str:
    return Key(named.device, named.model, "@".join(filter(None, (named.variant, named.build)))).text


# --------------------------------------------------------------------------- groups


def group_tables(release: Release) -> tuple[GroupTable, ...]:
    column = release.last
    devices = groups(column, {key: key.device for key in column.cells}, "model")
    models = groups(column, {key: key.model for key in column.cells}, "device")
    return (
        _table("Classes of devices", "Class", by_kind(release, column), column),
        _table("Devices", "Device", devices, column),
        _table("Models", "Model", models, column),
    )


def _table(title: str, heading: str, found: Sequence[Group], column: Column) -> GroupTable:
    least = column.minimum_effect
    end = whisker_end((one.mean.ratio for one in found if one.mean), least)
    rows = tuple(_group_row(one, least, end) for one in found[:MOST_ROWS])
    return GroupTable(title, heading, rows, max(len(found) - MOST_ROWS, 0))


def _group_row(one: Group, least: float, end: float) -> GroupRow:
    mean = one.mean
    return GroupRow(
        one.name,
        one.cells,
        tallies(one.counts),
        percent(mean.ratio - 1) if mean else MISSING,
        (bounds_text(mean) if mean else "") or MISSING,
        whisker(mean.ratio, (mean.low, mean.high), Verdict.INCONCLUSIVE, least, end) if mean else None,
    )


# --------------------------------------------------------------------------- versions


def version_table(release: Release) -> VersionTable | None:
    """Cells over all versions, those that are not unchanged in all of them; None where there are only two."""
    if len(release.columns) < 2:
        return None
    chosen = [verdict for verdict in SYMBOLS if verdict is not Verdict.UNCHANGED]
    told = (key for column in reversed(release.columns) for key, _ in column.ranked(*chosen))
    keys = list(dict.fromkeys(told))
    return VersionTable(
        tuple(version.name for version in release.versions.names),
        tuple(_version_row(release, key) for key in keys[:MOST_ROWS]),
        max(len(keys) - MOST_ROWS, 0),
        len({key for column in release.columns for key in column.cells}) - len(keys),
    )


def _version_row(release: Release, key: Key) -> VersionRow:
    found = [column.cells.get(key) for column in release.columns]
    first = next((one.old_ms for one in found if one), None)
    values = [first, *(one.new_ms if one else None for one in found)]
    decimals = decimals_for(value for value in values if value)
    verdicts = [Verdict.UNCHANGED, *(one.verdict if one else Verdict.INVALID for one in found)]
    changes = [
        place
        for place, verdict in enumerate(verdicts)
        if verdict in CHANGED and verdict is not verdicts[place - 1]
    ]
    boxes = [VersionBox(None, in_ms(first, decimals), "")]
    for one in found:
        effect = one.effect if one else None
        boxes.append(
            VersionBox(
                status_of(one.verdict) if one else None,
                in_ms(one.new_ms if one else None, decimals),
                change_of(effect) if effect else "",
            )
        )
    return VersionRow(key.text, tuple(boxes), sparkline(values, changes) if changes else None)


# --------------------------------------------------------------------------- what is missing, what differs


def reasons(release: Release) -> tuple[tuple[Reason, ...], int]:
    """What was not measured, the most frequent reasons first; how many more reasons there are."""
    found: defaultdict[tuple[str, str], list[Name]] = defaultdict(list)
    for one in release.unmeasured:
        found[one.what, one.reason].append(one.named)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    rows = [
        Reason(
            STATUSES.get(what, NOT_PAIRED),
            reason or "no reason is known",
            len(names),
            _named(map(_cell_text, names)),
        )
        for (what, reason), names in ordered[:MOST_REASONS]
    ]
    return tuple(rows), max(len(ordered) - MOST_REASONS, 0)


def _named(names: Iterable[str]) -> str:
    known = list(names)
    shown = ", ".join(map(short, known[:MOST_NAMED]))
    return f"{shown} and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else shown


def differences(release: Release) -> tuple[tuple[Difference, ...], int]:
    """What else than the version differs, by how many comparisons; how many more there are."""
    found: defaultdict[str, list[Key]] = defaultdict(list)
    for key, one in release.last.cells.items():
        for text in one.differences:
            found[text].append(key)
    ordered = sorted(found.items(), key=lambda item: -len(item[1]))
    rows = [
        Difference(text, len(keys), _named(dict.fromkeys(key.device for key in keys)))
        for text, keys in ordered[:MOST_REASONS]
    ]
    return tuple(rows), max(len(ordered) - MOST_REASONS, 0)
