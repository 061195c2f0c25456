"""The error of all parsers of files that a device sent."""

from __future__ import annotations

from farm.errors import FarmError


class MalformedError(FarmError):
    """A file does not have the format of its role: truncated, damaged or forged."""
