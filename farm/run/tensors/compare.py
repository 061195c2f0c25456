"""Compare several dumps with one, tensor by tensor, on all cores, away from the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from farm.analysis.dumps.divergence import classified, first_diverging, in_graph_order, largest_drop
from farm.analysis.dumps.layouts import PLAIN, views
from farm.analysis.dumps.matching import Match, matches
from farm.analysis.dumps.unmatched import with_reasons
from farm.analysis.tolerances import tolerance_for
from farm.dumps.tensor import LOW_BITS
from farm.model.dumps import DumpComparison, DumpedTensor, Side, TensorPair
from farm.model.limits.deadlines import Deadlines
from farm.model.outputs import Tolerance
from farm.run.tensors.sides import Dump, read_dump, size_of
from farm.run.tensors.work import Found, Job, compare_batch, failed, get_ready
from farm.worker import LateError, WorkerError, in_worker

SMALL_BYTES = 8 << 20
"""Of all tensors of two dumps: they are compared in a thread, in less time than a process takes to start."""

BATCH_BYTES = 64 << 20
"""At most, but for a tensor that is larger; the deadline `compare-tensors` is for so many."""

LEAST_BATCH_BYTES = 4 << 20
BATCH_TENSORS = 64

FEW = 0.1
"""Where fewer tensors than that have a partner the two are dumps of different models."""

TEXT_TOLERANCE = Tolerance("text", 2e-3, 1e-6)
"""A text dump has four digits, and three of its statistics."""

Named = tuple[str, Sequence[Path]]
"""What a dump is called, and its files or folders."""

Progress = Callable[[str, int, int], None]
"""Is told what is compared, and how many bytes of how many are done."""


@dataclass(frozen=True)
class How:
    """How dumps are compared: with the tolerances that the user stated, in so many processes."""

    stated: tuple[Tolerance, ...] = ()
    workers: int = 1
    progress: Progress = lambda *_: None
    deadlines: Deadlines = Deadlines()


async def compare_dumps(reference: Named, candidates: Sequence[Named], how: How) -> DumpComparison:
    """Each candidate against the reference. Never raises for what is in the dumps.

    Memory: about 100 MB for the heads of 100,000 tensors, and 100 MB for each worker, whatever their size.
    """
    sides = []
    async with asyncio.TaskGroup() as group:
        waking = group.create_task(_awake((reference, *candidates), how))
        theirs = await asyncio.to_thread(read_dump, *reference)
        for named in candidates:
            ours = await asyncio.to_thread(read_dump, *named)
            await waking
            sides.append(await _side(ours, theirs, how))
    return DumpComparison(theirs.label, tuple(sides), tuple(theirs.findings))


async def _awake(dumps: Sequence[Named], how: How) -> None:
    """Starts the processes while heads are read: each needs as long as the heads of a hundred tensors."""
    paths = [path for _, paths in dumps for path in paths]
    if await asyncio.to_thread(size_of, paths) > SMALL_BYTES:
        with suppress(WorkerError, OSError):  # the first batch will tell
            waking = (in_worker(how.deadlines.compare_tensors_s, get_ready) for _ in range(how.workers))
            await asyncio.gather(*waking)


async def _side(ours: Dump, theirs: Dump, how: How) -> Side:
    pairs = await asyncio.to_thread(matches, ours.tensors, theirs.tensors)
    findings = list(ours.findings)
    if ours.is_text != theirs.is_text:
        findings.append("a text dump and a binary one cannot be compared: dump both in the same way")
        pairs = []
    jobs = [_job(ours, theirs, one, how.stated) for one in pairs]
    found = await _all(ours.label, jobs, how)
    return await asyncio.to_thread(
        _put_together, ours, theirs, list(zip(pairs, found, strict=True)), findings
    )


def _strange(ours: Dump, theirs: Dump, pairs: Sequence[TensorPair]) -> list[str]:
    least = min(len(ours.tensors), len(theirs.tensors))
    alike = sum(one.candidate.shape == one.reference.shape or one.layouts is not None for one in pairs)
    if least and ours.is_text == theirs.is_text and alike <= FEW * least:
        few = f"{alike:,} of {least:,} tensors have a partner of their shape"
        return [f"{few}: it is a dump of another model, or of options that rebuild the graph"]
    return []


def _job(ours: Dump, theirs: Dump, match: Match, stated: Sequence[Tolerance]) -> Job:
    candidate, reference = ours.sources[match[0]], theirs.sources[match[1]]
    tolerance, is_stated = tolerance_for((candidate.dtype, reference.dtype), stated)
    if candidate.text is not None and not is_stated:
        tolerance = TEXT_TOLERANCE
    has_bytes = not {candidate.dtype, reference.dtype} & LOW_BITS.keys()
    return Job(candidate, reference, tolerance, views(candidate.shape, reference.shape) if has_bytes else ())


async def _all(label: str, jobs: Sequence[Job], how: How) -> list[Found]:
    """What came of them in the order of the jobs, from `workers` processes."""
    found: list[Found | None] = [None] * len(jobs)
    batches = iter(_batches(jobs, how.workers))
    total, done = sum(job.size_bytes for job in jobs), 0
    if total <= SMALL_BYTES:
        return list(await asyncio.to_thread(compare_batch, tuple(jobs)))

    async def work() -> None:
        nonlocal done
        for batch in batches:
            mine = tuple(jobs[place] for place in batch)
            for place, one in zip(batch, await _compared(mine, how.deadlines), strict=True):
                found[place] = one
            done += sum(job.size_bytes for job in mine)
            how.progress(label, done, total)

    async with asyncio.TaskGroup() as group:
        for _ in range(how.workers):
            group.create_task(work())
    return [one for one in found if one is not None]


def _batches(jobs: Sequence[Job], workers: int) -> Iterator[list[int]]:
    """Places of jobs: the large ones first, and smaller batches towards the end, so that all workers end at
    about the same time.
    """
    batch: list[int] = []
    size, left = 0, sum(job.size_bytes for job in jobs)
    for place in sorted(range(len(jobs)), key=lambda place: -jobs[place].size_bytes):
        batch.append(place)
        size += jobs[place].size_bytes
        enough = min(BATCH_BYTES, max(LEAST_BATCH_BYTES, left // (4 * workers)))
        if size >= enough or len(batch) >= BATCH_TENSORS:
            yield batch
            left -= size
            batch, size = [], 0
    if batch:
        yield batch


async def _compared(jobs: tuple[Job, ...], deadlines: Deadlines) -> tuple[Found, ...]:
    times = max(1.0, sum(job.size_bytes for job in jobs) / BATCH_BYTES)
    try:
        return await in_worker(times * deadlines.compare_tensors_s, compare_batch, jobs)
    except LateError:
        each = "" if times == 1 else f", {times:.1f} times"
        why = f"it was not compared {deadlines.ran_out('compare-tensors')}{each}"
    except (WorkerError, OSError) as error:  # no process more may be started, as one
        why = f"it was not compared: {error}"
    return tuple(failed(job, why) for job in jobs)


def _put_together(
    ours: Dump, theirs: Dump, found: Sequence[tuple[Match, Found]], findings: Sequence[str]
) -> Side:
    order = {place: rank for rank, place in enumerate(in_graph_order(ours.tensors))}
    pairs = [
        TensorPair(
            ours.tensors[mine],
            theirs.tensors[other],
            matched,
            order[mine],
            one.difference,
            layouts=one.view and (one.view[0].name, one.view[1].name),
        )
        for (mine, other, matched), one in found
    ]
    pairs.sort(key=lambda one: one.order)
    classes = classified(pairs, ours.tensors)
    mine, others = {match[0] for match, _ in found}, {match[1] for match, _ in found}
    return Side(
        label=ours.label,
        pairs=classes,
        only_candidate=with_reasons(_without(ours, mine), theirs.tensors),
        only_reference=with_reasons(_without(theirs, others), ours.tensors),
        findings=(*findings, *_strange(ours, theirs, classes), *_relaid(classes)),
        first=first_diverging(classes),
        drop=largest_drop(classes),
    )


def _without(dump: Dump, paired: set[int]) -> list[DumpedTensor]:
    return [one for place, one in enumerate(dump.tensors) if place not in paired]


def _relaid(pairs: Sequence[TensorPair]) -> list[str]:
    names = sorted({name for one in pairs if one.layouts for name in one.layouts} - set(PLAIN))
    count = sum(one.layouts is not None for one in pairs)
    return [f"{count:,} tensors are compared in plain order ({', '.join(names)})"] if count else []
