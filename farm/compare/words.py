"""Comparisons in plain words, and their figures as text: one format for all that people read."""

from __future__ import annotations

from collections.abc import Mapping

from farm.analysis.sample_size import MOST_PAIRS
from farm.model.comparison import Change, Comparing, Comparison, Duel, Effect, Verdict
from farm.model.run import CellResult

THIS_RUN = "this run"

SYMBOLS: Mapping[Verdict, str] = {
    Verdict.SLOWER: "\N{BLACK UP-POINTING TRIANGLE}",
    Verdict.FASTER: "\N{BLACK DOWN-POINTING TRIANGLE}",
    Verdict.INCONCLUSIVE: "?",
    Verdict.INVALID: "\N{BALLOT X}",
    Verdict.UNCHANGED: "=",
}
"""A sign beside each word, so that colour is never the only one; in the order in which verdicts are shown."""


MOST_PERCENT = 1e6
"""From here on with an exponent."""


def percent(fraction: float, *, signed: bool = True) -> str:
    """`+4.8 %` of 0.048; two significant digits below 1 %, none after the point from 100 %."""
    value = 100 * fraction
    if abs(value) >= MOST_PERCENT:
        return f"{value:{'+' if signed else ''}.1e} %"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 0.1 or not value else 2
    return f"{value:{'+' if signed else ''}.{digits}f} %"


def change_of(effect: Effect) -> str:
    """`+4.8 %`: how much more time the candidate takes."""
    return percent(effect.ratio - 1)


def interval(effect: Effect) -> str | None:
    """`+3.9 to +5.7 %` with 95 % confidence; None where the pairs are too few for one."""
    return _range(effect.low, effect.high)


def pairs_of(effect: Effect, *, fresh: bool) -> str:
    """`140 fresh pairs`, `10 pairs`, `10 rounds a side`."""
    noun = "pair" if effect.is_paired else "round"
    noun = noun if effect.n == 1 else f"{noun}s"
    return f"{effect.n} {'fresh ' if fresh else ''}{noun}{'' if effect.is_paired else ' a side'}"


def sides(duel: Duel, baseline: CellResult, candidate: CellResult) -> tuple[str, str]:
    """What the two sides of a duel are called: by that in which they differ."""
    if duel.since is not None:
        return f"run {duel.since}", THIS_RUN
    if duel.is_canary or duel.change is Change.NOTHING:
        return "the first", "the second"
    names = {
        Change.BUILD: (baseline.build, candidate.build),
        Change.MODEL: (baseline.model, candidate.model),
        Change.VARIANT: (baseline.variant, candidate.variant),
    }
    return names[duel.change]


def sentence(comparison: Comparison, names: tuple[str, str], comparing: Comparing, reason: str = "") -> str:
    """The verdict in plain words. `names` are the baseline's and the candidate's; `reason` says why there is
    no verdict, or no final one.
    """
    effect, verdict = comparison.effect, comparison.verdict
    before, after = names
    if effect is None and verdict is Verdict.INCONCLUSIVE:
        return f"not decided: {reason}"
    if verdict is Verdict.INVALID or effect is None:
        return f"{after} and {before} cannot be compared: {reason or 'nothing was measured'}"
    counted = pairs_of(effect, fresh=comparison.confirm is not None)
    if verdict is Verdict.UNCHANGED:
        least = f"{100 * comparing.minimum_effect:g} %"
        bounds = _range(effect.low_90, effect.high_90)
        shown = f"{change_of(effect)} (90 %: {bounds})" if bounds else change_of(effect)
        return f"no change of {least} or more between {before} and {after}: {shown}, {counted}"
    if verdict is Verdict.INCONCLUSIVE:
        return _undecided(comparison, effect, names, counted, reason)
    return f"{_told(effect, names, 'is')}, {counted}"


def _undecided(
    comparison: Comparison, effect: Effect, names: tuple[str, str], counted: str, reason: str
) -> str:
    wanted = comparison.pairs_wanted
    more = f"about {wanted} fresh pairs would decide it" if wanted else None
    if not wanted and effect.low is not None:
        more = f"more than {MOST_PAIRS} fresh pairs would be needed"
    return "; ".join(filter(None, (f"not decided: {_told(effect, names, 'looks')}, {counted}", reason, more)))


def _told(effect: Effect, names: tuple[str, str], verb: str) -> str:
    """`B is 4.8 % slower than A (95 %: 3.9 to 5.7 %)`."""
    before, after = names
    is_slower = effect.ratio >= 1
    size = percent(abs(effect.ratio - 1), signed=False)
    bounds = interval(effect)
    if bounds and verb == "is" and effect.low is not None and effect.high is not None:
        low, high = sorted((abs(effect.low - 1), abs(effect.high - 1)))
        bounds = f"{percent(low, signed=False).removesuffix(' %')} to {percent(high, signed=False)}"
    shown = f" (95 %: {bounds})" if bounds else ""
    return f"{after} {verb} {size} {'slower' if is_slower else 'faster'} than {before}{shown}"


def _range(low: float | None, high: float | None) -> str | None:
    if low is None or high is None:
        return None
    return f"{percent(low - 1).removesuffix(' %')} to {percent(high - 1)}"
