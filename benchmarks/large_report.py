"""The report of a run with many cells: sizes, times to write it, first paint, filter and sort in Chromium.

    python benchmarks/large_report.py [--cells 10000 100000] [--pages] [--keep FOLDER]

Every cell is different: a device, its context, its times, its verdict and interval, ten rounds. Each line
says what was wanted of it, and `pass` or `FAIL`. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from farm.compare.words import sentence
from farm.model.comparison import Change, Comparing, Comparison, Effect, Verdict
from farm.model.device import Facts, RuntimeKind
from farm.model.matrix import RoundKind
from farm.model.run import (
    CellResult,
    CellStatus,
    DeviceRecord,
    Results,
    RoundResult,
    RoundStatus,
    VariantRecord,
)
from farm.report.compose import compose
from farm.report.pages import pages
from farm.report.render import render
from tests.data.results import make
from tests.e2e.chromium import chromium, program

VARIANTS = 10
ROUNDS = 10
MOST_BYTES = {10_000: 1_500_000, 100_000: 12_000_000}
MOST_WRITE_S = {10_000: 10.0}
MOST_PAINT_MS = {10_000: 2000.0}
MOST_ANSWER_MS = 200.0
VERDICTS = (Verdict.UNCHANGED,) * 12 + (Verdict.SLOWER, Verdict.FASTER, Verdict.INCONCLUSIVE)


def device(draw: random.Random, index: int) -> DeviceRecord:
    facts = Facts(
        hostname=f"node-{index}",
        architecture="aarch64",
        cpu_model=draw.choice(("Cortex-A76", "Cortex-A78", "Cortex-X1")),
        soc=draw.choice(("rk3588", "sm8350", "mt6893")),
        kernel=f"6.1.{draw.randrange(200)}-{index}",
        os_name=draw.choice(("Debian 12", "Debian 13", "Android 14")),
        memory_bytes=draw.randrange(2 << 30, 16 << 30),
        governors=((0, draw.choice(("performance", "schedutil"))),),
    )
    return DeviceRecord(
        f"dev-{index:05d}", f"bench@10.{index // 65536}.{index // 256 % 256}.{index % 256}",
        RuntimeKind.NATIVE,
        engine="MegEngine 1.13.0", facts=facts, tags=(draw.choice(("arm64", "phone")), f"rack-{index % 40}"),
    )  # fmt: skip


def rounds(draw: random.Random, level_ms: float) -> tuple[RoundResult, ...]:
    return tuple(
        RoundResult(RoundKind.TIMED, i, RoundStatus.COMPLETED, e2e_ms=(value,) * 3, value_ms=value)
        for i in range(ROUNDS)
        for value in (round(level_ms * draw.gauss(1, 0.01), 3),)
    )


def cells(draw: random.Random, of: DeviceRecord) -> Iterator[CellResult]:
    from farm.analysis.summary import summarise

    level_ms = draw.uniform(5, 80)
    for variant in range(VARIANTS):
        name = f"threads-{variant + 1}"
        argv = ("load_and_run", "resnet18.mge", "--iter=10", f"--multithread={variant + 1}")
        done = rounds(draw, level_ms * (1.0 if not variant else draw.choice((1.0, 1.0, 1.0, 1.06, 0.93))))
        made = CellResult(
            of.name, "resnet18", name, {"multithread": variant + 1}, argv, CellStatus.COMPLETED,
            reproduce=f"ssh {of.address} 'cd \"$(mktemp -d)\" && {' '.join(argv)}'",
            rounds=done, summary=summarise(done),
        )  # fmt: skip
        if draw.random() < 0.01:
            error = f"load_and_run ended by signal 11 after {draw.randrange(10**6)} bytes"
            made = replace(
                made, status=CellStatus.FAILED, rounds=(), summary=None, error=error, cause="crashed"
            )
        yield made


def compared(draw: random.Random, before: CellResult, after: CellResult) -> Comparison:
    verdict = draw.choice(VERDICTS)
    size = {Verdict.SLOWER: 0.06, Verdict.FASTER: -0.07, Verdict.INCONCLUSIVE: 0.02}.get(verdict, 0.0)
    ratio = 1 + size + draw.gauss(0, 0.004)
    near, far = draw.uniform(0.004, 0.008), draw.uniform(0.008, 0.016)
    effect = Effect(ratio, ratio - far, ratio + far, ratio - near, ratio + near, draw.random() / 100, ROUNDS)
    made = Comparison(after.device, before.id, after.id, Change.VARIANT, verdict, "", confirm=effect)
    return replace(made, sentence=sentence(made, (before.variant, after.variant), Comparing()))


def large(number: int) -> Results:
    """A run of so many cells on a tenth as many devices; each is compared with its device's first."""
    draw = random.Random(number)
    devices = tuple(device(draw, i) for i in range(number // VARIANTS))
    found = [tuple(cells(draw, one)) for one in devices]
    comparisons = tuple(
        compared(draw, first, one) for first, *rest in found for one in rest if first.summary and one.summary
    )
    made = make.run("large", {}, {"resnet18": 1.0}, ["fp32"], ROUNDS)
    variants = tuple(VariantRecord(cell.variant, cell.options, cell.variant) for cell in found[0])
    return replace(
        made,
        devices=devices,
        variants=variants,
        cells=tuple(c for few in found for c in few),
        comparisons=comparisons,
    )


def told(what: str, value: float, unit: str, most: float | None) -> bool:
    is_good = most is None or value <= most
    wanted = "" if most is None else f"   at most {most:,.0f}   {'pass' if is_good else 'FAIL'}"
    print(f"  {what:<44} {value:>12,.1f} {unit:<6}{wanted}", flush=True)
    return is_good


def written(number: int, path: Path, *, with_pages: bool) -> list[bool]:
    results = large(number)
    start = time.perf_counter()
    path.write_text(render(compose(results)), "utf-8")
    took_s = time.perf_counter() - start
    size = path.stat().st_size
    good = [
        told("report.html", size, "bytes", MOST_BYTES.get(number)),
        told("  of each cell", size / number, "bytes", 150),
        told("written in", took_s, "s", MOST_WRITE_S.get(number)),
    ]
    if with_pages:
        start, total = time.perf_counter(), 0
        for _, html in pages(results):
            total += len(html)
        told("pages of cells, made in", time.perf_counter() - start, "s", None)
        told("pages of cells", total, "bytes", None)
    return good


FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
READY = """new Promise(done => {
    const look = () => farm.live ? done(performance.now()) : setTimeout(look, 10); look(); })"""
TIMED = """(() => {{ const times = []; for (const value of {values}) {{
    const start = performance.now(); farm.live.state.{name} = value; farm.live.refresh();
    document.querySelector('.grid').getBoundingClientRect(); times.push(performance.now() - start); }}
    return Math.max(...times); }})()"""


def looked_at(number: int, path: Path) -> list[bool]:
    with chromium() as tab:
        tab.open(path)
        paint = tab.js("new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))") or tab.js(
            FIRST_PAINT
        )
        good = [told("first paint", float(paint), "ms", MOST_PAINT_MS.get(number))]
        told("table ready", float(tab.js(READY)), "ms", None)
        tab.js("farm.live.state.all = '1'; farm.live.refresh()")
        actions: dict[str, tuple[str, list[str]]] = {
            "filter": ("q", ["dev-000", "threads-3", "tag=phone", "arm64 threads-1", ""]),
            "sort": ("sort", ["change", "-median", "device", "verdict", ""]),
            "filter by verdict": ("f", ["slower", ""]),
            "heat map": ("v", ["heat", "table"]),
        }
        for name, (key, values) in actions.items():
            most = MOST_ANSWER_MS if name != "heat map" else None
            took: Any = tab.js(TIMED.format(values=values, name=key))
            good.append(told(f"{name} (the slowest of {len(values)})", took, "ms", most))
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--cells", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--pages", action="store_true", help="also make the pages of cells")
    parser.add_argument("--keep", type=Path, help="folder for the reports")
    arguments = parser.parse_args()
    good: list[bool] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for number in arguments.cells:
            print(f"{number:,} cells, {ROUNDS} rounds each")
            path = folder / f"large-{number}.html"
            good += written(number, path, with_pages=arguments.pages)
            good += looked_at(number, path) if program() else []
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
