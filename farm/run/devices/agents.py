"""An agent on a device for a moment, without the lease."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from farm import agents
from farm.device.agent import Agent
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Transports


@asynccontextmanager
async def agent_of(device: Device, transports: Transports, deadlines: Deadlines) -> AsyncIterator[Agent]:
    """Connected and started; both end afterwards. Raises DeviceError."""
    script = agents.agent_script()
    connection = await transports.to(device).connect()
    try:
        agent = await Agent.start(connection, device.workdir, script, deadlines)
        yield agent
        await agent.bye()
    finally:
        await connection.close()
