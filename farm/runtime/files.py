"""The wheel runtime's files on the controller, as they are sent to devices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from farm.model.artifact import Artifact
from farm.runtime import compact
from farm.runtime.cache import Progress
from farm.runtime.compact import Pack
from farm.runtime.install import InstalledRuntime


@dataclass(frozen=True)
class WheelFiles:
    """`libraries` are the pristine files by their name in the tree, `cpu_libraries` the ones without CUDA
    code: those exist only in `cpu_pack`, and on devices. A pack is made when it is first asked for.
    """

    libraries: tuple[tuple[str, Artifact], ...]
    cpu_libraries: tuple[tuple[str, Artifact], ...]
    cpu_pack: Callable[[], Pack]
    full_pack: Callable[[], Pack]


def wheel_files(runtime: InstalledRuntime, progress: Progress) -> WheelFiles:
    """The files of an installed runtime."""
    return WheelFiles(
        libraries=compact.files(runtime, cuda=True),
        cpu_libraries=compact.files(runtime, cuda=False),
        cpu_pack=lambda: compact.cpu_pack(runtime, progress),
        full_pack=lambda: compact.full_pack(runtime, progress),
    )
