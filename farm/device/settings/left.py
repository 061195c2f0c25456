"""Settings that a lease changed and that could not be restored."""

from __future__ import annotations

from dataclasses import dataclass

from farm.visible import one_line

LIMIT = 200


@dataclass(frozen=True)
class Left:
    """A file below /sys that should be `value` again and is not; `holder` is who changed it."""

    holder: str
    path: str
    value: str
    why: str

    @property
    def text(self) -> str:
        path = self.path.removeprefix("devices/system/cpu/")
        path, holder, value, why = (
            one_line(text, LIMIT) for text in (path, self.holder, self.value, self.why)
        )
        return f"{path}, changed by {holder}, could not be restored to {value}: {why}"
