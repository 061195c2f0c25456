"""Hold a device's governor, frequency and turbo for a lease, as its inventory allows it."""

from __future__ import annotations

from farm.device.restarts import AgainError
from farm.device.session import Session
from farm.device.settings.pins import Pinned, held, outcome, wanted
from farm.errors import DeviceError
from farm.model.device import Device, Facts


async def pin(session: Session, device: Device, facts: Facts) -> tuple[Pinned, Facts]:
    """Set what the inventory says; what the device does not take is told, and costs no round. With the facts
    as they are from then on.

    Raises DeviceError when the device cannot go on.
    """
    if device.pin is None:
        return Pinned(), facts
    asked = wanted(device.pin, device, facts)
    if not asked.settings:
        return outcome(asked, ()), facts
    how = device.pin.how
    pairs = [(one.path, one.value) for one in asked.settings]
    try:
        refusals = await session.call(lambda agent: agent.change(session.epoch, how, pairs))
    except DeviceError as error:
        if error.cause not in {"io", "unwritable", "disk-full"}:
            raise
        return Pinned(refused=(*asked.refused, f"not pinned: {error.message}")), facts
    return outcome(asked, refusals), held(asked, refusals, facts)


async def unpin(session: Session, device: Device) -> tuple[str, ...]:
    """Restore what was set; in words, what of it could not be. The rounds are over: no error is of theirs."""
    if device.pin is None:
        return ()
    try:
        left = await session.call(lambda agent: agent.restore(session.epoch))
    except AgainError:
        return ()  # by its restart
    except DeviceError as error:
        return (
            f"settings are not restored yet, the device does it once the lease has ended: {error.message}",
        )
    return tuple(one.text for one in left)
