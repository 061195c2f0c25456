"""A release as Markdown, for a mail or a change request. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from farm.compare.words import SYMBOLS, change_of, interval, pairs_of
from farm.export.markdown import MOST_ROWS, code, escaped
from farm.model.comparison import Verdict
from farm.release.decide import Release
from farm.release.nouns import Compared, Key
from farm.release.summary import summary

_COLUMNS = ("", "verdict", "cell", "old, ms", "new, ms", "change", "95 % interval", "measured", "run")
_PARTS = (
    ("Confirmed regressions", (Verdict.SLOWER,)),
    ("Confirmed improvements", (Verdict.FASTER,)),
    ("Not decided", (Verdict.INCONCLUSIVE, Verdict.INVALID)),
)


def markdown(release: Release) -> str:
    """The five lines, wrong outputs, and what changed or is open."""
    return "\n".join(_lines(release)) + "\n"


def _lines(release: Release) -> Iterator[str]:
    step = release.last.step
    yield f"## {escaped(step.new.name)} against {escaped(step.old.name)}"
    yield ""
    first, *others = summary(release)
    yield f"**{escaped(first)}**"
    yield ""
    for line in others:
        yield f"- {escaped(line)}"
    if release.findings:
        yield from _list("To know", (escaped(text) for text in release.findings))
    wrong = [
        f"{code('/'.join(filter(None, one.named)))} (run {escaped(release.runs[one.run].run_id)}): "
        f"{escaped(one.sentence)}"
        for one in release.wrong
        if not one.is_unknown
    ]
    if wrong:
        yield from _list("Wrong outputs", iter(wrong[:MOST_ROWS]))
    for title, verdicts in _PARTS:
        yield from _table(release, title, release.last.ranked(*verdicts))


def _list(title: str, lines: Iterator[str]) -> Iterator[str]:
    yield ""
    yield f"### {title}"
    yield ""
    for line in lines:
        yield f"- {line}"


def _table(release: Release, title: str, found: list[tuple[Key, Compared]]) -> Iterator[str]:
    if not found:
        return
    yield ""
    yield f"### {title}"
    yield ""
    yield f"| {' | '.join(_COLUMNS)} |"
    yield f"|{'---|' * len(_COLUMNS)}"
    for key, one in found[:MOST_ROWS]:
        yield f"| {' | '.join(_row(release, key, one))} |"
    if len(found) > MOST_ROWS:
        yield ""
        yield f"And {len(found) - MOST_ROWS} more in the JSON."
    if found[0][1].verdict not in (Verdict.SLOWER, Verdict.FASTER):
        yield ""
        for key, one in found[:MOST_ROWS]:
            yield f"- {code(key.text)}: {escaped(one.sentence)}"


def _row(release: Release, key: Key, one: Compared) -> tuple[str, ...]:
    effect = one.effect
    return (
        escaped(SYMBOLS[one.verdict]),
        str(one.verdict),
        code(key.text),
        *("" if value is None else f"{value:.4g}" for value in (one.old_ms, one.new_ms)),
        change_of(effect) if effect else "",
        (interval(effect) if effect else None) or "",
        pairs_of(effect, fresh=one.is_fresh) if effect else "",
        escaped(release.runs[one.run].run_id),
    )
