"""A device that only keeps files: there is no lease, and nothing of its store is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from farm.device.agent import Agent, Missing
from farm.device.session import Conversation
from farm.model.artifact import Artifact
from farm.model.device import Device

T = TypeVar("T")


class Unleased:
    """For farm.run.push.pusher.Pusher, in the place of a session and of the room on its disk: others use the
    store at the same time. `farm devices clean` makes room there.
    """

    def __init__(self, device: Device, agent: Agent, note: Callable[[str], None]) -> None:
        self.device = device
        self.note = note
        self._agent = agent

    async def call(self, conversation: Conversation[T], size_bytes: int = 0) -> T:  # noqa: ARG002
        """Not again where it fails."""
        return await conversation(self._agent)

    async def missing(self, artifacts: Sequence[Artifact]) -> tuple[Missing, ...]:
        """Which artifacts it lacks."""
        return await self._agent.have([artifact.sha256 for artifact in artifacts])

    def need(self, sha256s: Iterable[str]) -> None:
        """Nothing is removed."""
