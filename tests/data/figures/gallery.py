"""A page with every figure of the report: `python -m tests.data.figures.gallery PAGE.html`.

All numbers are invented (drawn from a fixed seed); names are as hostile as devices can send them.
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

from farm.model.comparison import Verdict
from farm.report.figures.bars import bars
from farm.report.figures.distribution import distribution
from farm.report.figures.heat_map import HeatValue, heat_map
from farm.report.figures.memory import memory_timeline
from farm.report.figures.pairs import pairs_plot
from farm.report.figures.roofline import OperatorWork, roofline
from farm.report.figures.rounds import OneRound, rounds_figure
from farm.report.figures.sparkline import sparkline
from farm.report.figures.tracks import Reading, Track, tracks
from farm.report.figures.waterfall import waterfall
from farm.report.figures.whisker import whisker, whisker_end
from farm.report.render import _page, environment

HOSTILE = '<script>window.ran = 1</script> "conv" & \u202eevil \x1b[31m' + "layer/" * 40 + "end"

PAGE = """
{% from "macros/figures.html.j2" import whisker, pairs_plot, rounds, distribution, tracks, sparkline %}
{% from "macros/operators.html.j2" import waterfall, bars, roofline, memory, heat_map %}
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Figures</title>
<meta http-equiv="Content-Security-Policy" content="{{ page.policy }}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{{ page.style }}</style></head>
<body><main><h1>Figures</h1>
<h2>Whiskers</h2>{% for one in figures.whiskers %}<p>{{ one.text }}</p>{{ whisker(one) }}{% endfor %}
<h2>Pairs</h2>{{ pairs_plot(figures.pairs) }}
{% for one in figures.rounds %}{{ rounds(one) }}{% endfor %}
{% for one in figures.distributions %}{{ distribution(one) }}{% endfor %}
{% for one in figures.tracks %}{{ tracks(one) }}{% endfor %}
{% for one in figures.waterfalls %}{{ waterfall(one) }}{% endfor %}
{% for one in figures.bars %}{{ bars(one) }}{% endfor %}
{% for one in figures.rooflines %}{{ roofline(one) }}{% endfor %}
{% for one in figures.memories %}{{ memory(one) }}{% endfor %}
<h2>Map</h2>{{ heat_map(figures.heat_map) }}
<h2>Sparklines</h2>{% for one in figures.sparklines %}{{ sparkline(one) }}{% endfor %}
</main></body></html>
"""


def whiskers():
    many = [
        (1.048, 1.03, 1.061, Verdict.SLOWER),
        (0.93, 0.9, 0.958, Verdict.FASTER),
        (1.004, 0.99, 1.012, Verdict.UNCHANGED),
        (1.3, 0.8, 1e9, Verdict.INCONCLUSIVE),
        (1.01, None, None, Verdict.INVALID),
    ]
    end = whisker_end([row[0] for row in many], 0.03)
    return [whisker(ratio, (low, high), verdict, 0.03, end) for ratio, low, high, verdict in many]


def rounds(draw):
    qualities = {4: "throttled", 5: "busy", 11: "not steady"}
    drawn = [
        OneRound(
            f"timed {i + 1}",
            None if i == 8 else 11.9 + draw.gauss(0, 0.1) + (i in qualities),
            i not in qualities,
            qualities.get(i, ""),
        )
        for i in range(16)
    ]
    many = [OneRound(HOSTILE, 3 + draw.random() + (i == 777) * 4) for i in range(100_000)]
    return [
        rounds_figure(drawn, 11.93, (11.85, 12.02), 2),
        rounds_figure(many, 3.5),
        rounds_figure([OneRound("a", 5.0), OneRound("b", 5.0)], 5.0, None, 1),
    ]


def device(draw):
    def heat(i):
        low = 41 + 20 * (1 - math.exp(-i / 6)) + draw.random()
        return Reading(low, low + 2, low + 4)

    def clock(i):
        top = 1.4 if 9 <= i <= 13 else 2.4
        return Reading(top - 0.2 * draw.random(), top, top)

    heats = tuple(None if i == 5 else heat(i) for i in range(20))
    return [
        tracks(
            [Track("hottest sensor, C", heats), Track("frequency, GHz", tuple(map(clock, range(20))))],
            [9 <= i <= 13 for i in range(20)],
        )
    ]


def works(draw):
    def work(i):
        intensity, time_us = 10 ** draw.uniform(-1, 2.2), 10 ** draw.uniform(0, 3.3)
        gflops = min(40.0, 12 * intensity) * draw.uniform(0.2, 0.95)
        flop = gflops * time_us * 1e3
        return OperatorWork(HOSTILE if i == 3 else f"conv{i}.w", flop, flop / intensity, time_us)

    return [*map(work, range(90)), OperatorWork("reshape", 0, 4096, 3.0)]


def in_use(draw):
    sizes, now = [], 4 << 20
    for i in range(160):
        now = max(now + draw.randrange(-(3 << 20), 3 << 20) + (i < 60) * (1 << 19), 1 << 20)
        sizes.append(now)
    return sizes


def cells(draw):
    verdicts = list(Verdict)
    found = {}
    for i in range(8):
        for j, variant in enumerate(("fp32", "nchw44", "4 threads", "4 threads, big cores@release")):
            verdict = verdicts[draw.randrange(5)]
            ratio = {Verdict.SLOWER: 1 + draw.random() / 2, Verdict.FASTER: 1 - draw.random() / 2}.get(
                verdict, 1.0
            )
            known = (None, None, None) if verdict is Verdict.INVALID else (ratio, ratio - 0.02, ratio + 0.02)
            if (i, j) != (2, 2):
                found[f"arm-{i + 1}", variant] = HeatValue(verdict, *known)
    return found


def examples():
    draw = random.Random(7)
    parts = [("conv5_2.conv", 1.31), ("conv1 relu", 0.42), ("reduce", -0.3), (HOSTILE, 0.2)]
    parts += [(f"small {i}", draw.gauss(0, 0.02)) for i in range(40)]
    types = ("CONVOLUTION_FORWARD", "ELEMWISE", "MATRIX_MUL", "POOLING", "REDUCE", HOSTILE, "RESHAPE")
    old, new = ([draw.gauss(level, 0.15) for _ in range(60)] for level in (11.8, 12.2))
    history = [
        *(20 + draw.gauss(0, 0.3) for _ in range(40)),
        None,
        *(22 + draw.gauss(0, 0.3) for _ in range(30)),
        *(19 + draw.gauss(0, 0.3) for _ in range(20)),
    ]
    work = works(draw)
    return {
        "whiskers": whiskers(),
        "pairs": pairs_plot(old, new, 0.03),
        "rounds": rounds(draw),
        "distributions": [
            distribution([("old", old), ("new " + HOSTILE, new)]),
            distribution([("old", [*old, 1e6])]),
        ],
        "tracks": device(draw),
        "waterfalls": [waterfall(parts, 20.4, 22.2), waterfall([], 20.4, 20.4)],
        "bars": [
            bars(
                [(name, (10 / (i + 1), None if i == 4 else 11 / (i + 1))) for i, name in enumerate(types)],
                ("old", "new"),
                "Time of operators by type",
            ),
            bars(
                [(name, (10 / (i + 1),)) for i, name in enumerate(types)],
                ("old",),
                "Time of operators by type",
            ),
        ],
        "rooflines": [roofline(work, 40.0, 12.0), roofline(work[:1])],
        "memories": [
            memory_timeline(in_use(draw), [("conv1 out", 9 << 20), (HOSTILE, 5 << 20), ("weights", 4 << 20)])
        ],
        "heat_map": heat_map(
            [f"arm-{i + 1}" for i in range(8)],
            ("fp32", "nchw44", "4 threads", "4 threads, big cores@release"),
            cells(draw),
            "All cells against release 1.12",
        ),
        "sparklines": [sparkline(history, [40, 71]), sparkline([1.0, 1.0])],
    }


def page() -> str:
    return environment().from_string(PAGE.lstrip()).render(figures=examples(), page=_page())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), "utf-8")
