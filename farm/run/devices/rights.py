"""Whether farm may set what the inventory pins, asked without setting anything."""

from __future__ import annotations

import asyncio

from farm.device.probe import FIRST_POLICY
from farm.errors import DeviceError
from farm.model.device import Device
from farm.model.limits.deadlines import Deadlines
from farm.transport.base import Transports

_ASK = """
[ -e "$2" ] || exit 0
if [ "$1" = sudo ]; then exec sudo -n -l tee "$2"; else [ -w "$2" ]; fi
"""


async def may_pin(device: Device, transports: Transports) -> bool:
    """True also where the kernel lets nobody set a frequency. Raises DeviceError as `Transport.connect`."""
    pin = device.pin
    if pin is None or (pin.governor is None and pin.frequency_khz is None):
        return True
    connection = await transports.to(device).connect()
    try:
        argv = ("sh", "-c", _ASK, "farm-check", pin.how, f"{FIRST_POLICY}/scaling_governor")
        channel = await connection.open(argv)
        try:
            async with asyncio.timeout(Deadlines.reply_s):
                return await channel.wait() == 0
        finally:
            await channel.close()
    except (DeviceError, TimeoutError):
        return True  # not known: a run will say what could not be pinned
    finally:
        await connection.close()
