"""Kinds of devices for `like:`, each with the times, noise and heat that are usual for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from farm.sim.properties import Cluster, Heat, Login, Program, Properties


@dataclass(frozen=True)
class Kind:
    """What devices of a kind are like, in words, and the properties that make them so."""

    text: str
    properties: Properties


PHONE = Heat(
    idle_c=32.0,
    warming_c=8.0,
    cooling_c=4.0,
    trip_c=46.0,
    throttled=0.6,
    zone="soc-thermal",
    clusters=(
        Cluster((0, 1, 2, 3), 1_800_000, 300_000, 325),
        Cluster((4, 5, 6), 2_420_000, 600_000, 800),
        Cluster((7,), 2_840_000, 800_000, 1024),
    ),
)
BOARD = Heat(
    idle_c=42.0,
    warming_c=6.0,
    cooling_c=2.0,
    trip_c=85.0,
    throttled=0.7,
    clusters=(
        Cluster((0, 1, 2, 3), 1_800_000, 408_000, 530),
        Cluster((4, 5, 6, 7), 2_400_000, 408_000, 1024),
    ),
    governor="ondemand",
    governors=("performance", "ondemand", "powersave"),
)
SMALL_BOARD = Heat(
    idle_c=48.0,
    warming_c=8.0,
    cooling_c=1.5,
    trip_c=80.0,
    throttled=0.5,
    zone="cpu-thermal",
    clusters=(Cluster((0, 1, 2, 3), 1_500_000, 600_000),),
    governor="ondemand",
    governors=("performance", "ondemand", "powersave"),
)
SERVER = Heat(
    idle_c=38.0,
    warming_c=1.0,
    cooling_c=2.0,
    trip_c=95.0,
    throttled=0.8,
    zone="x86_pkg_temp",
    clusters=(Cluster(tuple(range(16)), 3_500_000, 800_000),),
    governor="performance",
    governors=("performance", "powersave"),
)

KINDS: Mapping[str, Kind] = {
    "phone": Kind(
        "4 small, 3 middle and 1 big core; warm after a few seconds of work, slower above 46 C; 3 % noise",
        Properties(Program(latency_ms=12.0, noise=0.03, load_ms=20.0, first_ms=30.0), heat=PHONE),
    ),
    "board": Kind(
        "4 small and 4 big cores with a heat sink; slower above 85 C; 1.5 % noise",
        Properties(Program(latency_ms=18.0, noise=0.015, load_ms=30.0, first_ms=40.0), heat=BOARD),
    ),
    "small-board": Kind(
        "4 equal cores without a heat sink, slower above 80 C; each tool takes 5 ms to start; 2 % noise",
        Properties(
            Program(latency_ms=80.0, noise=0.02, load_ms=120.0, first_ms=160.0),
            fork_s=0.005,
            heat=SMALL_BOARD,
        ),
    ),
    "server": Kind(
        "16 equal cores that stay cool; 0.5 % noise",
        Properties(Program(latency_ms=2.0, noise=0.005, load_ms=5.0, first_ms=6.0), heat=SERVER),
    ),
    "shared-server": Kind(
        "a server on which others work, too: what runs on this machine is seen as neighbours; 8 % noise",
        Properties(
            Program(latency_ms=2.0, noise=0.08, load_ms=5.0, first_ms=6.0),
            Login(neighbours=True),
            heat=SERVER,
        ),
    ),
}
"""All of them."""
