"""Which addresses a range means: `10.0.0.0/24`, `10.0.0.5-20`, `10.0.0.5-10.0.1.20`, a host name. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from farm.errors import RequestError
from farm.model.device import LOCAL

MOST_USUAL = 4096
"""More addresses than this are only asked where the user says how many (`--most`)."""

MOST = 65_536

_HOST = re.compile(r"[^\s@/,-][^\s@/,]{0,254}")
_NUMERIC = re.compile(r"[0-9.]+")


@dataclass(frozen=True)
class Range:
    """`count` addresses from `first` on; or one host name."""

    text: str
    count: int
    first: ipaddress.IPv4Address | ipaddress.IPv6Address | None = None

    def hosts(self) -> Iterator[str]:
        if self.first is None:
            yield self.text
        else:
            yield from (str(self.first + offset) for offset in range(self.count))


def parse_range(text: str) -> Range:
    """Raises RequestError for what is no range."""
    if "/" in text:
        return _network(text)
    if "-" in text and (found := _span(*text.split("-", 1))) is not None:
        return found
    try:
        return Range(text, 1, ipaddress.ip_address(text))
    except ValueError:
        if (
            text != LOCAL
            and _HOST.fullmatch(text)
            and not _NUMERIC.fullmatch(text)
            and not text.startswith("-")
        ):
            return Range(text, 1)
    raise _wrong(text)


def hosts_of(ranges: Sequence[Range], most: int) -> tuple[str, ...]:
    """All addresses, each once. Raises RequestError for more than `most`, before they are listed."""
    count = sum(one.count for one in ranges)
    if count > most:
        hint = (
            f"--most {count}, or a smaller range"
            if count <= MOST
            else "a smaller range: 10.0.0.0/20 has 4094"
        )
        raise RequestError(f"{count} addresses are more than {most}", hint=hint)
    return tuple(dict.fromkeys(host for one in ranges for host in one.hosts()))


def _network(text: str) -> Range:
    """Without the addresses that no host has: those of the network and of all hosts."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise _wrong(text) from error
    whole = network.num_addresses
    if network.version == 4 and whole > 2:
        return Range(text, whole - 2, network.network_address + 1)
    return Range(text, whole, network.network_address)


def _span(first: str, last: str) -> Range | None:
    """`10.0.0.5-20` and `10.0.0.5-10.0.1.20`; None where it does not begin with an address."""
    text = f"{first}-{last}"
    try:
        start = ipaddress.ip_address(first)
    except ValueError:
        return None
    if last.isascii() and last.isdigit() and start.version == 4:
        last = first.rpartition(".")[0] + "." + last
    try:
        end = ipaddress.ip_address(last)
    except ValueError as error:
        raise _wrong(text) from error
    if end.version != start.version or int(end) < int(start):
        raise _wrong(text)
    return Range(text, int(end) - int(start) + 1, start)


def _wrong(text: str) -> RequestError:
    return RequestError(
        f'"{text}" is no range of addresses',
        hint="10.0.0.0/24, 10.0.0.5-20, 10.0.0.5-10.0.1.20, or a host name",
    )
