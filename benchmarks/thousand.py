"""A run of 1,000 devices with 20 variants: how long the plan, the journal and the report take.

    .venv/bin/python -m benchmarks.thousand [--devices 1000] [--variants 20] [--out FILE]

`plan`: a whole `farm plan --json`, its process included, of an inventory without defaults. `journal`: reading
back one with three rounds of each cell. `report`: from results to the page, without pages of cells. Each call
adds a line to FILE (benchmarks/data/thousand.jsonl), says pass or fail, and exits with 1 where a figure is
missed. Run it on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import large_report, raw_records
from farm.model.journal import JOURNAL_VERSION, Begin, RoundEnded
from farm.report.compose import compose
from farm.report.render import render
from farm.store.journal import line_of, read_journal

OUT = Path(__file__).parent / "data" / "thousand.jsonl"
MOST_S = {"plan": 2.0, "journal": 10.0, "report": 10.0}
DEVICE = """  arm-{0}:
    address: 10.0.{1}.{2}
    port: 22
    user: bench
    tags: [arm, big]
    runtime: {{kind: native, program: /opt/mge/load_and_run, on_device: true}}
"""


def plan_s(folder: Path, devices: int, variants: int) -> float:
    lines = (DEVICE.format(number, number // 250, number % 250) for number in range(devices))
    (folder / "lab.yaml").write_text("devices:\n" + "".join(lines))
    words = ["plan", "--inventory", "lab.yaml", "--model", "bundled:tiny", "--json"]
    for number in range(variants):
        words += ["--variant", f"v{number}=--iter {10 + number}"]
    began = time.perf_counter()
    subprocess.run((sys.executable, "-m", "farm", *words), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def report_s(folder: Path, cells: int) -> float:
    results = large_report.large(cells)
    began = time.perf_counter()
    (folder / "report.html").write_text(render(compose(results)), "utf-8")
    return time.perf_counter() - began


def journal_s(folder: Path, cells: int) -> float:
    """With three rounds of each cell."""
    results, path = large_report.large(cells), folder / "journal.jsonl"
    with path.open("wb") as stream:
        stream.write(line_of(Begin(version=JOURNAL_VERSION, run_id="large")))
        for cell in results.cells:
            stream.writelines(line_of(RoundEnded(cell=cell.id, round=one)) for one in cell.rounds[:3])
    began = time.perf_counter()
    found = read_journal(path)
    assert not found.losses, found.losses
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--variants", type=int, default=20)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        took_s = {
            "plan": min(plan_s(Path(name), given.devices, given.variants) for _ in range(3)),
            "journal": journal_s(Path(name), given.devices * given.variants),
            "report": report_s(Path(name), given.devices * given.variants),
        }
    at = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"at": at, "devices": given.devices, "variants": given.variants, "load": os.getloadavg()[0]}
    raw_records.append(given.out, record | {f"{what}_s": round(value, 2) for what, value in took_s.items()})
    for what, value in took_s.items():
        print(
            f"{'pass' if value <= MOST_S[what] else 'FAIL'}  {what}: {value:.2f} s (at most {MOST_S[what]:g})"
        )
    return 0 if all(value <= MOST_S[what] for what, value in took_s.items()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
