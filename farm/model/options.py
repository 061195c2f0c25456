"""Option sets: values for load_and_run options, by documented name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

Value = bool | int | float | str


@dataclass(frozen=True)
class OptionSet:
    """Values by documented option name (`enable-nchw44`), in catalogue order, defaults left out.

    Make one with `farm.options.parse`, which knows the catalogue; equal sets have equal digests.
    `resets` are the options that were explicitly set to their default: they have no effect by themselves,
    but in `farm.options.merge` they remove a value of the base.
    """

    values: tuple[tuple[str, Value], ...] = ()
    resets: frozenset[str] = field(default=frozenset(), compare=False)

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.values)

    def get(self, name: str) -> Value | None:
        return dict(self.values).get(name)

    def as_dict(self) -> dict[str, Value]:
        return dict(self.values)

    @property
    def digest(self) -> str:
        """SHA-256 of the values as canonical JSON."""
        text = json.dumps(self.as_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Variant:
    """A named option set: a column of the comparison."""

    name: str
    options: OptionSet
