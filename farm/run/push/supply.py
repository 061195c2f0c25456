"""What the devices of a run are sent: each file is read once, and compared with its older versions once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from farm.device.push.recipe import Recipe
from farm.device.push.source import Source
from farm.model.artifact import Artifact
from farm.model.device import KNOWN_HOSTS
from farm.model.limits.deadlines import Deadlines
from farm.run.push.relays import Relays
from farm.store.cache.kept import KeptStore

MOST_OLDER = 4
"""Versions of a file that a device is asked for, the newest first."""


class Supply:
    """One for all devices of a run. `kept` has the older versions, None: there are none."""

    def __init__(self, kept: KeptStore | None = None, relays: Relays | None = None) -> None:
        self.source = Source()
        self.relays = relays or Relays((), Path(KNOWN_HOSTS), Deadlines())
        self._kept = kept
        self._recipes: dict[tuple[str, ...], asyncio.Task[Recipe | None]] = {}

    async def older(self, artifact: Artifact) -> list[Artifact]:
        """Files of the same name that were pushed before and are kept, the newest first."""
        if self._kept is None:
            return []
        try:
            found = await asyncio.to_thread(self._kept.versions, artifact.name)
        except OSError:
            return []
        return [one for one in found if one.sha256 != artifact.sha256][:MOST_OLDER]

    async def recipe(self, artifact: Artifact, older: Sequence[Artifact]) -> Recipe | None:
        """How a file is made of older ones; None where that is not worth it, or they cannot be read."""
        from farm.device.push.chunks import recipe  # NumPy, which most commands do not need

        key = (artifact.sha256, *(one.sha256 for one in older))
        task = self._recipes.get(key)
        if task is None:
            task = self._recipes[key] = asyncio.create_task(asyncio.to_thread(recipe, artifact, older))
        try:
            return await asyncio.shield(task)
        except OSError:
            return None
