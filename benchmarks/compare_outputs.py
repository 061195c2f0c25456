"""How fast outputs are compared, and in how much memory: `python benchmarks/compare_outputs.py [MiB]`."""

from __future__ import annotations

import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from farm.model.outputs import Against
from farm.run.outputs.compare import compare_files
from farm.run.outputs.files import OutputFile

NAME = b"var={id:81, layout:{1}, Float32, owner:o{T}, name:out, slot:0}"
BLOCK = 1 << 20


def write(path: Path, mebibytes: int, seed: int) -> OutputFile:
    draw = np.random.default_rng(1)
    noise = np.random.default_rng(seed)
    with path.open("wb") as stream:
        stream.write(struct.pack("<10I", len(NAME), 0, 7, mebibytes * BLOCK // 4, *(0,) * 6) + NAME)
        for _ in range(mebibytes):
            values = draw.standard_normal(BLOCK // 4)
            stream.write((values * (1 + 1e-6 * noise.standard_normal(BLOCK // 4))).astype("<f4").tobytes())
    return OutputFile(path, path.name, path.stat().st_size)


def main() -> None:
    mebibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 256
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = (write(Path(folder) / name, mebibytes, seed) for seed, name in enumerate("ab"))
        before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        found = compare_files([ours], [theirs], Against.BASELINE, True, ())
        seconds = time.process_time() - began
        most_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{mebibytes} MiB a side: {seconds:.2f} s of a core, {mebibytes / seconds:.0f} MiB/s a side")
    print(
        f"{most_kib >> 10} MiB resident at most, {before_kib >> 10} before; mapped pages of the files count"
    )
    print(found.sentence)


if __name__ == "__main__":
    main()
