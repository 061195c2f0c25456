"""Addresses as people read and type them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from farm.model.device import Address


def address_text(address: Address) -> str:
    """`user@host:port`, with the parts that the inventory has."""
    text = f"{address.user}@{address.host}" if address.user else address.host
    return f"{text}:{address.port}" if address.port else text


def ssh_argv(address: Address, *flags: str, identity: Sequence[Path]) -> tuple[str, ...]:
    """OpenSSH's client for the same connection, to be shown to a person; nothing in farm runs it."""
    words = ["ssh", *flags]
    for path in identity:
        words += ["-i", str(path)]
    if address.port:
        words += ["-p", str(address.port)]
    if address.proxy_jump:
        words += ["-J", address.proxy_jump]
    return (*words, f"{address.user}@{address.host}" if address.user else address.host)
