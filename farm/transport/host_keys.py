"""Host keys for `farm devices trust`: ask a host for them, see what is pinned, record them."""

from __future__ import annotations

from pathlib import Path

from farm.errors import RequestError
from farm.model.device import Device
from farm.transport.base import Timeouts
from farm.transport.known_hosts import HostKey, describe, pinned, record
from farm.transport.link import retrying, shown_host_keys, trust_of
from farm.transport.route import route

__all__ = ["HostKey", "fetch_host_keys", "pinned", "record"]


async def fetch_host_keys(
    device: Device,
    *,
    known_hosts: Path,
    timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
) -> tuple[HostKey, ...]:
    """The keys, one per type, of the first host on the way to `device` that is not trusted: a jump host,
    or the device itself, whose keys are fetched even when it is trusted.

    Nobody has verified these keys: show their fingerprints before they are recorded. A jump host that is
    not trusted is not passed; record its key and call again (`HostKey.host` says whose keys they are).
    Raises DeviceError as `Transport.connect`, and RequestError for `local`, which has no lasting key.
    """
    if device.is_local:
        raise RequestError("`local` is this machine: it has a new host key for every run and needs no trust")
    hops = await route(device)
    for index, hop in enumerate(hops):
        known = await trust_of(hop, known_hosts)
        if hop is hops[-1] or not (known.keys or known.authorities):
            ask = retrying(timeouts).wraps(shown_host_keys)
            keys = await ask(hops[: index + 1], known_hosts, timeouts)
            return tuple(describe(hop.known_as, key) for key in keys)
    raise AssertionError("a route has at least one hop")
