"""What a device computes with in a cell, and the ceilings that its inventory gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CoreSet:
    """What an inference is computed with: a GPU, or threads of a processor. `threads` None: what the program
    takes without any option. `cores` are ids as `4-7`, or a label as `big` that only the probed device can
    resolve; empty: not bound.
    """

    is_gpu: bool = False
    threads: int | None = None
    cores: str = ""

    @property
    def name(self) -> str:
        """For people, and unique: `4 threads on cores 4-7`."""
        if self.is_gpu:
            return "GPU"
        if self.threads is None:
            return "default"
        count = f"{self.threads} thread{'' if self.threads == 1 else 's'}"
        if not self.cores:
            return count
        return f"{count} on core{'' if self.cores.isdigit() else 's'} {self.cores}"


@dataclass(frozen=True)
class GivenCeilings:
    """Ceilings of the inventory, GFLOP/s and GB/s (1e9 bytes), for the core sets that have what it names:
    `threads`, `cores` (a label or ids), or whether it `is_gpu`; None: any.
    """

    gflops: float
    gbps: float
    threads: int | None = None
    cores: str | None = None
    is_gpu: bool | None = None
