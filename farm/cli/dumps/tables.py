"""A comparison of dumps as the terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from farm.analysis.dumps.diverged import noteworthy, operator_of, sentence
from farm.cli.terminal.console import plain
from farm.cli.terminal.tables import simple_table
from farm.model.dumps import DumpComparison, DumpedTensor, Side, TensorPair

MOST_ROWS = 20
MOST_UNMATCHED = 5
COLUMNS = ("operator", "class", "beyond", "largest", "SNR dB", "ULP")


def shown(found: DumpComparison, *, show_all: bool) -> Iterator[RenderableType]:
    """For each side what it came to, its odd tensors and those without a partner."""
    yield plain(f"reference: {found.reference}", "bold")
    for text in found.findings:
        yield plain(f"  {text}", "yellow")
    for side in found.sides:
        yield plain(f"{side.label}: {sentence(side)}", "bold")
        yield from _details(side, show_all)


def _details(side: Side, show_all: bool) -> Iterator[RenderableType]:
    for text in side.findings:
        yield plain(f"  {text}", "yellow")
    if side.drop is not None:
        drop = side.drop
        yield plain(
            f"  largest fall of the signal-to-noise ratio: {drop.operator} ({drop.operator_type}), from "
            f"{drop.before_db:.1f} to {drop.after_db:.1f} dB"
        )
    told = side.pairs if show_all else noteworthy(side)
    pairs = [one for one in told if one.difference.problem is None]
    if pairs:
        yield simple_table(COLUMNS, [_row(one) for one in (pairs if show_all else pairs[:MOST_ROWS])])
    if len(pairs) > MOST_ROWS and not show_all:
        yield plain(f"  and {len(pairs) - MOST_ROWS:,} more: --all shows them", "dim")
    yield from _unlike([one for one in told if one.difference.problem is not None], show_all)
    yield from _unmatched(f"only in {side.label}", side.only_candidate, show_all)
    yield from _unmatched("only in the reference", side.only_reference, show_all)


def _row(one: TensorPair) -> list[str]:
    found = one.difference
    name = operator_of(one.candidate)
    word = one.divergence.value if one.divergence else ""
    largest = "-" if found.max_abs is None else f"{found.max_abs:.3g}"
    place = f" at {','.join(map(str, found.at))}" if found.at and found.max_abs else ""
    snr = "-" if found.snr_db is None else f"{found.snr_db:.1f}"
    ulp = "-" if found.max_ulp is None else f"{found.max_ulp:,}"
    return [name, word, f"{found.mismatches:,} of {found.elements:,}", largest + place, snr, ulp]


def _unlike(pairs: Sequence[TensorPair], show_all: bool) -> Iterator[Text]:
    for one in pairs if show_all else pairs[:MOST_UNMATCHED]:
        yield plain(f"  not comparable: {operator_of(one.candidate)}: {one.difference.problem}", "yellow")
    if len(pairs) > MOST_UNMATCHED and not show_all:
        yield plain(f"  and {len(pairs) - MOST_UNMATCHED:,} more that are not comparable", "dim")


def _unmatched(title: str, tensors: Sequence[DumpedTensor], show_all: bool) -> Iterator[Text]:
    if not tensors:
        return
    few = tensors if show_all else tensors[:MOST_UNMATCHED]
    yield plain(f"  {title}: {len(tensors):,} tensors", "dim")
    for one in few:
        yield plain(f"    {operator_of(one)} {one.dtype} {one.shape}: {one.reason}", "dim")
    if len(few) < len(tensors):
        yield plain("    ... (--all shows them)", "dim")
