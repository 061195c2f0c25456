"""All benchmarks of a fleet, one after the other, and what they printed in benchmarks/RESULTS.md.

    .venv/bin/python -m benchmarks.results [--rivals VENV] [--quick] [NAME ...]

VENV is a virtual environment with what benchmarks/rivals/requirements.txt names. With names only these are
run again; the sections of the others stay as they are. `--quick` is to see that all of it works: its figures
say little, and go to standard output. Half an hour on a quiet machine; exit code 1 when a figure is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import farm

OUT = Path(__file__).parent / "RESULTS.md"
RIVAL = ("ansible-core", "pyinfra", "parallel-ssh", "fabric", "clustershell")
LONGEST_S = 3600
HEAD = """# Results of the benchmarks

`python -m benchmarks.results --rivals VENV` writes this file. Each section is of one call on one machine:
compare figures within it.
"""


@dataclass(frozen=True)
class Benchmark:
    """`words` follow `python -m benchmarks.`; `has_rivals`: it knows `--rivals`."""

    title: str
    words: str
    quick: str
    has_rivals: bool = False


BENCHMARKS = {
    "fan-out": Benchmark(
        "Reaching devices", "fan_out --devices 10,100", "fan_out --devices 4 --repeat 1", has_rivals=True
    ),
    "fan-out-far": Benchmark(
        "Reaching devices, 50 ms away",
        "fan_out --devices 1,10 --delay-ms 50",
        "fan_out --devices 1 --repeat 1 --delay-ms 50",
        has_rivals=True,
    ),
    "connections": Benchmark(
        "A connection, and a call on it",
        "connections",
        "connections --devices 4 --repeat 1 --calls 5 --out /dev/null",
    ),
    "transfer": Benchmark(
        "Pushing and pulling a large file",
        "transfer --devices 1,10 --sets model,pull",
        "transfer --devices 1 --repeat 1 --size-mb 20 --sets model,pull",
        has_rivals=True,
    ),
    "transfer-small": Benchmark(
        "Pushing and pulling many small files",
        "transfer --devices 1,10 --sets small,pull --only farm,ssh,scp,rsync",  # parallel-ssh takes 185 s
        "transfer --devices 1 --repeat 1 --files 100 --sets small,pull --only farm,ssh,scp,rsync",
    ),
    "overhead": Benchmark(
        "A bench beside its rounds",
        "overhead --devices 1 --rounds 5 --round-s 2",
        "overhead --devices 1 --round-s 1",
    ),
    "overhead-many": Benchmark(
        "A bench of a hundred devices beside its rounds",
        "overhead --devices 100",
        "overhead --devices 3 --round-s 1",
    ),
    "overhead-known": Benchmark(
        "A bench of a hundred devices that had one before",
        "overhead --devices 100 --known",
        "overhead --devices 3 --round-s 1 --known",
    ),
    "overhead-disk": Benchmark(
        "The same, with the run's folder on this machine's disk",
        "overhead --devices 100 --known --on-disk",
        "overhead --devices 3 --round-s 1 --known --on-disk",
    ),
    "overhead-far": Benchmark(
        "A bench beside its rounds, 50 ms away",
        "overhead --devices 1 --rounds 5 --round-s 2 --delay-ms 50",
        "overhead --devices 1 --round-s 1 --delay-ms 50",
    ),
    "growth": Benchmark("From few devices to many", "growth", "growth --devices 2,6,12 --out /dev/null"),
    "thousand": Benchmark(
        "A thousand devices", "thousand", "thousand --devices 50 --variants 4 --out /dev/null"
    ),
    "fleet": Benchmark("A fleet of workers", "fleet", "fleet --quick"),
    "device-cost": Benchmark("What a device pays", "device_cost", "device_cost --times 1 --shells dash"),
}


def machine() -> str:
    """Processor, cores, memory, system and versions, in a line."""
    model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    total = re.search(r"MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text())
    memory_gib = int(total[1]) / (1 << 20) if total else 0
    return ", ".join(
        (
            model[1] if model else platform.machine(),
            f"{os.cpu_count()} cores, {memory_gib:.0f} GiB",
            f"Linux {platform.release()}",
            f"CPython {platform.python_version()}",
            f"farm {farm.__version__}",
            f"asyncssh {metadata.version('asyncssh')}",
        )
    )


def versions(rivals: Path) -> str:
    code = f"from importlib.metadata import version\nfor n in {RIVAL!r}: print(n, version(n))"
    asked = [str(rivals / "bin" / "python"), "-c", code]
    return ", ".join(subprocess.check_output(asked, text=True).splitlines())


def section(one: Benchmark, rivals: Path | None, *, is_quick: bool) -> tuple[str, bool]:
    """Markdown of what one printed, and whether it met its figures."""
    words = (one.quick if is_quick else one.words).split()
    if one.has_rivals and rivals is not None:
        words += ["--rivals", str(rivals)]
    load = os.getloadavg()[0]
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{words[0]}", *words[1:]],
        check=False,
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
        timeout=LONGEST_S,
    )
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
    shown = " ".join("VENV" if word == str(rivals) else word for word in words)
    where = [f"{at} UTC, load {load:.1f} before. {machine()}."]
    where += [f"Rivals: {versions(rivals)}."] if one.has_rivals and rivals is not None else []
    lines = (f"## {one.title}", "", f"`python -m benchmarks.{shown}`", "", *where, "")
    return "\n".join((*lines, "```", done.stdout.rstrip(), "```", "")), not done.returncode


def known_sections() -> dict[str, str]:
    """Those of the file, by title."""
    text = OUT.read_text("utf-8") if OUT.exists() else ""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part for part in parts}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--rivals", type=Path, metavar="VENV")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.names) - set(BENCHMARKS):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    sections, is_good = {} if given.quick else known_sections(), True
    for name in given.names or BENCHMARKS:
        one = BENCHMARKS[name]
        print(f"{name} ...", file=sys.stderr, flush=True)
        sections[one.title], is_met = section(one, given.rivals, is_quick=given.quick)
        is_good &= is_met
        ordered = [sections[row.title].rstrip() for row in BENCHMARKS.values() if row.title in sections]
        text = "\n\n".join((HEAD.rstrip(), *ordered)) + "\n"
        if given.quick:
            print(sections[one.title])
        else:
            OUT.write_text(text, "utf-8")
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
