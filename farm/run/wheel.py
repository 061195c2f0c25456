"""The wheel runtime's files as the pipeline wants them."""

from __future__ import annotations

from collections.abc import Callable

from farm.run.deploy import WheelFiles
from farm.runtime import compact, install

Progress = Callable[[str, int, int | None], None]


def wheel_files(progress: Progress) -> WheelFiles:
    """Install the runtime when it is not there yet. Raises RunError when that cannot be done."""
    runtime = install.ensure(progress)
    return WheelFiles(
        libraries=compact.files(runtime, cuda=True),
        cpu_libraries=compact.files(runtime, cuda=False),
        cpu_pack=lambda: compact.cpu_pack(runtime, progress),
        full_pack=lambda: compact.full_pack(runtime, progress),
    )
